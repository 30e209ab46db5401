"""Clips -> glTF 2.0 files with a skinned body and an animation, and back.

glTF is in metres, Y up, facing +Z. The node `KMM` holds the skeleton, whose nodes have SMPL's joint names and rest in
the T-pose on the floor; the animation keys every joint's rotation and the pelvis' translation at the clip's rate,
from zero seconds on. What glTF has no place for, fps, segments and contacts, is in the animation's `extras`.
`.glb` is binary, `.gltf` text with the buffer in it. (Khronos glTF 2.0 specification, ISO/IEC 12113:2022.)
"""

from __future__ import annotations

import base64
import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmm import __version__
from kmm import rotations as rot
from kmm.body import Body, mannequin
from kmm.clip import Clip, Segment
from kmm.formats.axes import to_file
from kmm.formats.files import replacing
from kmm.formats.gltf_reader import Document
from kmm.formats.gltf_reader import read as read_document
from kmm.rotations import Array
from kmm.skeleton import JOINT_NAMES, PARENTS, children

CHOICES = {"units": ("m",), "up": ("y",)}

GLB, JSON_CHUNK, BINARY_CHUNK = 0x46546C67, 0x4E4F534A, 0x004E4942
TYPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
COMPONENTS = {"u1": 5121, "u2": 5123, "u4": 5125, "f4": 5126}
VERTICES, INDICES = 34962, 34963  #: targets of buffer views


def save(
    clip: Clip,
    path: str | os.PathLike[str],
    units: str = "m",
    up: str = "y",
    body: Body | None = None,
) -> None:
    """Write a clip on a body; `load` gives the clip back to 1e-6. ValueError if it has no frames."""
    path = Path(path)
    if len(clip) == 0:
        raise ValueError(f"{path.name}: a motion without frames cannot be written as glTF")
    document, buffer = build(clip, mannequin() if body is None else body)
    if path.suffix.lower() == ".gltf":
        document["buffers"][0]["uri"] = (
            "data:application/octet-stream;base64," + base64.b64encode(buffer).decode()
        )
        content = json.dumps(document).encode()
    else:
        text = json.dumps(document, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        content = struct.pack("<III", GLB, 2, 12 + 8 + len(text) + 8 + len(buffer))
        content += struct.pack("<II", len(text), JSON_CHUNK) + text
        content += struct.pack("<II", len(buffer), BINARY_CHUNK) + buffer
    with replacing(path) as file:
        file.write(content)


def load(path: str | os.PathLike[str]) -> Clip:
    """Read the first animation of a glTF file with SMPL's joints in SMPL's rest pose, at its own or 30 fps.

    ValueError, naming the file, if it is damaged or has another skeleton.
    """
    content = Path(path).read_bytes()
    try:
        return _clip(read_document(content))
    except ValueError as error:
        raise ValueError(f"{Path(path).name}: {error}") from error
    except (KeyError, IndexError, TypeError, AttributeError, struct.error) as error:
        raise ValueError(f"{Path(path).name}: damaged glTF file: {error}") from error


def build(clip: Clip, body: Body) -> tuple[dict[str, Any], bytes]:
    """The glTF document of a clip on a body, and its buffer, padded to four bytes."""
    buffer = _Buffer()
    position, rotations = to_file(clip, "m", "y")
    root, first, mesh = 0, 1, 1 + len(JOINT_NAMES)
    floor = np.array([0.0, body.standing_height, 0.0])
    nodes: list[dict[str, Any]] = [{"name": "KMM", "children": [first]}]
    for joint, name in enumerate(JOINT_NAMES):
        at = floor if PARENTS[joint] < 0 else body.offsets[joint]
        nodes.append({"name": name, "translation": at.tolist()})
        if below := children(joint):
            nodes[-1]["children"] = [first + child for child in below]
    nodes.append({"name": "KMM Body", "mesh": 0, "skin": 0})
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": f"KMM {__version__}"},
        "scene": 0,
        "scenes": [{"nodes": [root, mesh]}],
        "nodes": nodes,
        "meshes": [{"name": "KMM Body", "primitives": _primitives(buffer, body, floor)}],
        "materials": [
            {
                "name": material.name,
                "pbrMetallicRoughness": {
                    "baseColorFactor": [*material.colour, 1.0],
                    "metallicFactor": 0.0,
                    "roughnessFactor": 0.6,
                },
            }
            for material in body.materials
        ],
        "skins": [_skin(buffer, body, floor, root, first)],
        "animations": [_animation(buffer, clip, position, rotations, first)],
    }
    return document | buffer.parts(), bytes(buffer.content)


