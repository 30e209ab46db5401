"""What other people's programs read in our files: joints as (T, 22, 3) in metres, Z up, as a clip has them."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from kmm.skeleton import JOINT_NAMES

HERE = Path(__file__).parent


def z_up(points: np.ndarray) -> np.ndarray:
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)


def _matrix(translation, quaternion) -> np.ndarray:
    """(..., 4, 4) from translation (..., 3) and (x, y, z, w)."""
    x, y, z, w = np.moveaxis(np.asarray(quaternion, dtype=float), -1, 0)
    out = np.zeros((*np.shape(x), 4, 4))
    out[..., 0, :3] = np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)], -1)
    out[..., 1, :3] = np.stack([2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)], -1)
    out[..., 2, :3] = np.stack([2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)], -1)
    out[..., :3, 3] = translation
    out[..., 3, 3] = 1
    return out


class Gltf:
    """A glTF file as pygltflib reads it, posed with 4x4 matrices."""

    def __init__(self, path: Path) -> None:
        import pygltflib

        self.file = pygltflib.GLTF2().load(str(path))
        buffer = self.file.buffers[0]
        self.blob = self.file.binary_blob()
        if buffer.uri:
            self.blob = base64.b64decode(buffer.uri.split(",", 1)[1])

    def values(self, index: int) -> np.ndarray:
        accessor = self.file.accessors[index]
        view = self.file.bufferViews[accessor.bufferView]
        kind = {5121: "u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}[accessor.componentType]
        columns = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}[accessor.type]
        start = (view.byteOffset or 0) + (accessor.byteOffset or 0)
        flat = np.frombuffer(self.blob, kind, accessor.count * columns, start)
        return flat.reshape(accessor.count, columns)

    def worlds(self) -> tuple[np.ndarray, np.ndarray]:
        """Seconds (T,) and the world matrices (T, nodes, 4, 4)."""
        (animation,) = self.file.animations
        seconds = self.values(animation.samplers[0].input)[:, 0]
        local = np.stack(
            [
                np.broadcast_to(
                    _matrix(n.translation or [0, 0, 0], n.rotation or [0, 0, 0, 1]), (len(seconds), 4, 4)
                )
                for n in self.file.nodes
            ],
            axis=1,
        ).copy()
        for channel in animation.channels:
            values = self.values(animation.samplers[channel.sampler].output)
            node = channel.target.node
            if channel.target.path == "rotation":
                local[:, node, :3, :3] = _matrix([0, 0, 0], values)[:, :3, :3]
            else:
                local[:, node, :3, 3] = values
        world = local.copy()
        parents = {child: i for i, n in enumerate(self.file.nodes) for child in n.children or []}
        for node in range(len(self.file.nodes)):  # parents come first in our files
            if node in parents:
                assert parents[node] < node
                world[:, node] = world[:, parents[node]] @ local[:, node]
        return seconds, world

    def joints(self) -> np.ndarray:
        _, world = self.worlds()
        names = [node.name for node in self.file.nodes]
        return z_up(world[:, [names.index(name) for name in JOINT_NAMES]][..., :3, 3])

    def skin(self) -> np.ndarray:
        """(T, V, 3) the skinned vertices."""
        _, world = self.worlds()
        (skin,) = self.file.skins
        bind = self.values(skin.inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1)
        moved = world[:, skin.joints] @ bind
        attributes = self.file.meshes[0].primitives[0].attributes
        joints, weights = self.values(attributes.JOINTS_0), self.values(attributes.WEIGHTS_0)
        points = np.concatenate([self.values(attributes.POSITION), np.ones((len(joints), 1))], axis=1)
        mixed = np.einsum("tvkij,vk->tvij", moved[:, joints], weights)
        return z_up(np.einsum("tvij,vj->tvi", mixed, points)[..., :3])


class Usd:
    """A USD file as usd-core reads it: its own skeleton maths and its own skinning."""

    def __init__(self, path: Path) -> None:
        from pxr import Usd, UsdGeom, UsdSkel

        self.stage = Usd.Stage.Open(str(path))
        self.root = UsdSkel.Root(self.stage.GetPrimAtPath("/KMM"))
        self.scale = UsdGeom.GetStageMetersPerUnit(self.stage)
        self.up = UsdGeom.GetStageUpAxis(self.stage)
        self.times = np.arange(self.stage.GetStartTimeCode(), self.stage.GetEndTimeCode() + 1)

    def _world(self, points: np.ndarray) -> np.ndarray:
        points = np.asarray(points, dtype=float) * self.scale
        return z_up(points) if self.up == "Y" else points

    def joints(self) -> np.ndarray:
        from pxr import Usd, UsdGeom, UsdSkel

        cache = UsdSkel.Cache()
        cache.Populate(self.root, Usd.PrimDefaultPredicate)
        query = cache.GetSkelQuery(UsdSkel.Skeleton(self.stage.GetPrimAtPath("/KMM/Skeleton")))
        names = [path.rsplit("/", 1)[-1] for path in query.GetJointOrder()]
        assert names == list(JOINT_NAMES)
        posed = [np.array(query.ComputeJointWorldTransforms(UsdGeom.XformCache(t))) for t in self.times]
        return self._world(np.array(posed)[..., 3, :3])

    def skin(self) -> np.ndarray:
        """(T, V, 3) the points after USD has baked the skinning."""
        from pxr import Gf, UsdGeom, UsdSkel

        assert UsdSkel.BakeSkinning(self.root, Gf.Interval(self.times[0], self.times[-1]))
        points = UsdGeom.Mesh(self.stage.GetPrimAtPath("/KMM/Body")).GetPointsAttr()
        return self._world(np.array([np.array(points.Get(t)) for t in self.times]))


def has_usd_validation() -> bool:
    try:
        from pxr import UsdValidation  # noqa: F401
    except ImportError:
        return False
    return True


def validate_usd(path: Path) -> list[str]:
    """What usd-core's validators, all of them, say of a stage."""
    from pxr import Usd, UsdValidation

    every = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    found = UsdValidation.ValidationContext(every).Validate(Usd.Stage.Open(str(path)))
    return [error.GetMessage() for error in found]


