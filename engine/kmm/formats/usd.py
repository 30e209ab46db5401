"""Clips -> USD files (UsdSkel) with a skinned body, and back. Needs usd-core: pip install 'kmm[usd]'.

The stage says its units, up axis and frame rate; by default metres and Z up. `/KMM` is a SkelRoot with the skeleton
(SMPL's joint names, at rest the T-pose on the floor), the body's mesh bound to it, and a sample of motion a frame.
`.usdc` and `.usd` are binary, `.usda` is text. Segments are in the stage's customLayerData.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import numpy as np

from kmm import rotations as rot
from kmm.body import Body, mannequin
from kmm.clip import Clip, Segment
from kmm.formats.axes import UNITS, Units, Up, rest_rotation, to_file
from kmm.formats.posed import clip_of_world, unscaled
from kmm.rotations import Array
from kmm.skeleton import JOINT_NAMES, PARENTS

CHOICES = {"units": ("m", "cm"), "up": ("z", "y")}


def save(
    clip: Clip,
    path: str | os.PathLike[str],
    units: Units = "m",
    up: Up = "z",
    body: Body | None = None,
) -> None:
    """Write a clip on a body; `load` gives it back to 1e-5, without contacts. ValueError if it has no frames."""
    path = Path(path)
    if len(clip) == 0:
        raise ValueError(f"{path.name}: a motion without frames cannot be written as USD")
    usd = _usd()
    beside = path.with_name(f".{path.stem}.{uuid4().hex[:8]}{path.suffix}")
    try:
        stage = usd.Usd.Stage.CreateNew(str(beside))
        _write(usd, stage, clip, units, up, mannequin() if body is None else body)
        stage.GetRootLayer().Save()
        del stage
        os.replace(beside, path)
    except usd.Tf.ErrorException as error:
        raise OSError(f"{path.name}: it cannot be written: {error}") from error
    finally:
        beside.unlink(missing_ok=True)


def load(path: str | os.PathLike[str]) -> Clip:
    """Read the first skeleton's animation, if it is SMPL's in SMPL's rest pose, frame by frame.

    ValueError, naming the file, if it is damaged or has another skeleton.
    """
    path = Path(path)
    with open(path, "rb"):
        pass  # what is wrong with a file that cannot be opened, OSError tells better
    usd = _usd()
    try:
        stage = usd.Usd.Stage.Open(str(path))
        return _read(usd, stage)
    except usd.Tf.ErrorException as error:
        raise ValueError(f"{path.name}: damaged USD file") from error
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error


def check() -> None:
    """ValueError if usd-core is not installed."""
    _usd()


def _usd() -> Any:
    """The parts of usd-core that are used."""
    try:
        from pxr import Gf, Sdf, Tf, Usd, UsdGeom, UsdShade, UsdSkel, Vt
    except ImportError as error:
        raise ValueError("USD files need usd-core; install it with: pip install 'kmm[usd]'") from error
    return SimpleNamespace(
        Gf=Gf, Sdf=Sdf, Tf=Tf, Usd=Usd, UsdGeom=UsdGeom, UsdShade=UsdShade, UsdSkel=UsdSkel, Vt=Vt
    )


def joint_paths() -> list[str]:
    """SMPL's joints as UsdSkel names them: each with all above it."""
    paths: list[str] = []
    for name, parent in zip(JOINT_NAMES, PARENTS, strict=True):
        paths.append(name if parent < 0 else f"{paths[parent]}/{name}")
    return paths


