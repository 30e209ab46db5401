"""Retargeting: the motion of one humanoid body on any other, in numpy."""

from kmm.retarget.bone_map import BoneMap
from kmm.retarget.posed import Keys
from kmm.retarget.retargeter import Options, Retargeter
from kmm.retarget.rig import Rig

__all__ = ["BoneMap", "Keys", "Options", "Retargeter", "Rig"]
