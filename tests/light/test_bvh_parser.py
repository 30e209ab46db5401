import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kmm.formats.bvh import from_clip, to_clip
from kmm.formats.bvh_parser import parse
from scipy.spatial.transform import Rotation

from .motions import walk

FOREIGN = """HIERARCHY
ROOT Hips
{
  OFFSET 1.0 2.0 3.0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT Left Leg
  {
    OFFSET 0 -10 0
    CHANNELS 3 Yrotation Xrotation Zrotation
    End Site
    {
      OFFSET 0 -5 0
    }
  }
  JOINT Prop
  {
    OFFSET 4 0 0
    CHANNELS 2 Zposition Xrotation
  }
}
MOTION
Frames: 2
Frame Time: 0.033333
5 6 7 90 0 0 10 20 30 9 0
5 6 8 0 90 0 0 0 0 9 45
"""


def test_a_foreign_skeleton_is_read_as_it_is():
    motion = parse(FOREIGN)
    assert motion.names == ("Hips", "Left Leg", "Prop") and motion.parents == (-1, 0, 0)
    assert motion.offsets.tolist() == [[1, 2, 3], [0, -10, 0], [4, 0, 0]]
    assert motion.channels[2] == ("Zposition", "Xrotation") and motion.ends == {1: (0, -5, 0)}
    assert motion.fps == 30 and motion.values.shape == (2, 11)
    turns = Rotation.from_quat(motion.rotations().reshape(-1, 4), scalar_first=True)
    expected = Rotation.concatenate(
        [
            Rotation.from_euler("ZYX", [90, 0, 0], degrees=True),
            Rotation.from_euler("YXZ", [10, 20, 30], degrees=True),
            Rotation.identity(),
            Rotation.from_euler("ZYX", [0, 90, 0], degrees=True),
            Rotation.identity(),
            Rotation.from_euler("X", 45, degrees=True),
        ]
    )
    assert np.allclose((turns.inv() * expected).magnitude(), 0, atol=1e-12)
    # the root is where its channels say; a quarter turn about Z takes the leg from -Y to +X
    assert np.allclose(motion.positions()[0], [[5, 6, 7], [15, 6, 7], [5, 10, 16]])
    assert np.allclose(motion.positions()[1], [[5, 6, 8], [5, -4, 8], [5 + 9, 6, 8 - 4]])


@given(st.data())
def test_white_space_and_case_do_not_matter(data):
    words = from_clip(walk(2)).replace(
        "Frame Time:", data.draw(st.sampled_from(["Frame Time :", "FRAME TIME:"]))
    )
    blank = st.sampled_from([" ", "\t", "\n", "\r\n", "  \n\n\t"])
    blanks = [data.draw(blank) for _ in range(7)]
    text = "".join(w + blanks[i % 7] for i, w in enumerate(words.split()))
    for tight in data.draw(st.lists(st.sampled_from(["{", "}"]))):
        text = text.replace(f" {tight}", tight)
    assert np.allclose(to_clip(parse(text)).joints(), walk(2).joints(), atol=1e-5)


@given(st.permutations("XYZ"), st.permutations("XYZ"))
def test_any_order_of_channels(turns, moves):
    clip = walk(4)
    motion = parse(from_clip(clip))
    text = from_clip(clip)
    angles = Rotation.from_quat(motion.rotations().reshape(-1, 4), scalar_first=True).as_euler(
        "".join(turns), degrees=True
    )
    text = text.replace("Zrotation Xrotation Yrotation", " ".join(f"{a}rotation" for a in turns))
    text = text.replace("Xposition Yposition Zposition", " ".join(f"{a}position" for a in moves))
    head = text[: text.index("Frame Time")]
    place = motion.values[:, ["XYZ".index(a) for a in moves]]
    rows = np.concatenate([place, angles.reshape(4, -1)], axis=1)
    text = head + "Frame Time: 0.0333333\n" + "\n".join(" ".join(map(repr, map(float, row))) for row in rows)
    assert np.allclose(to_clip(parse(text)).joints(), clip.joints(), atol=1e-5)


@pytest.mark.parametrize(
    ("written", "fps"),
    [
        ("0.033333", 30),
        ("0.0333333", 30),
        ("0.008333", 120),
        ("0.04", 25),
        ("0.041708", 24 / 1.001),
        ("0.07", 1 / 0.07),
    ],
)
def test_rounded_frame_times_are_meant(written, fps):
    assert parse(FOREIGN.replace("0.033333", written)).fps == pytest.approx(fps, abs=1e-12)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("HIERARCHY", "<html>", "not a BVH file"),
        ("MOTION", "", "out of place"),
        ("OFFSET 4 0 0", "OFFSET 4 zero 0", "'zero', not a number"),
        ("OFFSET 4 0 0", "OFFSET 4 0", "'CHANNELS', not a number"),
        ("2 Zposition", "2 Wposition", "unknown channel 'Wposition'"),
        ("JOINT Prop", "ROOT Prop", "'ROOT' is out of place"),
        ("Frames: 2", "Frames: 3", "33 numbers, it has 22"),
        ("Frames: 2", "Frames: 1.5", "1.5 frames"),
        ("0.033333", "0", "0 seconds"),
        ("9 45", "9 nan", "not finite"),
        ("9 45", "9 4,5", "4,5"),
        (FOREIGN[FOREIGN.index("JOINT Prop") :], "", "ends too early"),
    ],
)
def test_damage_is_named(old, new, message):
    assert old in FOREIGN
    with pytest.raises(ValueError, match=message):
        parse(FOREIGN.replace(old, new, 1))


def test_only_the_smpl_skeleton_makes_a_clip():
    with pytest.raises(ValueError, match=r"no joint 'pelvis'.*'Hips'.*retarget"):
        to_clip(parse(FOREIGN))
    text = from_clip(walk(2))
    with pytest.raises(ValueError, match="rest pose"):  # arms hanging down
        to_clip(parse(text.replace("OFFSET 0.255000 -0.016000 -0.023000", "OFFSET 0 -0.255 0")))


def test_other_joints_in_between_or_beside():
    clip = walk(3)
    hand = "JOINT left_hand { OFFSET 0.1 0 0 CHANNELS 0 }"
    text = from_clip(clip).replace("End Site\n\t\t\t\t\t\t\t\t{\n", f"{hand}\nEnd Site\n{{\n", 1)
    assert np.allclose(to_clip(parse(text)).joints(), clip.joints(), atol=1e-5)