def _write(usd: Any, stage: Any, clip: Clip, units: Units, up: Up, body: Body) -> None:
    scale = UNITS[units]
    usd.UsdGeom.SetStageUpAxis(stage, up.upper())
    usd.UsdGeom.SetStageMetersPerUnit(stage, 1.0 / scale)
    stage.SetTimeCodesPerSecond(clip.fps)
    stage.SetFramesPerSecond(clip.fps)
    stage.SetStartTimeCode(0)
    stage.SetEndTimeCode(len(clip) - 1)
    prompts = [{"prompt": s.prompt, "start": s.start, "end": s.end} for s in clip.segments]
    stage.GetRootLayer().customLayerData = {"kmm:segments": json.dumps(prompts)}
    root = usd.UsdSkel.Root.Define(stage, "/KMM")
    stage.SetDefaultPrim(root.GetPrim())

    rest = rest_rotation(up)
    floor = np.array([0.0, body.standing_height, 0.0])
    skeleton = usd.UsdSkel.Skeleton.Define(stage, "/KMM/Skeleton")
    skeleton.CreateJointsAttr(joint_paths())
    skeleton.CreateBindTransformsAttr(
        [_matrix(usd, rest, rot.apply(rest, (at + floor) * scale)) for at in body.joints]
    )
    skeleton.CreateRestTransformsAttr(
        [_matrix(usd, rest, rot.apply(rest, floor * scale))]
        + [_matrix(usd, np.array(rot.IDENTITY), at * scale) for at in body.offsets[1:]]
    )
    binding = usd.UsdSkel.BindingAPI.Apply(skeleton.GetPrim())
    animation = usd.UsdSkel.Animation.Define(stage, "/KMM/Skeleton/Motion")
    binding.CreateAnimationSourceRel().SetTargets([animation.GetPrim().GetPath()])
    _write_motion(usd, animation, clip, units, up, body)
    _write_mesh(usd, stage, skeleton, body, rest, floor, scale)


def _write_motion(usd: Any, animation: Any, clip: Clip, units: Units, up: Up, body: Body) -> None:
    position, rotations = to_file(clip, units, up)
    rotations = rot.unflip(rotations).astype(np.float32)
    translations = np.tile(body.offsets * UNITS[units], (len(clip), 1, 1)).astype(np.float32)
    translations[:, 0] = position
    animation.CreateJointsAttr(joint_paths())
    animation.CreateScalesAttr([usd.Gf.Vec3h(1, 1, 1)] * len(JOINT_NAMES))
    moves, turns = animation.CreateTranslationsAttr(), animation.CreateRotationsAttr()
    xyzw = rotations[..., [1, 2, 3, 0]]
    for frame in range(len(clip)):
        moves.Set(usd.Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(translations[frame])), frame)
        turns.Set(usd.Vt.QuatfArray.FromNumpy(np.ascontiguousarray(xyzw[frame])), frame)


