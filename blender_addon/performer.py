"""Who performs a motion: how the channels of an armature follow SMPL poses. KMM's own armature is the first kind.

Everything that generates finds its way from poses to keys through `performer_for`; another kind of armature (a rig
that a bone map is known for) is one more entry in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import bpy
import numpy as np
from kmm.clip import Clip
from numpy.typing import NDArray

from . import armature, bone_modes
from .keying import Channel

if TYPE_CHECKING:
    from .performance import Performance
    from .request import Request


def _nothing(obj: bpy.types.Object) -> None:
    pass


@dataclass(frozen=True)
class Performer:
    """One armature object, for one motion.

    convert(clip): (T, len(channels)) values of consecutive stretches of the motion, which is in the armature's own
    space at the scene's rate; it continues from call to call. prepare(obj) is called once, when the action is put
    on the object. read(values, fps): the clip that such values show; follow(values): let `convert` continue from this
    frame. Both are None where the object's keys cannot be read back. modes: the rotation modes that the channels are
    for, by the bones' names, as far as the object is to be held to them.
    """

    channels: Sequence[Channel]
    convert: Callable[[Clip], NDArray[np.floating]]
    prepare: Callable[[bpy.types.Object], None] = _nothing
    read: Callable[[NDArray[np.floating], float], Clip] | None = None
    follow: Callable[[NDArray[np.floating]], None] | None = None
    modes: Mapping[str, str] = field(default_factory=dict)


Make = Callable[[bpy.types.Object], Performer]  #: gives a fresh performer of an object. Raises UserError.


@dataclass(frozen=True)
class Kind:
    """A kind of armature that can perform: which objects of a scene are of it, and how each does it.

    maker(scene, obj): what makes performers as the scene's settings have them now, whatever they are later. It holds
    no reference to Blender's data, which would not outlive an undo.
    """

    accepts: Callable[[bpy.types.Scene, bpy.types.Object | None], bool]
    maker: Callable[[bpy.types.Scene, bpy.types.Object], Make]


def _smpl(obj: bpy.types.Object) -> Performer:
    modes = bone_modes.modes_of(obj)
    converter = bone_modes.InModes(obj.data, modes)
    channels = bone_modes.channels(modes)
    return Performer(channels, converter, read=converter.inverse, follow=converter.follow, modes=modes)


KINDS = [Kind(lambda scene, obj: armature.is_smpl(obj), lambda scene, obj: _smpl)]

#: What gives the followers of a motion that the object is about to perform. Raises UserError.
FOLLOWERS: list[Callable[[bpy.types.Scene, bpy.types.Object, Request], Sequence[Performance]]] = []


def usable(obj: bpy.types.Object | None) -> bool:
    """Whether a motion can go onto the object, in the scene that is shown."""
    return any(kind.accepts(bpy.context.scene, obj) for kind in KINDS)


def maker(scene: bpy.types.Scene, obj: bpy.types.Object) -> Make:
    """What makes performers of the object for one generation. The object must be usable in the scene."""
    return next(kind for kind in KINDS if kind.accepts(scene, obj)).maker(scene, obj)


def performer_for(obj: bpy.types.Object) -> Performer:
    """A fresh performer, for the beginning of a motion. The object must be usable. Raises UserError."""
    return maker(bpy.context.scene, obj)(obj)


def followers_of(scene: bpy.types.Scene, obj: bpy.types.Object, request: Request) -> list[Performance]:
    """Who else gets the motion. Raises UserError."""
    return [follower for give in FOLLOWERS for follower in give(scene, obj, request)]
