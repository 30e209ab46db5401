"""MMCP in front of a real engine, asked by the clients of MMCP's own SDKs."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import numpy as np
import pytest
from kmm import rotations as rot
from kmm.clip import Clip, forward_kinematics, heading
from kmm.protocol import PromptSegment
from kmm.skeleton import JOINT_INDEX, JOINT_NAMES, REST_OFFSETS, STANDING_HEIGHT

from .engines import EngineProcess, idle

pytest.importorskip("uvicorn", reason="MMCP needs its SDK: pip install -e '.[mmcp]'")
mmcp = pytest.importorskip("motionmcp.client", reason="MMCP needs its SDK: pip install -e '.[mmcp]'")


@pytest.fixture(scope="module")
def engine(start_engine) -> EngineProcess:
    return start_engine("--mmcp", "--mmcp-port", "0")


@pytest.fixture(scope="module")
def url(engine) -> str:
    assert engine.ready["mmcp"].startswith("http://127.0.0.1:")
    return engine.ready["mmcp"]


@pytest.fixture(scope="module")
def model(url):
    return mmcp.pick_model(mmcp.get_capabilities(url))


SHORT = {"type": "text", "prompt": "a person walks", "duration_frames": 1}


def body(model, *segments, **more):
    return {
        "protocol_version": "1.0",
        "model": model["id"],
        "skeleton": model["canonical_skeleton"],
        "segments": [
            s if isinstance(s, dict) else {"type": "text", "prompt": s[0], "duration_frames": s[1]}
            for s in segments
        ],
    } | more


def clips(document) -> list[Clip]:
    """The samples of an answer, as MMCP's own reader has them, in our world."""
    out = []
    for sample in mmcp.parse_gltf_samples(document):
        assert tuple(sample["joint_names"]) == JOINT_NAMES
        local = rot.from_matrix(sample["local_rot_mats"].astype(float))
        upright = np.array([0.5**0.5, 0.5**0.5, 0, 0])
        local[:, 0] = rot.multiply(upright, local[:, 0])
        root = rot.apply(upright, sample["posed_joints"][:, 0].astype(float))
        out.append(Clip(root, local, sample["fps"]))
    return out


def same(a: Clip, b: Clip) -> None:
    assert len(a) == len(b) and np.abs(a.joints() - b.joints()).max() < 1e-4


def seeds(document) -> str:
    return next(n["message"] for n in document["extensions"]["MMCP_motion"]["notes"] if n["code"] == "seed")


def test_capabilities(url, model, engine):
    assert mmcp.probe_server(url).ok
    with engine.connect() as client:
        assert model["id"] == client.welcome.weights and model["fps"] == client.welcome.fps
    joints = model["canonical_skeleton"]["joints"]
    assert [joint["name"] for joint in joints] == list(JOINT_NAMES)
    assert joints[0]["rest_translation"] == [0, STANDING_HEIGHT, 0]
    assert np.allclose([joint["rest_translation"] for joint in joints[1:]], REST_OFFSETS[1:])
    assert model["supports_loop"] and model["supports_segment_seed"] and not model["supports_retargeting"]
    assert mmcp.model_supported_segments(model) == ["text", "unconditioned"]
    assert model["supported_constraints"] == ["pose_keyframe", "root_path", "effector_target"]


def test_the_motion_is_the_engine_s(url, model, engine):
    """Seeds, guidance and takes go through: what comes back is what our own client gets."""
    segments = [("a person walks forward", 45), ("a person turns left", 31)]
    options = {"seed": 5, "num_samples": 2, "guidance": {"type": "regular", "weight": [2.5]}}
    document = mmcp.generate(url, body(model, *segments, options=options))
    with engine.connect() as client:
        expected = client.takes([PromptSegment(*s) for s in segments], 5, 2.5, num_samples=2)
    for got, want in zip(clips(document), expected, strict=True):
        same(got, want)
    told = document["extensions"]["MMCP_motion"]
    assert told["fps"] == 30 and seeds(document) == "seeds 5, 6"
    for sample, want in zip(told["samples"], expected, strict=True):
        contacts = np.array(
            [sample["foot_contacts"][name] for name in ("left_ankle", "left_foot", "right_ankle")]
        )
        assert np.array_equal(contacts.T, want.contacts[:, :3] > 0.5)