def blender(python: str, path: Path, fps: float, frames: int, units: str = "m") -> dict:
    """What Blender's importers make of a file, in a Python that can import bpy.

    version, joints (T, 22, 3), low and high corner (T, 3) of the skin or None, frames: of the action.
    """
    metres = {"m": 1.0, "cm": 0.01}[units]  # for files whose units Blender does not know of
    return _in_blender(python, "in_blender.py", path, None, fps, frames, ",".join(JOINT_NAMES), metres)


def keyed_in_blender(body: Path, clip: Path) -> dict:
    """A clip keyed by the add-on's code onto a body imported from glTF, in this Python; else as above."""
    return _in_blender(sys.executable, "key_in_blender.py", body, clip, None, HERE.parents[1])


def _in_blender(python: str, script: str, *arguments: object) -> dict:
    """Run a script; the None among the arguments is the file that it writes JSON into."""
    with tempfile.TemporaryDirectory() as resources:
        out = Path(resources) / "read.json"
        command = [python, str(HERE / script), *(str(out if a is None else a) for a in arguments)]
        done = subprocess.run(
            command,
            env=os.environ | {"BLENDER_USER_RESOURCES": resources, "OMP_NUM_THREADS": "1"},
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0 and out.exists(), done.stdout
        read = json.loads(out.read_text())
    return {k: np.array(v) if isinstance(v, list) else v for k, v in read.items()}


def validator() -> list[str] | None:
    """How to run Khronos' glTF validator: node and KMM_GLTF_VALIDATOR, the folder of the npm package; or None."""
    folder = os.environ.get("KMM_GLTF_VALIDATOR")
    if folder is None or shutil.which("node") is None:
        return None
    script = (
        "const v = require(process.argv[1]); const f = require('fs').readFileSync(process.argv[2]);"
        "v.validateBytes(new Uint8Array(f), {maxIssues: 0}).then((r) => console.log(JSON.stringify(r)));"
    )
    return ["node", "-e", script, str(Path(folder).resolve())]


def validate(path: Path) -> dict:
    """The validator's report."""
    command = validator()
    assert command is not None
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, timeout=120, check=True)
    return json.loads(done.stdout)


def blender_pythons() -> list[str]:
    """As tests/blender has it: KMM_BLENDER_PYTHONS, or this Python if it can import bpy."""
    listed = os.environ.get("KMM_BLENDER_PYTHONS")
    if listed:
        return listed.split(os.pathsep)
    from importlib.util import find_spec

    return [sys.executable] if find_spec("bpy") else []