def _primitives(buffer: _Buffer, body: Body, floor: Array) -> list[dict[str, Any]]:
    """One for each material; all share the vertices."""
    joints, weights = body.influences(4)
    attributes = {
        "POSITION": buffer.add(body.vertices + floor, "f4", VERTICES, limits=True),
        "NORMAL": buffer.add(body.normals(), "f4", VERTICES),
        "JOINTS_0": buffer.add(joints, "u1", VERTICES),
        "WEIGHTS_0": buffer.add(_float_weights(weights), "f4", VERTICES),
    }
    index = "u2" if len(body.vertices) <= 65535 else "u4"
    faces = [body.triangles(material).ravel() for material in range(len(body.materials))]
    return [
        {"attributes": attributes, "indices": buffer.add(face, index, INDICES), "material": material}
        for material, face in enumerate(faces)
        if len(face)
    ]


def _float_weights(weights: Array) -> NDArray[np.float32]:
    """Weights that sum to 1 in 32 bits too, as readers check."""
    single = weights.astype(np.float32)
    return np.asarray(single / single.sum(1, keepdims=True))


def _skin(buffer: _Buffer, body: Body, floor: Array, root: int, first: int) -> dict[str, Any]:
    inverse = np.tile(np.eye(4), (len(JOINT_NAMES), 1, 1))
    inverse[:, :3, 3] = -(body.joints + floor)
    matrices = buffer.add(
        inverse.transpose(0, 2, 1).reshape(-1, 16), "f4"
    )  # glTF has columns one after another
    joints = list(range(first, first + len(JOINT_NAMES)))
    return {"name": "KMM", "skeleton": root, "joints": joints, "inverseBindMatrices": matrices}


def _animation(buffer: _Buffer, clip: Clip, position: Array, rotations: Array, first: int) -> dict[str, Any]:
    time = buffer.add(np.arange(len(clip)) / clip.fps, "f4", limits=True)
    xyzw = rot.unflip(rotations)[..., [1, 2, 3, 0]]
    tracks = [(first, "translation", position)]
    tracks += [(first + joint, "rotation", xyzw[:, joint]) for joint in range(len(JOINT_NAMES))]
    extras: dict[str, Any] = {"fps": clip.fps}
    if clip.segments:
        extras["segments"] = [{"prompt": s.prompt, "start": s.start, "end": s.end} for s in clip.segments]
    if clip.contacts is not None:
        extras["contacts"] = np.round(clip.contacts.astype(float), 4).tolist()
    return {
        "name": ", ".join(segment.prompt for segment in clip.segments) or "KMM",
        "samplers": [
            {"input": time, "output": buffer.add(values, "f4"), "interpolation": "LINEAR"}
            for _, _, values in tracks
        ],
        "channels": [
            {"sampler": i, "target": {"node": node, "path": path}} for i, (node, path, _) in enumerate(tracks)
        ],
        "extras": extras,
    }


class _Buffer:
    """The binary buffer as it grows, with its views and accessors."""

    def __init__(self) -> None:
        self.content = bytearray()
        self._views: list[dict[str, Any]] = []
        self._accessors: list[dict[str, Any]] = []

    def add(self, values: ArrayLike, kind: str, target: int | None = None, limits: bool = False) -> int:
        """Add rows; the index of their accessor. limits: with the least and greatest values, as some must have."""
        rows = np.asarray(values).astype("<" + kind)
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.content), "byteLength": rows.nbytes}
        accessor = {
            "bufferView": len(self._views),
            "componentType": COMPONENTS[kind],
            "count": len(rows),
            "type": TYPES[rows[0].size],
        }
        if target is not None:
            view["target"] = target
        if limits:
            columns = rows.reshape(len(rows), -1)
            accessor |= {"min": columns.min(0).tolist(), "max": columns.max(0).tolist()}
        self.content += rows.tobytes()
        self.content += bytes(-len(self.content) % 4)
        self._views.append(view)
        self._accessors.append(accessor)
        return len(self._accessors) - 1

    def parts(self) -> dict[str, Any]:
        return {
            "accessors": self._accessors,
            "bufferViews": self._views,
            "buffers": [{"byteLength": len(self.content)}],
        }


def _clip(document: Document) -> Clip:
    """The first animation's motion, whatever way the joints' axes lie at rest."""
    extras = document.animation_extras()
    fps = extras.get("fps")
    fps = float(fps) if isinstance(fps, int | float) and fps > 0 else 30.0
    clip = document.clip(fps)
    segments = tuple(
        Segment(str(s["prompt"]), int(s["start"]), int(s["end"])) for s in extras.get("segments", [])
    )
    contacts = np.array(extras["contacts"], dtype=float) if "contacts" in extras else None
    return Clip(clip.translation, clip.rotations, fps, contacts, segments)
