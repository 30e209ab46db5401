"""Bodies of SMPL's model files: smplx's own skinning and ours agree, in the exports and in Blender too."""

import importlib.util

import numpy as np
import pytest
from kmm import formats, smpl
from kmm.clip import Clip, forward_kinematics
from kmm.skeleton import JOINT_NAMES

from ..light.motions import random_clip, walk
from . import models, readers

KINDS = [(kind, suffix) for kind in ("smpl", "smplh", "smplx") for suffix in (".pkl", ".npz")]
BETAS = (1.5, -0.7, 0.3)


@pytest.fixture
def smplx():
    return pytest.importorskip("smplx", reason="SMPL's bodies need smplx: pip install -e '.[smpl]'")


def by_smplx(smplx, path, betas, clip):
    """Skin (T, V, 3) and joints (T, 22, 3) of a clip by smplx's own model and linear blend skinning."""
    import torch
    from kmm import rotations as rot
    from smplx.lbs import lbs
    from smplx.utils import Struct

    kind = path.stem.split("_")[0]
    options = {"num_betas": 10} | ({} if kind == "smpl" else {"use_pca": False})
    if kind == "smplx":
        options |= {"ext": path.suffix[1:]}
    elif path.suffix == ".npz":
        options |= {"data_struct": Struct(**np.load(path))}
    elif kind == "smplh":
        options |= {"ext": "pkl"}
    model = getattr(smplx, kind.upper())(str(path), **options)
    count = len(models.parents(kind))
    pose = np.zeros((len(clip), count, 3))
    pose[:, :22] = rot.as_rotvec(clip.rotations)
    shape = torch.zeros(len(clip), 10)
    shape[:, : len(betas)] = torch.tensor(betas)
    with torch.no_grad():
        skin, joints = lbs(
            shape, torch.tensor(pose.reshape(len(clip), -1), dtype=torch.float32), model.v_template, model.shapedirs,
            model.posedirs, model.J_regressor, model.parents, model.lbs_weights,
        )  # fmt: skip
    moved = clip.translation - joints[:, 0].numpy()  # our translation is where the pelvis is
    return skin.numpy() + moved[:, None], joints[:, :22].numpy() + moved[:, None]


@pytest.mark.parametrize(("kind", "suffix"), KINDS)
@pytest.mark.parametrize("clip", [walk(6), random_clip(4, 2)], ids=["walk", "wild"])
def test_body_moves_as_smplx_moves_it(tmp_path, smplx, kind, suffix, clip):
    path = models.write(tmp_path / f"{kind}_neutral{suffix}", kind)
    body = smpl.load(path, BETAS)
    skin, joints = by_smplx(smplx, path, BETAS, clip)
    assert np.abs(forward_kinematics(clip.translation, clip.rotations, body.offsets)[0] - joints).max() < 1e-5
    assert np.abs(body.skin(clip) - skin).max() < 1e-5
    assert np.abs(smpl.load(path).offsets - body.offsets).max() > 1e-3, "the betas change nothing"


def test_an_amass_file_moves_smplx_as_the_clip_is(tmp_path, smplx):
    """`poses` and `trans` of our npz through smplx: all joints as in the clip, but for the constant of the body."""
    import torch
    from smplx.lbs import lbs

    path = models.write(tmp_path / "smplx_neutral.npz", "smplx")
    clip = walk(6, turn=1.0)
    formats.save(clip, tmp_path / "clip.npz", layout="smplx")
    with np.load(tmp_path / "clip.npz") as file:
        poses, trans = file["poses"], file["trans"]
    model = smplx.SMPLX(str(path), use_pca=False, num_betas=10)
    _, joints = lbs(
        torch.zeros(6, 10), torch.tensor(poses, dtype=torch.float32), model.v_template, model.shapedirs,
        model.posedirs, model.J_regressor, model.parents, model.lbs_weights,
    )  # fmt: skip
    joints = joints[:, :22].detach().numpy() + trans[:, None]
    ours = forward_kinematics(clip.translation, clip.rotations, smpl.load(path).offsets)[0]
    shift = joints - ours
    assert np.abs(shift - shift[0, 0]).max() < 1e-5 and np.linalg.norm(shift[0, 0]) == pytest.approx(
        0.35, abs=0.02
    )


