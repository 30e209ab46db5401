"""A user's SMPL, SMPL-H or SMPL-X model file -> the body that exports wear. Needs smplx: pip install 'kmm[smpl]'.

The files are the ones that their makers give out under their own licences (npz or pkl); none comes with kmm. smplx
(Pavlakos et al., "Expressive Body Capture", CVPR 2019) reads them and computes the shape. Fingers, jaw and eyes,
which our motions do not move, are bound to wrists and head; corrective shapes for poses are left out, as exported
skins have none.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kmm.body import Body, Material
from kmm.rotations import Array
from kmm.skeleton import JOINT_NAMES, PARENTS

#: number of joints -> the class of smplx that knows the layout
CLASSES = {24: "SMPL", 52: "SMPLH", 55: "SMPLX"}
SKIN = Material("Skin", (0.60, 0.42, 0.34))


def load(path: str | os.PathLike[str], betas: Sequence[float] = ()) -> Body:
    """The body of a model file with these shape parameters, those not given zero.

    ValueError, naming the file, if it is none of the three or has fewer betas; OSError if it cannot be opened.
    """
    path = Path(path)
    with open(path, "rb"):
        pass  # what is wrong with a file that cannot be opened, OSError tells better
    try:
        import torch
        from smplx import lbs
    except ImportError as error:
        raise ValueError("SMPL's bodies need smplx; install it with: pip install 'kmm[smpl]'") from error
    model = _model(path, len(betas))
    if len(betas) > model.num_betas:
        raise ValueError(f"{path.name}: it has {model.num_betas} betas, {len(betas)} were given")
    shape = torch.zeros(1, model.num_betas)
    shape[0, : len(betas)] = torch.as_tensor(list(betas), dtype=shape.dtype)
    with torch.no_grad():
        skin = model.v_template + lbs.blend_shapes(shape, model.shapedirs)
        joints = lbs.vertices2joints(model.J_regressor, skin)[0, : len(JOINT_NAMES)].double().numpy()
    vertices = skin[0].double().numpy() - joints[0]
    offsets = joints - joints[list(PARENTS)]
    offsets[0] = 0.0
    faces = np.asarray(model.faces).astype(int)
    return Body(
        offsets=offsets,
        vertices=vertices,
        polygons=tuple(tuple(face) for face in faces.tolist()),
        polygon_materials=np.zeros(len(faces), dtype=int),
        materials=(SKIN,),
        weights=_folded(model.lbs_weights.double().numpy(), model.parents.tolist()),
        standing_height=float(-vertices[:, 1].min()),
    )


def _model(path: Path, betas: int) -> Any:
    """smplx's model of a file, of the class that its number of joints asks for."""
    import smplx
    from smplx.utils import Struct

    try:
        data = _read(path)
        joints = np.shape(data["kintree_table"])[1]
        if joints not in CLASSES:
            raise ValueError(f"it has {joints} joints, not 24, 52 or 55")
        options: dict[str, Any] = {"num_betas": max(betas, 10)}
        if joints == 24:
            options["data_struct"] = Struct(**data)
        elif joints == 52:
            options |= {"data_struct": Struct(**data), "use_pca": False}
        else:
            options |= {"ext": path.suffix.lower().lstrip("."), "use_pca": False}
        with contextlib.redirect_stdout(sys.stderr):  # smplx prints remarks
            return getattr(smplx, CLASSES[joints])(str(path), **options)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{path.name}: reading it needs {error.name}; the .npz file of the same model does not"
        ) from error
    except Exception as error:  # what smplx and pickle raise for foreign and damaged files is not documented
        raise ValueError(f"{path.name} is not a model file of SMPL, SMPL-H or SMPL-X: {error}") from error


def _read(path: Path) -> dict[str, Any]:
    """The arrays of a model file. Those of its makers hold Python objects: only a trusted one is to be read."""
    if path.suffix.lower() == ".npz":
        with np.load(path, allow_pickle=True) as arrays:
            return dict(arrays)
    with open(path, "rb") as file:
        return dict(pickle.load(file, encoding="latin1"))


def _folded(weights: Array, parents: list[int]) -> Array:
    """(V, 22) weights, those of joints that we do not move given to the nearest one above that we do."""
    out = np.zeros((len(weights), len(JOINT_NAMES)))
    for joint in range(weights.shape[1]):
        owner = joint
        while owner >= len(JOINT_NAMES):
            owner = parents[owner]
        out[:, owner] += weights[:, joint]
    return out / out.sum(1, keepdims=True)
