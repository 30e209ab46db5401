"""AMASS with BABEL's and HumanML3D's annotations, on small folders of the same layout."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kmm import formats, rotations
from kmm.data.amass import Library, key, read_babel, read_humanml3d

from .figures import walk


def motion(folder, name, seconds=6.0, fps=120.0, columns=156):
    """An AMASS file of a walk."""
    clip = walk(1.2, seconds).resample(fps)
    poses = np.zeros((len(clip), columns))
    poses[:, :66] = rotations.as_rotvec(clip.rotations).reshape(len(clip), 66)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    rate = "mocap_frame_rate" if columns == 165 else "mocap_framerate"
    np.savez(
        path, poses=poses, trans=clip.translation, betas=np.zeros(16), gender=np.array("male"), **{rate: fps}
    )


@pytest.fixture
def amass(tmp_path):
    folder = tmp_path / "amass"
    motion(folder, "CMU/01/01_01_poses.npz")
    motion(folder, "BMLrub/rub001/0000_treadmill_norm_poses.npz", fps=60.0)
    motion(folder, "ACCAD/Female1General_c3d/A3_-_Swing_t2_stageii.npz", columns=165)
    motion(folder, "MPI_HDM05/bk/HDM_bk_01-01_01_120_poses.npz", seconds=10.0)
    motion(folder, "KIT/3/kick_high_left02_poses.npz", fps=100.0)
    np.savez(folder / "KIT/3/shape.npz", betas=np.zeros(16))
    (folder / "CMU/02").mkdir()
    (folder / "CMU/02/02_01_poses.npz").write_bytes(b"PK damaged")
    return folder


def labels(*rows):
    """BABEL's, as (proc_label, start, end); without times they are a sequence's."""
    return {
        "babel_lid": "x",
        "anntr_id": "y",
        "mul_act": len(rows) > 1,
        "labels": [
            {"raw_label": r[0], "proc_label": r[0], "seg_id": "z", "act_cat": [r[0]]}
            | ({"start_t": r[1], "end_t": r[2]} if len(r) > 1 else {})
            for r in rows
        ],
    }


def entry(sid, feat_p, seq=None, frame=None, **extra):
    return {
        "babel_sid": sid,
        "url": "",
        "feat_p": feat_p,
        "dur": 6.0,
        "seq_ann": seq,
        "frame_ann": frame,
    } | extra


@pytest.fixture
def babel(tmp_path):
    folder = tmp_path / "babel"
    folder.mkdir()
    dense = labels(("walk", 0.0, 2.5), ("transition", 2.5, 3.0), ("turn left", 3.0, 9.0), ("t-pose", 5, 6))
    train = {
        "1": entry(1, "CMU/CMU/01/01_01_poses.npz", labels(("walks around",)), dense),
        "2": entry(2, "CMU/CMU/02/02_01_poses.npz", labels(("jump",))),
        "3": entry(3, "CMU/CMU/03/03_01_poses.npz", labels(("jump",))),
        "4": {"babel_sid": 4},
    }
    bml = "BMLrub/BioMotionLab_NTroje/rub001/0000_treadmill_norm_poses.npz"
    val = {"5": entry(5, bml, labels(("walk on a treadmill",)))}
    extra = {
        "6": {
            "feat_p": "ACCAD/ACCAD/Female1General_c3d/A3 - Swing t2_poses.npz",
            "seq_anns": [labels(("swing",)), labels(("swing arms",))],
            "frame_anns": None,
        }
    }
    for name, rows in (("train", train), ("val", val), ("extra_train", extra)):
        (folder / f"{name}.json").write_text(json.dumps(rows))
    return folder


def test_babels_frame_labels_become_timed_captions(amass, babel):
    got = {r.id: r for r in read_babel(amass, babel)}
    assert {i: (r.split, r.trial, r.commercial) for i, r in got.items()} == {
        "1": ("train", "cmu/01/01_01", False),
        "5": ("val", "biomotionlab_ntroje/rub001/0000_treadmill_norm", False),
        "6": ("train", "accad/female1general_c3d/a3_-_swing_t2", False),
    }
    clip = got["1"].clip
    assert clip.fps == 30.0 and abs(len(clip) - 180) <= 1
    assert [(c.text, c.start, c.end) for c in got["1"].texts] == [
        ("walk", 0, 75),
        ("turn left", 90, len(clip)),
    ]
    # without frame labels the sequence's are about all of it
    assert [(c.text, c.start, c.end) for c in got["5"].texts] == [
        ("walk on a treadmill", 0, len(got["5"].clip))
    ]
    assert [c.text for c in got["6"].texts] == ["swing", "swing arms"]


def test_what_babel_has_and_amass_has_not_is_listed(amass, babel):
    problems = read_babel(amass, babel).problems
    assert len(problems) == 3
    assert any("BABEL 2" in p and "not an AMASS motion file" in p for p in problems)
    assert any("BABEL 3" in p and "no such motion" in p for p in problems)
    assert any("BABEL 4" in p and "it has no 'feat_p'" in p for p in problems)


@pytest.mark.parametrize(
    "damaged",
    [
        [],
        "CMU",
        None,
        {"feat_p": ""},
        {"feat_p": 3},
        entry(9, "CMU/CMU/01/01_01_poses.npz", labels((5,))),
        entry(9, "CMU/CMU/01/01_01_poses.npz", {"labels": None}),
        entry(9, "CMU/CMU/01/01_01_poses.npz", None, labels(("walk", None, 2.0))),
        entry(9, "CMU/CMU/01/01_01_poses.npz", ["walk"]),
    ],
)
def test_an_annotation_of_another_form_is_listed(amass, babel, damaged):
    rows = json.loads((babel / "val.json").read_text()) | {"9": damaged}
    (babel / "val.json").write_text(json.dumps(rows))
    got = read_babel(amass, babel)
    assert "5" in {r.id for r in got} and "9" not in {r.id for r in got}
    assert sum(p.startswith("BABEL 9") for p in got.problems) == 1, got.problems


def test_folders_that_are_not_babel_or_amass_say_so(amass, babel, tmp_path):
    with pytest.raises(ValueError, match=r"no train\.json"):
        read_babel(amass, amass)
    with pytest.raises(ValueError, match="holds no npz"):
        read_babel(babel, babel)
    with pytest.raises(ValueError, match="not a folder"):
        Library(tmp_path / "nowhere")
    (babel / "val.json").write_text("[]")
    (babel / "train.json").write_text("{damaged")
    problems = read_babel(amass, babel).problems
    assert any(p.startswith("val.json") for p in problems) and any(
        p.startswith("train.json") for p in problems
    )


@pytest.fixture
def humanml3d(tmp_path):
    folder = tmp_path / "humanml3d"
    (folder / "texts").mkdir(parents=True)
    rows = [
        ("./pose_data/CMU/01/01_01_poses.npy", 20, 80, "000000.npy"),
        ("./pose_data/CMU/01/01_01_poses.npy", 0, -1, "000001.npy"),
        ("./pose_data/humanact12/humanact12/P11.npy", 0, -1, "000002.npy"),
        ("./pose_data/MPI_HDM05/bk/HDM_bk_01-01_01_120_poses.npy", 20, 60, "000003.npy"),
        ("./pose_data/KIT/3/kick_high_left02_poses.npy", 0, 500, "000004.npy"),
        ("./pose_data/KIT/3/kick_high_left02_poses.npy", 800, 900, "000005.npy"),
        ("./pose_data/KIT/9/gone_poses.npy", 0, 10, "000006.npy"),
        ("./pose_data/CMU/01/01_01_poses.npy", 0, 40, "000007.npy"),
    ]
    lines = ["source_path,start_frame,end_frame,new_name", *(",".join(map(str, r)) for r in rows)]
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    for name, text in {
        "000000": "a person walks.#a/DET person/NOUN walk/VERB#0.0#0.0\nhe steps.#he/PRON step/VERB#1.0#2.5\n",
        "000001": "somebody goes.#somebody/PRON go/VERB#nan#nan\n",
        "000003": "a man kicks.#a/DET man/NOUN kick/VERB#0.0#0.0\n",
        "000004": "kicks high.#kick/VERB high/ADV#0.0#0.0\n",
        "000005": "kicks.#kick/VERB#0.0#0.0\n",
        "000007": "walks.#walk/VERB#0.0#0.0\n",
    }.items():
        (folder / "texts" / f"{name}.txt").write_text(text)
    for split, names in {"train": "000000 M000000 000003", "val": "000004 000005", "test": "000001"}.items():
        (folder / f"{split}.txt").write_text(names.replace(" ", "\n") + "\n")
    return folder


def test_humanml3d_clips_are_cut_out_of_their_files(amass, humanml3d):
    got = {r.id: r for r in read_humanml3d(amass, humanml3d)}
    assert {i: r.split for i, r in got.items()} == {
        "000000": "train", "000001": "test", "000003": "train", "000004": "val",
    }  # fmt: skip
    whole = got["000001"].clip
    assert len(got["000000"].clip) == 90 and abs(len(whole) - 180) <= 1
    # frames 20 to 80 of 20 fps are seconds 1 to 4
    assert np.allclose(got["000000"].clip.translation, whole.translation[30:120])
    assert got["000000"].trial == got["000001"].trial == "cmu/01/01_01"
    assert [(c.text, c.start, c.end) for c in got["000000"].texts] == [
        ("a person walks.", 0, 90), ("he steps.", 30, 75),
    ]  # fmt: skip
    assert [(c.text, c.start, c.end) for c in got["000001"].texts] == [("somebody goes.", 0, len(whole))]
    # three seconds were cut off this subset's files before frames were counted
    hdm = formats.load(amass / "MPI_HDM05/bk/HDM_bk_01-01_01_120_poses.npz").resample(30.0)
    at = got["000003"].clip.translation - got["000003"].clip.translation[0]
    assert np.allclose(at, hdm.translation[120:180] - hdm.translation[120], atol=1e-5)
    assert len(got["000004"].clip) >= 179  # an end behind the file's is the file's


def test_what_humanml3d_has_and_cannot_be_read_is_listed(amass, humanml3d):
    problems = read_humanml3d(amass, humanml3d).problems
    assert len(problems) == 4
    assert any("1 clips are of HumanAct12" in p for p in problems)
    assert any("000005" in p and "frames 800 to 900 are not in the motion" in p for p in problems)
    assert any("000006" in p and "no such motion" in p for p in problems)
    assert any("000007" in p and "none of train.txt" in p for p in problems)


@pytest.mark.parametrize("line", ["x", "./pose_data/CMU/01/01_01_poses.npy", "a.npy,0,-1,000009.npy"])
def test_a_line_of_the_index_that_was_cut_off_is_listed(amass, humanml3d, line):
    with (humanml3d / "index.csv").open("a") as file:
        file.write(line + "\n")
    (humanml3d / "texts" / "000009.txt").write_text("walks.#walk/VERB#0.0#0.0\n")
    got = read_humanml3d(amass, humanml3d)
    assert len(got) == 4 and len(got.problems) == 5, got.problems


def test_missing_parts_of_humanml3d_are_named(amass, humanml3d):
    (humanml3d / "val.txt").unlink()
    with pytest.raises(ValueError, match=r"it has no val\.txt"):
        read_humanml3d(amass, humanml3d)


def test_humanml3d_may_lie_in_a_folder_of_its_own_name_beside_the_index(amass, humanml3d):
    inner = humanml3d / "HumanML3D"
    inner.mkdir()
    for path in list(humanml3d.iterdir()):
        if path.name not in ("index.csv", "HumanML3D"):
            path.rename(inner / path.name)
    assert len(read_humanml3d(amass, humanml3d)) == 4


@given(
    subset=st.sampled_from(["BMLrub/", "", "BMLrub/x/"]),
    folder=st.sampled_from(["BMLrub", "BioMotionLab_NTroje"]),
    suffix=st.sampled_from(["_poses.npz", "_stageii.npz", "_poses.npy"]),
    blank=st.sampled_from([" ", "_"]),
)
def test_one_motion_has_one_key_however_it_is_written(subset, folder, suffix, blank):
    name = f"{subset}{folder}/rub001/0000{blank}treadmill{suffix}"
    assert key(name) == ("biomotionlab_ntroje", "rub001", "0000_treadmill")
