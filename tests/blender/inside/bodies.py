"""Rigs by their published names: a body of joints in a T-pose, posed into the rest pose that the rig usually has.

The bones' axes and the armature object's transform are those that the rig has when it has been imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from mathutils import Euler, Matrix, Quaternion, Vector
from numpy.typing import NDArray

Array = NDArray[np.float64]
Point = tuple[float, float, float]

SIDES = ("left", "right")
MIDLINE = ("root", "hips", "spine", "neck", "head")
FINGERS = ("thumb", "index", "middle", "ring", "little")

#: Joints of a man of 1.75 m in a T-pose, metres, facing -Y, and his left side; "palm", "tip", "top" are no joints
#: but where the last bones end.
T_POSE: dict[str, Point] = {
    "root": (0, 0, 0), "hips": (0, 0, 0.96), "spine": (0, 0.01, 1.06), "neck": (0, 0.03, 1.48),
    "head": (0, 0.01, 1.57), "top": (0, 0.01, 1.75),
    "shoulder": (0.03, 0, 1.43), "upper_arm": (0.17, 0.02, 1.43), "forearm": (0.44, 0.02, 1.43),
    "hand": (0.70, 0.02, 1.43), "palm": (0.80, 0.02, 1.43),
    "thumb": (0.73, -0.02, 1.41), "index": (0.795, -0.01, 1.43), "middle": (0.80, 0.015, 1.435),
    "ring": (0.795, 0.035, 1.43), "little": (0.785, 0.055, 1.425),
    "thigh": (0.09, 0, 0.92), "shin": (0.09, 0, 0.50), "foot": (0.09, 0.04, 0.08), "toe": (0.09, -0.09, 0.02),
    "tip": (0.09, -0.16, 0.02),
}  # fmt: skip

#: Part -> the part that it hangs from, and where it reaches to. A twist bone is beside its limb.
TREE: dict[str, tuple[str, str]] = {
    "root": ("", "hips"), "hips": ("root", "spine"), "spine": ("hips", "neck"), "neck": ("spine", "head"),
    "head": ("neck", "top"),
    "shoulder": ("spine", "upper_arm"), "upper_arm": ("shoulder", "forearm"), "forearm": ("upper_arm", "hand"),
    "hand": ("forearm", "palm"), **{finger: ("hand", "") for finger in FINGERS},
    "thigh": ("hips", "shin"), "shin": ("thigh", "foot"), "foot": ("shin", "toe"), "toe": ("foot", "tip"),
    "upper_arm_twist": ("upper_arm", "forearm"), "forearm_twist": ("forearm", "hand"),
    "thigh_twist": ("thigh", "shin"), "shin_twist": ("shin", "foot"),
}  # fmt: skip
FINGER_LENGTH = 0.09


@dataclass(frozen=True)
class Spec:
    """A rig by its names: part -> its bones from the body outwards, {side} standing for the two words of `sides`."""

    sides: tuple[str, str]
    bones: Mapping[str, tuple[str, ...]]
    #: more bones: name -> the bone that it hangs from, and its head as in T_POSE
    extras: Mapping[str, tuple[str, Point]] = field(default_factory=dict)
    #: the rest pose: part -> degrees about the world's axes, of the left side, away from the T-pose
    pose: Mapping[str, Point] = field(default_factory=dict)
    #: along: Y along the limb as in Blender, rolled. unreal: X along the limb on the left, against it on the right.
    #: armature: all bones as the armature. random: anything.
    axes: Literal["along", "unreal", "armature", "random"] = "along"
    #: of the armature object: what turns the file's axes and units to Blender's, and where the user has put it
    units: Matrix = field(default_factory=Matrix)
    place: Matrix = field(default_factory=Matrix)
    size: float = 1.0


@dataclass(frozen=True)
class Bone:
    """head, end: in the world, in the rest pose. role: empty for all but the first bone of a part."""

    name: str
    parent: str
    head: Array
    end: Array
    role: str
    right: bool


def posed(spec: Spec) -> list[Bone]:
    """The bones in the rest pose; parents come first."""
    found: dict[str, Bone] = {}
    rests: dict[str, Array] = {"": np.zeros(3)}
    turns: dict[str, Array] = {"": np.eye(3)}
    for bone, turn in _t_pose(spec):
        before, over = turns[bone.parent], found.get(bone.parent)
        turns[bone.name], rests[bone.name] = before @ turn, bone.head
        head = (over.head if over else np.zeros(3)) + before @ (bone.head - rests[bone.parent])
        found[bone.name] = replace(bone, head=head, end=head + before @ turn @ (bone.end - bone.head))
    return list(found.values())


def _t_pose(spec: Spec) -> Iterator[tuple[Bone, Array]]:
    """The bones in the T-pose, and how each is turned, (3, 3), to come to the rest pose."""
    for part in (p for p in TREE if p in spec.bones):
        for side, word in zip(SIDES, spec.sides, strict=True):
            flip = np.array([-1.0 if side == "right" else 1.0, 1.0, 1.0])
            over, _ = TREE[part]
            parent = spec.bones[over][-1].format(side=word) if over in spec.bones else ""
            twist = part.endswith("_twist")
            for i, (pattern, head, end) in enumerate(_chain(spec.bones[part], part)):
                name = pattern.format(side=word)
                angles = np.radians(spec.pose.get(part, (0, 0, 0)) if i == 0 else (0, 0, 0)) * flip[[1, 0, 0]]
                role = "" if i else part if part in MIDLINE else f"{side}_{part}"
                bone = Bone(
                    name, parent, head * flip * spec.size, end * flip * spec.size, role, side == "right"
                )
                yield bone, np.array(Euler(angles).to_matrix())
                parent = parent if twist else name
            if part in MIDLINE:
                break
    for name, (parent, point) in spec.extras.items():
        head = np.array(point) * spec.size
        yield Bone(name, parent, head, head + np.array([0, 0, 0.08]), "", point[0] < 0), np.eye(3)


def _chain(names: tuple[str, ...], part: str) -> Iterator[tuple[str, Array, Array]]:
    """A part's bones with head and end in the T-pose, on the left side."""
    start = np.array(T_POSE[part.removesuffix("_twist")], dtype=float)
    if part in FINGERS:
        way = FINGER_LENGTH * (np.array([0.7, -0.7, -0.1]) if part == "thumb" else np.array([1.0, 0, 0]))
    else:
        way = np.array(T_POSE[TREE[part][1]]) - start
    beside = part.endswith("_twist")
    for i, name in enumerate(names):
        share = (i + 1) / (len(names) + 1) if beside else i / len(names)
        yield name, start + share * way, start + (share + (0.2 if beside else 1 / len(names))) * way


