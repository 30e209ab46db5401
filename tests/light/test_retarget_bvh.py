"""Motion from BVH files of foreign skeletons."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kmm import rotations as rot
from kmm.formats import bvh as bvh_format
from kmm.formats.bvh_parser import Bvh, parse
from kmm.retarget import bvh
from kmm.retarget.bone_map import named
from kmm.skeleton import JOINT_INDEX

from .humanoids import degrees, rig_like
from .motions import random_clip, walk

Y_UP = rot.from_rotvec([-np.pi / 2, 0, 0])


def recorded(map_name, frames=4, seed=0, **shape):
    """A BVH of a body with a map's joint names, moved at random."""
    body = rig_like(named(map_name), plain=True, axes=Y_UP, seed=seed, **shape)
    rng = np.random.default_rng(seed)
    order = sorted(range(len(body.rig.names)), key=lambda bone: len(body.rig.ancestors(bone)))
    parents = tuple(order.index(body.rig.parents[b]) if body.rig.parents[b] >= 0 else -1 for b in order)
    heads = body.rig.rest_heads[order]
    offsets = np.array([h - heads[p] if p >= 0 else h for h, p in zip(heads, parents, strict=True)])
    turn = ("Zrotation", "Xrotation", "Yrotation")
    channels = tuple(("Xposition", "Yposition", "Zposition", *turn) if p < 0 else turn for p in parents)
    values = rng.uniform(-40, 40, (frames, sum(map(len, channels))))
    values[:, :3] = rng.uniform(-1, 1, (frames, 3)) + heads[0]
    return Bvh(tuple(body.rig.names[b] for b in order), parents, offsets, channels, {}, 30.0, values)


@given(st.sampled_from(["cmu", "bvh", "bvh_poser", "cmu_asf", "mixamo", "biped"]), st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_limbs_point_as_in_the_file(map_name, seed):
    motion = recorded(map_name, seed=seed, arms_down=seed % 60)
    clip = bvh.to_clip(motion, feet=False)
    ours, theirs = clip.joints(), rot.apply(rot.inv(Y_UP), motion.positions())
    assert clip.fps == motion.fps and len(clip) == len(motion)
    smpl, names = named("smpl").bones, named(map_name).bones
    for side in ("left", "right"):
        for a, b in (("upper_arm", "forearm"), ("forearm", "hand"), ("thigh", "shin"), ("shin", "foot")):
            ways = []
            for points, bones, index in (
                (ours, smpl, JOINT_INDEX),
                (theirs, names, {n: i for i, n in enumerate(motion.names)}),
            ):
                start, end = (points[:, index[bones[f"{side}_{p}"][0]]] for p in (a, b))
                ways.append((end - start) / np.linalg.norm(end - start, axis=-1, keepdims=True))
            assert degrees(*ways).max() < 0.5


def test_our_own_files_come_back_as_they_were():
    clip = walk(30, turn=1.0)
    back = bvh.to_clip(parse(bvh_format.from_clip(clip)))
    assert np.allclose(back.joints(), clip.joints(), atol=1e-4)


def test_a_skeleton_of_nameless_joints_is_guessed():
    clip = random_clip(5, 1)
    file = parse(bvh_format.from_clip(clip))
    nameless = replace(file, names=tuple(f"joint{i}" for i in range(len(file.names))))
    assert np.allclose(bvh.to_clip(nameless, feet=False).joints(), clip.joints(), atol=1e-3)


def test_a_frame_can_stand_for_the_rest_pose():
    """All offsets along one axis, as some programs write them, and a first frame that stands in a T-pose."""
    clip = walk(20)
    file = parse(bvh_format.from_clip(clip))
    standing = np.concatenate([np.zeros_like(file.values[:1]), file.values])
    standing[0, 1] = 0.975
    straight = replace(file, values=standing)
    # the same motion with another rest pose: each joint's axes turned, its offset seen from these
    turn = rot.normalize(np.random.default_rng(0).normal(size=(len(file.names), 4)))
    order = "ZXY"
    rotations = straight.rotations()
    parents = np.array(file.parents)
    before = np.where((parents >= 0)[:, None], turn[parents], rot.IDENTITY)
    turned = rot.multiply(rot.inv(before), rot.multiply(rotations, turn))
    angles = np.degrees(rot.as_euler(order, turned)).reshape(len(standing), -1)
    values = np.concatenate([standing[:, :3], angles], axis=1)
    odd = replace(straight, offsets=rot.apply(rot.inv(before), file.offsets), values=values)
    assert np.allclose(odd.positions(), straight.positions(), atol=1e-6)
    back = bvh.to_clip(odd, reference=0).slice(1, 21)
    assert np.allclose(back.joints(), clip.joints(), atol=1e-3)


def test_what_is_no_humanoid_is_refused():
    file = recorded("cmu")
    stick = replace(
        file, names=tuple("abcdefghijklmnopqrstuvwxyz"[: len(file.names)]), offsets=file.offsets * [0, 1, 0]
    )
    with pytest.raises(ValueError, match="give a bone map"):
        bvh.to_clip(stick)
