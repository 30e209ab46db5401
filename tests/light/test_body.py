import numpy as np
from kmm.body import mannequin
from kmm.clip import Clip, forward_kinematics
from kmm.skeleton import JOINT_NAMES, MIRROR, STANDING_HEIGHT, UPRIGHT

from .motions import random_clip


def test_the_mannequin_is_whole_and_stands_on_the_floor():
    body = mannequin()
    assert np.isfinite(body.vertices).all() and np.allclose(body.weights.sum(1), 1)
    assert (body.weights > 0).any(0).all(), "a joint without skin"
    assert -0.01 < body.vertices[:, 1].min() + STANDING_HEIGHT < 0.01
    assert 1.6 < np.ptp(body.vertices[:, 1]) < 2.0
    used = np.unique(np.concatenate([body.triangles(m).ravel() for m in range(len(body.materials))]))
    assert np.array_equal(used, np.arange(len(body.vertices)))


def test_the_mannequin_is_the_same_on_both_sides():
    """Every vertex has one at its mirror image, bound to the mirrored joint."""
    body = mannequin()
    for joint, name in enumerate(JOINT_NAMES):
        mine, theirs = (body.vertices[body.weights[:, j] > 0] for j in (joint, MIRROR[joint]))
        apart = np.linalg.norm(mine[:, None] * [-1, 1, 1] - theirs[None], axis=-1)
        assert apart.min(1).max() < 0.02, name  # rings need not begin at the same place


def test_faces_look_outwards():
    """The volume inside each joint's solids, by the divergence theorem, is positive; normals agree with faces."""
    body = mannequin()
    faces = np.concatenate([body.triangles(m) for m in range(len(body.materials))])
    a, b, c = (body.vertices[faces[:, i]] for i in range(3))
    joint = body.weights[faces[:, 0]].argmax(1)
    volume = np.bincount(joint, (a * np.cross(b, c)).sum(-1) / 6, minlength=22)
    assert (volume > 1e-5).all()
    out = np.cross(b - a, c - a)
    out /= np.maximum(np.linalg.norm(out, axis=-1, keepdims=True), 1e-12)
    assert ((out * body.normals()[faces[:, 0]]).sum(-1) > 0.1).mean() > 0.99


def test_skin_follows_its_joints():
    body = mannequin()
    rest = Clip(np.zeros((1, 3)), np.tile([1.0, 0, 0, 0], (1, 22, 1)))
    assert np.allclose(body.skin(rest)[0], body.vertices)
    upright = rest.rotations.copy()
    upright[:, 0] = UPRIGHT
    stood = body.skin(Clip(np.array([[0, 0, STANDING_HEIGHT]]), upright))[0]
    assert -0.01 < stood[:, 2].min() < 0.01 and stood[:, 2].max() > 1.6
    clip = random_clip(3, 5)
    at, _ = forward_kinematics(clip.translation, clip.rotations)
    moved = body.skin(clip)
    head = body.weights[:, JOINT_NAMES.index("head")] > 0
    reach = np.linalg.norm(moved[:, head] - at[:, None, 15], axis=-1)
    assert np.allclose(reach, np.linalg.norm(body.vertices[head] - body.joints[15], axis=-1)[None])


def test_influences_are_the_strongest_weights():
    body = mannequin()
    joints, weights = body.influences(4)
    assert joints.shape == weights.shape == (len(body.vertices), 4)
    assert np.allclose(weights.sum(1), 1) and (joints[weights == 0] == 0).all()
    assert np.array_equal(joints[:, 0], body.weights.argmax(1))
