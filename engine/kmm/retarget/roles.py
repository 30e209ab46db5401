"""What a bone can be in a humanoid body: the roles that bone maps give to bones.

A role is one bone or a chain of bones from the body outwards. Sided roles carry "left_" or "right_".
"""

from __future__ import annotations

SIDES: tuple[str, str] = ("left", "right")

#: root: stands on the floor and moves the whole character. centre: a bone above both pelvis and spine that moves the
#: body (Rigify's torso, MMD's center). hips: the pelvis that the legs hang from.
MIDLINE: tuple[str, ...] = ("root", "centre", "hips", "spine", "neck", "head")

ARM: tuple[str, ...] = ("shoulder", "upper_arm", "forearm", "hand")
LEG: tuple[str, ...] = ("thigh", "shin", "foot", "toe")

#: Extra bones beside a limb's own that only take a share of its twist.
TWISTS: tuple[str, ...] = ("upper_arm_twist", "forearm_twist", "thigh_twist", "shin_twist")

FINGERS: tuple[str, ...] = ("thumb", "index", "middle", "ring", "little")

SIDED: tuple[str, ...] = ARM + LEG + TWISTS + FINGERS

#: Roles that can be a chain of several bones; every other has one.
CHAINS: frozenset[str] = frozenset(
    ("spine", "neck", "toe", "upper_arm", "forearm", "thigh", "shin", *TWISTS, *FINGERS)
)

ROLES: tuple[str, ...] = MIDLINE + tuple(f"{side}_{role}" for side in SIDES for role in SIDED)

#: Without these there is no telling up from down, left from right, or how large the body is.
REQUIRED: tuple[str, ...] = (
    "hips",
    *(f"{side}_{role}" for side in SIDES for role in ("thigh", "shin")),
)


def part(role: str) -> str:
    """The role without its side: "left_thigh" -> "thigh"."""
    return role.removeprefix("left_").removeprefix("right_")


def opposite(role: str) -> str:
    """The same role on the other side; a midline role is its own."""
    if role.startswith("left_"):
        return "right_" + role.removeprefix("left_")
    return "left_" + role.removeprefix("right_") if role.startswith("right_") else role