def test_seeds_of_segments_and_none(url, model, engine):
    segments = [
        {"type": "text", "prompt": "a person jumps", "duration_frames": 30, "seed": 7},
        {"type": "text", "prompt": "a person walks", "duration_frames": 30, "seed": 8},
    ]
    document = mmcp.generate(url, body(model, *segments, options={"seed": 1}))
    with engine.connect() as client:
        wanted = [PromptSegment(s["prompt"], s["duration_frames"], s["seed"]) for s in segments]
        same(clips(document)[0], client.motion(wanted, 1))
        drawn = mmcp.generate(url, body(model, ("a person walks", 20)))
        seed = int(seeds(drawn).removeprefix("seed "))
        same(clips(drawn)[0], client.motion([PromptSegment("a person walks", 20)], seed))


def test_another_frame_rate(url, model, engine):
    """As many frames as asked for, of the same motion."""
    asked = body(
        model, ("a person walks forward", 48), ("a person runs", 25), timing={"fps": 24}, options={"seed": 2}
    )
    (got,) = clips(mmcp.generate(url, asked))
    assert got.fps == 24 and len(got) == 73
    with engine.connect() as client:
        made = client.motion(
            [PromptSegment("a person walks forward", 60), PromptSegment("a person runs", 32)], 2
        )
    at = np.arange(73) * 1.25
    between = made.resample(120).joints()[np.round(at * 4).astype(int)]
    assert np.abs(got.joints() - between).max() < 1e-3


def test_without_words(url, model):
    """A stretch without a prompt, alone and beside others, and nothing but a length."""
    free = {"type": "unconditioned", "duration_frames": 20}
    alone = mmcp.generate(url, body(model, free, options={"seed": 3}))
    mixed = mmcp.generate(url, body(model, free, ("a person walks", 20), options={"seed": 3}))
    assert len(clips(alone)[0]) == 20 and len(clips(mixed)[0]) == 40
    codes = [note["code"] for note in mixed["extensions"]["MMCP_motion"]["notes"]]
    assert "unconditioned" in codes


def keyframe(clip: Clip, frame: int, at: int, **more):
    upright = np.array([0.5**0.5, 0.5**0.5, 0, 0])
    pose = clip.rotations[frame].astype(float)
    pose[0] = rot.multiply(rot.inv(upright), pose[0])
    return {
        "type": "pose_keyframe",
        "frame": at,
        "joint_rotations": {n: q[[1, 2, 3, 0]].tolist() for n, q in zip(JOINT_NAMES, pose, strict=True)},
        "root_position": rot.apply(rot.inv(upright), clip.translation[frame].astype(float)).tolist(),
    } | more


def test_given_poses_are_met(url, model):
    (source,) = clips(mmcp.generate(url, body(model, ("a person walks forward", 60), options={"seed": 1})))
    keys = [keyframe(source, 0, 0), keyframe(source, 40, 40)]
    document = mmcp.generate(url, body(model, ("a person walks", 60), constraints=keys, options={"seed": 9}))
    (got,) = clips(document)
    for frame in (0, 40):
        assert np.abs(got.joints()[frame] - source.joints()[frame]).max() < 0.02
    assert np.abs(got.joints()[20] - source.joints()[20]).max() > 0.02, "another seed, another way there"


def notes(document, code):
    return [n["message"] for n in document["extensions"]["MMCP_motion"]["notes"] if n["code"] == code]


def test_a_path_is_followed(url, model):
    """Exactly, at the request's own rate, in every take; facing where that is said."""
    frames = [0, 20, 40, 59]
    angle = np.array(frames) / 59 * np.pi / 2
    xz = 1.6 * np.stack([1 - np.cos(angle), np.sin(angle)], axis=-1)  # ahead is +Z, the body's left +X
    path = {"type": "root_path", "frames": frames, "positions_xz": xz.tolist()}
    facing = path | {"heading_radians": [0.0, 0.5, 1.0, 1.5]}
    for constraint in (path, facing):
        asked = body(
            model,
            ("a person walks forward", 60),
            constraints=[constraint],
            timing={"fps": 24},
            options={"seed": 1, "num_samples": 2},
        )
        for got in clips(mmcp.generate(url, asked)):
            assert len(got) == 60
            np.testing.assert_allclose(got.translation[frames, :2], xz * [1, -1], atol=1e-4)
            turned = np.degrees(heading(got.rotations[[0, -1], 0].astype(float)))
            assert 45 < turned[1] - turned[0] < 120, "it turns left with the path"
            if "heading_radians" in constraint:
                np.testing.assert_allclose(np.radians(turned), [0, 1.5], atol=1e-3)


