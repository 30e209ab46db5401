"""What Blender's own BVH importer makes of our files, in a Python that has bpy."""

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from kmm import rotations as rot  # noqa: E402
from kmm.clip import Clip  # noqa: E402
from kmm.formats import bvh  # noqa: E402
from kmm.skeleton import JOINT_NAMES, UPRIGHT  # noqa: E402


@pytest.mark.parametrize(("unit", "scale"), [("m", 1.0), ("cm", 0.01)])
@pytest.mark.parametrize("wild", [False, True])
def test_joints_are_where_the_clip_has_them(tmp_path, unit, scale, wild):
    """Every joint within 1 mm at every frame, for gentle motion and for rotations of any size."""
    rng = np.random.default_rng(7)
    frames = 12
    turns = rng.normal(size=(frames, 22, 3)) * (3.0 if wild else 0.4)
    rotations = rot.from_rotvec(turns)
    rotations[:, 0] = rot.multiply(rotations[:, 0], UPRIGHT)
    clip = Clip(rng.uniform(-3, 3, (frames, 3)), rotations)
    bvh.save(clip, tmp_path / "clip.bvh", unit)

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_anim.bvh(filepath=str(tmp_path / "clip.bvh"), global_scale=scale, update_scene_fps=True)
    (armature,) = (o for o in bpy.context.scene.objects if o.type == "ARMATURE")
    assert bpy.context.scene.render.fps == 30
    assert set(JOINT_NAMES) == {bone.name for bone in armature.pose.bones}
    expected = clip.joints()
    for frame in range(frames):
        bpy.context.scene.frame_set(frame + 1)
        found = [armature.matrix_world @ armature.pose.bones[name].head for name in JOINT_NAMES]
        assert np.abs(np.array(found) - expected[frame]).max() < 1e-3