@pytest.mark.parametrize("kind", ["smpl", "smplx"])
def test_exports_wear_the_body(tmp_path, smplx, kind):
    pytest.importorskip("pygltflib", reason="pip install pygltflib")
    path = models.write(tmp_path / f"{kind}_neutral.npz", kind)
    body, clip = smpl.load(path, BETAS), walk(5)
    skin, joints = by_smplx(smplx, path, BETAS, clip)
    formats.save(clip, tmp_path / "clip.glb", body=body)
    read = readers.Gltf(tmp_path / "clip.glb")
    assert np.abs(read.joints() - joints).max() < 1e-5 and np.abs(read.skin() - skin).max() < 1e-5
    pytest.importorskip("pxr", reason="USD needs usd-core: pip install -e '.[usd]'")
    formats.save(clip, tmp_path / "clip.usdc", body=body)
    read = readers.Usd(tmp_path / "clip.usdc")
    assert np.abs(read.joints() - joints).max() < 1e-5 and np.abs(read.skin() - skin).max() < 1e-5


def test_a_body_in_blender_takes_new_motion(tmp_path, smplx):
    """Imported from glTF it is a character for the add-on: keys of a clip put its joints where smplx has them."""
    if importlib.util.find_spec("bpy") is None:
        pytest.skip("Blender is needed in this Python: pip install -e '.[blender]'")
    path = models.write(tmp_path / "smplx_neutral.npz", "smplx")
    formats.save(walk(2), tmp_path / "body.glb", body=smpl.load(path, BETAS))
    clip = random_clip(4, 11)
    formats.save(clip, tmp_path / "clip.npz")
    skin, joints = by_smplx(smplx, path, BETAS, clip)
    read = readers.keyed_in_blender(tmp_path / "body.glb", tmp_path / "clip.npz")
    assert np.abs(read["joints"] - joints).max() < 1e-4
    assert np.abs(read["low"] - skin.min(1)).max() < 1e-4 and np.abs(read["high"] - skin.max(1)).max() < 1e-4


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.npz", b"", "not a model file"),
        ("x.pkl", b"hello", "not a model file"),
        ("clip.npz", None, "not a model file of SMPL, SMPL-H or SMPL-X: 'kintree_table'"),
    ],
)
def test_not_a_model_file(tmp_path, smplx, name, content, message):
    if content is None:
        formats.save(walk(2), tmp_path / name)
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"^{name}.*{message}"):
        smpl.load(tmp_path / name)


def test_too_many_betas(tmp_path, smplx):
    path = models.write(tmp_path / "smpl_neutral.npz", "smpl")
    with pytest.raises(ValueError, match="it has 10 betas, 11 were given"):
        smpl.load(path, [0.0] * 11)
    with pytest.raises(FileNotFoundError):
        smpl.load(tmp_path / "none.npz")


def test_weights_of_fingers_go_to_the_wrists(tmp_path, smplx):
    body = smpl.load(models.write(tmp_path / "smplx_neutral.npz", "smplx"))
    assert body.weights.shape[1] == len(JOINT_NAMES) and np.allclose(body.weights.sum(1), 1)
    last = body.weights[-12:]  # of the last joint of the right little finger
    assert last[:, 21].min() > 0.5


def test_it_stands_on_the_floor(tmp_path, smplx):
    body = smpl.load(models.write(tmp_path / "smpl_neutral.npz", "smpl"), BETAS)
    upright = np.tile([1.0, 0, 0, 0], (1, 22, 1))
    upright[:, 0] = [0.5**0.5, 0.5**0.5, 0, 0]
    stood = body.skin(Clip(np.array([[0, 0, body.standing_height]]), upright))
    assert abs(stood[..., 2].min()) < 1e-6