def test_a_path_too_long_is_told(url, model):
    path = {"type": "root_path", "frames": [0, 44], "positions_xz": [[0, 0], [0, 9]]}
    document = mmcp.generate(url, body(model, ("a person walks forward", 45), constraints=[path]))
    np.testing.assert_allclose(clips(document)[0].translation[44, :2], [0, -9], atol=1e-4)
    assert "the root path is 9.0 m long" in notes(document, "constraint")[0]


def test_hands_and_feet_come_to_their_targets(url, model):
    asked = body(model, ("a person stands still", 60), options={"seed": 1})
    (made,) = clips(mmcp.generate(url, asked))
    upright = np.array([0.5**0.5, 0.5**0.5, 0, 0])
    hand, foot = (
        made.joints()[30, JOINT_INDEX[j]] + [0.05, -0.2, 0.2] for j in ("left_wrist", "right_ankle")
    )
    turn = np.array([0.5, 0.5, 0.5, -0.5])
    targets = [
        {
            "type": "effector_target",
            "joint": joint,
            "frames": [30],
            "positions": [rot.apply(rot.inv(upright), place).tolist()],
        }
        for joint, place in (("left_wrist", hand), ("right_ankle", foot))
    ]
    targets[0]["rotations"] = [turn[[1, 2, 3, 0]].tolist()]
    document = mmcp.generate(url, asked | {"constraints": targets})
    (got,) = clips(document)
    joints, world = forward_kinematics(got.translation.astype(float), got.rotations.astype(float))
    for joint, place in (("left_wrist", hand), ("right_ankle", foot)):
        np.testing.assert_allclose(joints[30, JOINT_INDEX[joint]], place, atol=1e-3)
    wrist = world[30, JOINT_INDEX["left_wrist"]]
    assert rot.magnitude(rot.multiply(rot.inv(rot.multiply(upright, turn)), wrist)) < 1e-3
    assert not notes(document, "constraint")
    far = targets[0] | {"positions": [[0, 1, 9]]}
    assert "short of its target" in notes(mmcp.generate(url, asked | {"constraints": [far]}), "constraint")[0]


def test_a_path_and_a_target_leave_given_poses_alone(url, model):
    (source,) = clips(mmcp.generate(url, body(model, ("a person walks forward", 60), options={"seed": 1})))
    key = keyframe(source, 0, 0)
    constraints = [
        key,
        {"type": "root_path", "frames": [0, 59], "positions_xz": [[0, 0], [2, 1.5]]},
        {"type": "effector_target", "joint": "right_wrist", "frames": [8], "positions": [[-0.3, 1.3, 0.4]]},
    ]
    document = mmcp.generate(
        url, body(model, ("a person walks forward", 60), constraints=constraints, options={"seed": 1})
    )
    (got,) = clips(document)
    assert np.abs(got.joints()[0] - source.joints()[0]).max() < 0.002
    np.testing.assert_allclose(got.translation[59, :2], [2, -1.5], atol=1e-4)


TARGET = {"type": "effector_target", "joint": "left_wrist", "frames": [3], "positions": [[0, 1, 0]]}
PATH = {"type": "root_path", "frames": [3], "positions_xz": [[0, 0]]}


@pytest.mark.parametrize(
    ("constraints", "options", "sentence"),
    [
        ([TARGET | {"joint": "head"}], {}, "'head'"),
        ([TARGET, TARGET], {}, "two targets"),
        ([TARGET, TARGET | {"frames": [4], "rotations": [[0, 0, 0, 1]]}], {}, "rotations all, or none"),
        ([TARGET | {"rotations": [[0, 0, 0, 0]]}], {}, "no length"),
        ([PATH, PATH], {}, "given twice"),
        ([PATH], {"loop": True}, "loop"),
        ([TARGET], {"loop": True}, "loop"),
    ],
)
def test_constraints_that_cannot_be(url, model, constraints, options, sentence):
    with pytest.raises(mmcp.MmcpError, match=sentence) as refused:
        mmcp.generate(
            url, body(model, ("a person walks", 20), constraints=constraints, options={"seed": 1} | options)
        )
    assert refused.value.code == "invalid_request"


