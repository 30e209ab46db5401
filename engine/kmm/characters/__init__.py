"""Motions onto characters, in files: any number of clips onto any number of rigs, in a Blender without a window.

from kmm import characters

for outcome in characters.retarget(["walk.npz", "mocap/"], ["hero.blend"], "out", format="glb"):
    print(outcome)
"""

from kmm.characters.batch import retarget, write
from kmm.characters.report import Outcome
from kmm.characters.tasks import FORMATS

__all__ = ["FORMATS", "Outcome", "retarget", "write"]