def _write_mesh(
    usd: Any, stage: Any, skeleton: Any, body: Body, rest: Array, floor: Array, scale: float
) -> None:
    mesh = usd.UsdGeom.Mesh.Define(stage, "/KMM/Body")
    points = (rot.apply(rest, body.vertices + floor) * scale).astype(np.float32)
    mesh.CreatePointsAttr(usd.Vt.Vec3fArray.FromNumpy(points))
    mesh.CreateExtentAttr(usd.Vt.Vec3fArray.FromNumpy(np.stack([points.min(0), points.max(0)])))
    mesh.CreateFaceVertexCountsAttr([len(polygon) for polygon in body.polygons])
    mesh.CreateFaceVertexIndicesAttr([int(v) for polygon in body.polygons for v in polygon])
    mesh.CreateSubdivisionSchemeAttr(usd.UsdGeom.Tokens.none)
    normals = rot.apply(rest, body.normals()).astype(np.float32)
    mesh.CreateNormalsAttr(usd.Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(normals)))
    mesh.SetNormalsInterpolation(usd.UsdGeom.Tokens.vertex)
    joints, weights = body.influences(4)
    binding = usd.UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    binding.CreateSkeletonRel().SetTargets([skeleton.GetPrim().GetPath()])
    binding.CreateJointIndicesPrimvar(False, 4).Set(joints.ravel().astype(np.int32).tolist())
    binding.CreateJointWeightsPrimvar(False, 4).Set(weights.ravel().astype(np.float32).tolist())
    binding.CreateGeomBindTransformAttr(usd.Gf.Matrix4d(1.0))
    usd.UsdShade.MaterialBindingAPI.Apply(mesh.GetPrim())
    for index, material in enumerate(body.materials):
        name = material.name.replace(" ", "_")
        made = usd.UsdShade.Material.Define(stage, f"/KMM/Materials/{name}")
        shader = usd.UsdShade.Shader.Define(stage, f"/KMM/Materials/{name}/Surface")
        shader.CreateIdAttr("UsdPreviewSurface")
        shader.CreateInput("diffuseColor", usd.Sdf.ValueTypeNames.Color3f).Set(material.colour)
        shader.CreateInput("roughness", usd.Sdf.ValueTypeNames.Float).Set(0.6)
        made.CreateSurfaceOutput().ConnectToSource(shader.ConnectableAPI(), "surface")
        mine = np.flatnonzero(body.polygon_materials == index).astype(np.int32).tolist()
        subset = usd.UsdGeom.Subset.CreateGeomSubset(
            mesh, name, usd.UsdGeom.Tokens.face, mine, usd.UsdShade.Tokens.materialBind
        )
        usd.UsdShade.MaterialBindingAPI.Apply(subset.GetPrim()).Bind(made)
    usd.UsdShade.MaterialBindingAPI(mesh).SetMaterialBindSubsetsFamilyType(usd.UsdGeom.Tokens.partition)


def _matrix(usd: Any, rotation: Array, at: Array) -> Any:
    """USD multiplies from the left: rows are the axes."""
    matrix = np.eye(4)
    matrix[:3, :3] = rot.as_matrix(rotation).T
    matrix[3, :3] = at
    return usd.Gf.Matrix4d(matrix.tolist())


def _read(usd: Any, stage: Any) -> Clip:
    skeleton = next((usd.UsdSkel.Skeleton(p) for p in stage.Traverse() if p.IsA(usd.UsdSkel.Skeleton)), None)
    if skeleton is None:
        raise ValueError("it has no skeleton")
    cache = usd.UsdSkel.Cache()
    root = usd.UsdSkel.Root.Find(skeleton.GetPrim())
    if root:
        cache.Populate(root, usd.Usd.PrimDefaultPredicate)
    query = cache.GetSkelQuery(skeleton)
    if not query or not query.GetAnimQuery():
        raise ValueError("its skeleton has no animation")
    topology = query.GetTopology()
    paths = [str(path) for path in query.GetJointOrder()]
    parents = [topology.GetParent(i) for i in range(len(paths))]
    world = np.array(usd.UsdGeom.XformCache().GetLocalToWorldTransform(skeleton.GetPrim()))
    start, end = stage.GetStartTimeCode(), stage.GetEndTimeCode()
    times = np.arange(int(np.floor(end - start + 1e-6)) + 1) + start
    bind = np.array(query.GetJointWorldBindTransforms()) @ world
    posed = np.array([np.array(query.ComputeJointSkelTransforms(t)) for t in times]) @ world
    axis: Up = "y" if usd.UsdGeom.GetStageUpAxis(stage) == usd.UsdGeom.Tokens.y else "z"
    clip = clip_of_world(
        [path.rsplit("/", 1)[-1] for path in paths],
        parents,
        bind[:, 3, :3],
        rot.from_matrix(unscaled(bind.swapaxes(-1, -2))),
        posed[..., 3, :3],
        rot.from_matrix(unscaled(posed.swapaxes(-1, -2))),
        stage.GetTimeCodesPerSecond(),
        axis,
    )
    told = json.loads(stage.GetRootLayer().customLayerData.get("kmm:segments", "[]"))
    segments = tuple(Segment(str(s["prompt"]), int(s["start"]), int(s["end"])) for s in told)
    return Clip(clip.translation, clip.rotations, clip.fps, None, segments)