def axes(kind: str, along: Vector, bone: Bone) -> Matrix:
    """(3, 3) the bone's axes, as columns, when it points `along` in armature space."""
    rng = np.random.default_rng(list(bone.name.encode()))
    if kind == "armature":
        return Matrix.Identity(3)
    if kind == "random":
        return Quaternion(rng.normal(size=4)).normalized().to_matrix()
    roll = Matrix.Rotation(np.radians(rng.uniform(-40, 40)), 3, "Y")
    swing = Vector((0, 1, 0)).rotation_difference(along).to_matrix() @ roll
    if kind == "along":
        return swing
    return swing @ Matrix.Rotation(np.radians(-90 if bone.right else 90), 3, "Z")


def _digits(pattern: str, words: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {
        finger: tuple(pattern.format(word, i) for i in (1, 2, 3))
        for finger, word in zip(FINGERS, words, strict=True)
    }


UNREAL: dict[str, tuple[str, ...]] = {
    "root": ("root",), "hips": ("pelvis",), "head": ("head",), "shoulder": ("clavicle_{side}",),
    "upper_arm": ("upperarm_{side}",), "forearm": ("lowerarm_{side}",), "hand": ("hand_{side}",),
    "thigh": ("thigh_{side}",), "shin": ("calf_{side}",), "foot": ("foot_{side}",), "toe": ("ball_{side}",),
    **_digits("{}_0{}_{{side}}", ("thumb", "index", "middle", "ring", "pinky")),
}  # fmt: skip
UNREAL_IK: dict[str, tuple[str, Point]] = {
    "ik_foot_root": ("root", (0, 0, 0)), "ik_foot_l": ("ik_foot_root", (0.12, 0.04, 0.08)),
    "ik_foot_r": ("ik_foot_root", (-0.12, 0.04, 0.08)), "ik_hand_root": ("root", (0, 0, 0)),
    "ik_hand_gun": ("ik_hand_root", (-0.5, 0, 1.0)), "ik_hand_l": ("ik_hand_gun", (0.5, 0, 1.0)),
    "ik_hand_r": ("ik_hand_gun", (-0.5, 0, 1.0)),
}  # fmt: skip
A_POSE: dict[str, Point] = {
    "upper_arm": (0, 45, 0), "forearm": (0, 0, -20), "thigh": (0, -4, 0), "shin": (5, 0, 0), "foot": (-5, 4, 5),
}  # fmt: skip

SPECS: dict[str, Spec] = {
    # centimetres with Y up, a T-pose: the FBX importer turns and scales the armature object
    "mixamo": Spec(
        ("Left", "Right"),
        {
            "hips": ("mixamorig:Hips",),
            "spine": ("mixamorig:Spine", "mixamorig:Spine1", "mixamorig:Spine2"),
            "neck": ("mixamorig:Neck",), "head": ("mixamorig:Head",),
            "shoulder": ("mixamorig:{side}Shoulder",), "upper_arm": ("mixamorig:{side}Arm",),
            "forearm": ("mixamorig:{side}ForeArm",), "hand": ("mixamorig:{side}Hand",),
            "thigh": ("mixamorig:{side}UpLeg",), "shin": ("mixamorig:{side}Leg",),
            "foot": ("mixamorig:{side}Foot",), "toe": ("mixamorig:{side}ToeBase",),
            **_digits("mixamorig:{{side}}Hand{}{}", ("Thumb", "Index", "Middle", "Ring", "Pinky")),
        },
        {"mixamorig:HeadTop_End": ("mixamorig:Head", T_POSE["top"])},
        units=Matrix.Rotation(np.pi / 2, 4, "X") @ Matrix.Scale(0.01, 4),
    ),
    # an A-pose in centimetres, elbows bent, one twist bone in each half of a limb
    "unreal4": Spec(
        ("l", "r"),
        {
            **UNREAL, "spine": ("spine_01", "spine_02", "spine_03"), "neck": ("neck_01",),
            "upper_arm_twist": ("upperarm_twist_01_{side}",), "forearm_twist": ("lowerarm_twist_01_{side}",),
            "thigh_twist": ("thigh_twist_01_{side}",), "shin_twist": ("calf_twist_01_{side}",),
        },
        UNREAL_IK,
        {**A_POSE, "upper_arm": (0, 50, 0), "hand": (15, 0, 0)},
        "unreal",
        Matrix.Scale(0.01, 4),
        size=1.04,
    ),
    # more spine, neck and twist bones; the object turned and set aside
    "unreal5": Spec(
        ("l", "r"),
        {
            **UNREAL, "spine": ("spine_01", "spine_02", "spine_03", "spine_04", "spine_05"),
            "neck": ("neck_01", "neck_02"),
            "upper_arm_twist": ("upperarm_twist_01_{side}", "upperarm_twist_02_{side}"),
            "forearm_twist": ("lowerarm_twist_02_{side}", "lowerarm_twist_01_{side}"),
            "thigh_twist": ("thigh_twist_01_{side}", "thigh_twist_02_{side}"),
            "shin_twist": ("calf_twist_02_{side}", "calf_twist_01_{side}"),
        },
        {**UNREAL_IK, "interaction": ("root", (0, 0, 0)), "center_of_mass": ("root", (0, 0, 1.0))},
        A_POSE,
        "unreal",
        Matrix.Scale(0.01, 4),
        Matrix.Translation((2.0, 1.0, 0.0)) @ Matrix.Rotation(np.radians(30), 4, "Z"),
        1.03,
    ),
    # the names of the specification, a T-pose, all bones along the armature's axes as in glTF, a small body
    "vrm": Spec(
        ("left", "right"),
        {
            "hips": ("hips",), "spine": ("spine", "chest", "upperChest"), "neck": ("neck",), "head": ("head",),
            "shoulder": ("{side}Shoulder",), "upper_arm": ("{side}UpperArm",), "forearm": ("{side}LowerArm",),
            "hand": ("{side}Hand",), "thigh": ("{side}UpperLeg",), "shin": ("{side}LowerLeg",),
            "foot": ("{side}Foot",), "toe": ("{side}Toes",),
            "thumb": ("{side}ThumbMetacarpal", "{side}ThumbProximal", "{side}ThumbDistal"),
            **{
                finger: tuple(f"{{side}}{finger.title()}{bone}" for bone in ("Proximal", "Intermediate", "Distal"))
                for finger in FINGERS[1:]
            },
        },
        {"leftEye": ("head", (0.03, -0.07, 1.64)), "rightEye": ("head", (-0.03, -0.07, 1.64))},
        axes="armature",
        size=0.85,
    ),
    # no name says anything, not even the side; arms at 35 degrees
    "unknown": Spec(
        ("17", "71"),
        {
            "hips": ("x01",), "spine": ("x08", "x05", "x03", "x11"), "neck": ("x02",), "head": ("x99",),
            "shoulder": ("p{side}0",), "upper_arm": ("q{side}5",), "forearm": ("h{side}1",), "hand": ("z{side}4",),
            "thigh": ("k{side}9",), "shin": ("d{side}2",), "foot": ("w{side}3",), "toe": ("b{side}8",),
            **_digits("{}{{side}}{}", ("c", "e", "f", "g", "i")),
        },
        pose={"upper_arm": (0, 35, 0), "forearm": (0, 0, -10)},
        axes="random",
    ),
}  # fmt: skip
