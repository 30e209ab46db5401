import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kmm import formats
from kmm import rotations as rot
from kmm.clip import Clip, Segment
from kmm.formats import amass, bvh

from .motions import clips, random_clip, walk

# each example writes its own files over the last one's
files = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def same_rotations(a, b):
    """Largest difference of any rotation, as quaternions of either sign."""
    return np.minimum(np.abs(a - b).max(-1), np.abs(a + b).max(-1)).max(initial=0)


@files
@given(clips(min_frames=0), st.lists(st.text(st.characters(exclude_characters="\0")), max_size=3))
def test_amass_round_trip_is_the_identity(tmp_path, clip, prompts):
    segments = tuple(Segment(p, i, len(clip)) for i, p in enumerate(prompts))
    clip = Clip(clip.translation, clip.rotations, clip.fps, clip.contacts, segments)
    formats.save(clip, tmp_path / "clip.npz")
    back = formats.load(tmp_path / "clip.npz")
    assert np.allclose(back.translation, clip.translation, atol=1e-12)
    assert same_rotations(back.rotations, clip.rotations) < 1e-6
    assert back.fps == clip.fps and back.segments == clip.segments
    assert (back.contacts is None) == (clip.contacts is None)
    if clip.contacts is not None:
        assert np.array_equal(back.contacts, clip.contacts)


def test_amass_file_is_what_smpl_tools_expect(tmp_path):
    clip = walk(20)
    amass.save(clip, tmp_path / "clip.npz")
    with np.load(tmp_path / "clip.npz") as file:
        assert file["poses"].shape == (20, 156) and not file["poses"][:, 66:].any()
        assert file["trans"].shape == (20, 3) and file["betas"].shape == (16,) and not file["betas"].any()
        assert str(file["gender"]) == "neutral" and float(file["mocap_framerate"]) == 30
        assert np.allclose(file["trans"], clip.translation)
    assert [p.name for p in tmp_path.iterdir()] == ["clip.npz"]


@pytest.mark.parametrize(("layout", "columns"), [("smplh", 156), ("smplx", 165)])
def test_amass_file_has_all_that_loaders_ask_for(tmp_path, layout, columns):
    """What AMASS' own tutorials, human_body_prior and the SMPL-X add-on for Blender take out of a file."""
    clip = walk(20, fps=60)
    formats.save(clip, tmp_path / "clip.npz", layout=layout)
    with np.load(tmp_path / "clip.npz") as file:  # without pickle
        assert file["poses"].shape == (20, columns)
        assert len(file["poses"][0].reshape(-1, 3)) == columns // 3
        assert int(file["mocap_frame_rate"]) == int(file["mocap_framerate"]) == 60
        shapes = {
            "root_orient": 3,
            "pose_body": 63,
            "pose_hand": 90,
            "pose_jaw": 3,
            "pose_eye": 6,
            "dmpls": 8,
        }
        assert {name: file[name].shape for name in shapes} == {n: (20, c) for n, c in shapes.items()}
        whole = [file[name] for name in ("root_orient", "pose_body", "pose_jaw", "pose_eye", "pose_hand")]
        if layout == "smplh":
            del whole[2:4]
        assert np.array_equal(np.concatenate(whole, axis=1), file["poses"])
        assert file["betas"].shape == (int(file["num_betas"]),) and str(file["surface_model_type"]) == layout
        assert float(file["mocap_time_length"]) == pytest.approx(clip.seconds)
    assert np.allclose(formats.load(tmp_path / "clip.npz").joints(), clip.joints(), atol=1e-9)


@pytest.mark.parametrize("rate", ["mocap_framerate", "mocap_frame_rate"])
@pytest.mark.parametrize("columns", [66, 72, 156, 165])
def test_amass_layouts(tmp_path, columns, rate):
    clip = walk(5)
    amass.save(clip, tmp_path / "ours.npz")
    poses = np.load(tmp_path / "ours.npz")["poses"][:, :66]
    poses = np.concatenate([poses, np.full((5, columns - 66), 0.3)], axis=1)  # fingers and jaw
    real = {"poses": poses, "trans": clip.translation, rate: 120, "gender": np.array(b"male")}
    np.savez(tmp_path / "real.npz", **real, betas=np.ones(16), dmpls=np.zeros((5, 8)))
    back = formats.load(tmp_path / "real.npz")
    assert back.fps == 120 and np.allclose(back.joints(), clip.joints(), atol=1e-9)