def test_keyframes_that_other_constraints_speak_against(url, model):
    rest = np.tile(np.array(rot.IDENTITY), (1, 22, 1))
    rest[:, 0] = [0.5**0.5, 0.5**0.5, 0, 0]
    key = keyframe(Clip(np.array([[0, 0, STANDING_HEIGHT]]), rest), 0, 3)
    for other, sentence in ((TARGET, "keyframe and a target"), (PATH | {"positions_xz": [[1, 0]]}, "apart")):
        with pytest.raises(mmcp.MmcpError, match=sentence):
            mmcp.generate(url, body(model, ("a person walks", 20), constraints=[key, other]))


def test_a_loop_meets_itself(url, model):
    document = mmcp.generate(
        url, body(model, ("a person walks forward", 60), options={"seed": 1, "loop": True})
    )
    (got,) = clips(document)
    turns = rot.magnitude(rot.multiply(rot.inv(got.rotations[-1, 1:]), got.rotations[0, 1:]))
    assert np.degrees(turns).max() < 15  # no more than from one frame to the next


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"model": "gpt"}, "unknown_model"),
        ({"protocol_version": "2.0"}, "version_unsupported"),
        ({"constraints": [{"type": "ground_height", "points": [[0, 0, 1]]}]}, "unsupported_constraint"),
        ({"segments": [{"type": "pose", "prompt": "a squat"}]}, "unsupported_segment"),
        ({"segments": [{"type": "text", "prompt": "walks " * 200, "duration_frames": 9}]}, "invalid_options"),
        ({"segments": [{"type": "text", "prompt": "  ", "duration_frames": 9}]}, "invalid_request"),
        ({"segments": [{"type": "text", "prompt": "walk", "duration_frames": 200_000}]}, "invalid_options"),
        ({"options": {"guidance": {"type": "separated", "weight": [1, 2]}}}, "invalid_options"),
        ({"options": {"guidance": {"type": "regular", "weight": [1e9]}}}, "invalid_request"),
        ({"timing": {"fps": 1000}, "segments": [SHORT, SHORT]}, "invalid_options"),
        ({"segments": [SHORT]}, "invalid_request"),
    ],
)
def test_what_cannot_be_is_refused_in_mmcp_s_words(url, model, change, code):
    with pytest.raises(mmcp.MmcpError) as refused:
        mmcp.generate(url, body(model, ("a person walks", 10)) | change)
    assert refused.value.code == code, str(refused.value)


def test_partial_poses_are_refused_or_filled(url, model):
    rest = np.tile(np.array(rot.IDENTITY), (1, 22, 1))
    rest[:, 0] = [0.5**0.5, 0.5**0.5, 0, 0]
    whole = keyframe(Clip(np.array([[0, 0, STANDING_HEIGHT]]), rest), 0, 0)
    few = whole | {"joint_rotations": {"pelvis": [0, 0, 0, 1]}}
    for wrong, word in ((few, "whole poses"), ({**whole, "root_position": None}, "root_position")):
        with pytest.raises(mmcp.MmcpError, match=word) as refused:
            mmcp.generate(url, body(model, ("a person walks", 20), constraints=[wrong]))
        assert refused.value.code == "invalid_request"
    filled = body(
        model, ("a person walks", 20), constraints=[few | {"fill_mode": "rest"}], options={"seed": 1}
    )
    (got,) = clips(mmcp.generate(url, filled))
    assert np.abs(got.rotations[0, 1:] * np.sign(got.rotations[0, 1:, :1]) - rot.IDENTITY).max() < 0.05


def test_a_batch(url, model):
    items = [body(model, ("a person walks", 12), options={"seed": i}) for i in range(2)]
    items.append(items[0] | {"model": "gpt"})
    request = urllib.request.Request(
        f"{url}/generate",
        json.dumps({"protocol_version": "1.0", "requests": items}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        results = json.load(answer)["results"]
    assert [len(clips(r["gltf"])[0]) for r in results[:2]] == [12, 12]
    assert results[2]["error"]["code"] == "unknown_model"


def test_a_name_that_is_not_this_machine_s_is_turned_away(url):
    request = urllib.request.Request(f"{url}/capabilities", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    assert refused.value.code == 400


def test_the_engine_is_free_afterwards_and_ends(start_engine):
    engine = start_engine("--mmcp", "--mmcp-port", "0")
    with engine.connect() as client:
        assert idle(client)
        client.shutdown()
    assert engine.process.wait(90) == 0  # torch alone may take seconds to go
    with pytest.raises(mmcp.MmcpError):
        mmcp.get_capabilities(engine.ready["mmcp"], timeout=2, use_cache=False)