GOOD = {"poses": np.zeros((3, 156)), "trans": np.zeros((3, 3)), "mocap_framerate": 30.0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"poses": None}, "no 'poses'"),
        ({"trans": None}, "no 'trans'"),
        ({"mocap_framerate": None}, "no 'mocap_framerate'"),
        ({"mocap_framerate": 0.0}, "fps must be positive"),
        ({"poses": np.zeros((3, 63))}, r"\(frames, 66 or more\)"),
        ({"poses": np.zeros((4, 156))}, r"'trans' must be \(4, 3\)"),
        ({"trans": np.full((3, 3), np.nan)}, "not finite"),
        ({"contacts": np.zeros((2, 4))}, "contacts"),
        ({"poses": np.array([{"a": 1}], dtype=object)}, "cannot be read"),
    ],
)
def test_amass_says_what_is_wrong(tmp_path, change, message):
    arrays = {k: v for k, v in {**GOOD, **change}.items() if v is not None}
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ValueError, match=rf"^bad.npz is not an AMASS motion file: .*{message}"):
        formats.load(tmp_path / "bad.npz")


@files
@given(st.data())
def test_damaged_files_raise_value_error(tmp_path, data):
    suffix = data.draw(st.sampled_from([".npz", ".bvh", ".json", ".glb", ".gltf"]))
    path = tmp_path / f"clip{suffix}"
    formats.save(random_clip(2, 0), path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        formats.load(path)
    except ValueError as error:
        assert path.name in str(error)


@files
@given(clips(min_frames=0), st.sampled_from(["m", "cm"]))
def test_bvh_round_trip_is_the_identity(tmp_path, clip, unit):
    bvh.save(clip, tmp_path / "clip.bvh", unit)
    back = formats.load(tmp_path / "clip.bvh")
    assert len(back) == len(clip) and back.fps == pytest.approx(clip.fps, abs=1e-12)
    assert np.allclose(back.translation, clip.translation, atol=1e-5)
    assert same_rotations(back.rotations, clip.rotations) < 1e-5


@pytest.mark.parametrize("tilt", [0.0, 1e-9, 1e-7, 1e-5, 1e-3])
def test_bvh_keeps_rotations_near_gimbal_lock(tmp_path, tilt):
    clip = walk(30)
    rotations = clip.rotations.copy()
    angles = np.linspace(-3, 3, 30)[:, None] * np.array([1.0, 0, 0.7]) + np.array([0, np.pi / 2 - tilt, 0])
    rotations[:, 16] = rot.from_euler("ZXY", angles)
    clip = Clip(clip.translation, rotations)
    formats.save(clip, tmp_path / "clip.bvh")
    assert same_rotations(formats.load(tmp_path / "clip.bvh").rotations, rotations) < 1e-6


def test_bvh_curves_do_not_jump(tmp_path):
    """A knee bent past ninety degrees and a body that turns round and round leave smooth channels."""
    clip = walk(90, turn=4.0)
    rotations = clip.rotations.copy()
    rotations[:, 4] = rot.from_rotvec(np.linspace(0, 2.4, 90)[:, None] * np.array([1.0, 0, 0]))
    rows = bvh.from_clip(Clip(clip.translation, rotations)).splitlines()[-90:]
    values = np.array([row.split() for row in rows], dtype=float)
    assert np.abs(np.diff(values, axis=0)).max() < 20


def test_saving_replaces_all_or_nothing(tmp_path, monkeypatch):
    path = tmp_path / "clip.npz"
    formats.save(walk(5), path)
    before = path.read_bytes()

    def full_disk(file, **arrays):
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez_compressed", full_disk)
    with pytest.raises(OSError, match="no space"):
        formats.save(walk(9), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["clip.npz"]


@pytest.mark.parametrize("name", ["clip.mp3", "clip", "clip.npz.txt"])
@pytest.mark.parametrize("call", [formats.load, lambda path: formats.save(walk(3), path)])
def test_unknown_suffixes_name_the_known_ones(tmp_path, name, call):
    with pytest.raises(ValueError, match=r"\.bvh, .*\.npz.* or \.usdc, not"):
        call(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_suffixes_in_capitals(tmp_path):
    formats.save(walk(3), tmp_path / "CLIP.BVH")
    assert len(formats.load(tmp_path / "CLIP.BVH")) == 3


def test_a_missing_file_is_an_os_error(tmp_path):
    for name in ("none.npz", "none.bvh"):
        with pytest.raises(FileNotFoundError):
            formats.load(tmp_path / name)


def test_a_zip_of_something_else(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ValueError, match="no 'poses'"):
        formats.load(tmp_path / "x.npz")
