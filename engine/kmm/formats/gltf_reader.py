"""Reading glTF files: nodes, and the motion of SMPL's joints however their axes lie at rest."""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from kmm import rotations as rot
from kmm.clip import Clip
from kmm.formats.posed import clip_of_world
from kmm.rotations import Array
from kmm.skeleton import JOINT_NAMES

GLB = b"glTF"
SIZES = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
COMPONENTS = {5120: "i1", 5121: "u1", 5122: "i2", 5123: "u2", 5125: "u4", 5126: "f4"}


def read(content: bytes) -> Document:
    """A glTF document from a file's bytes. ValueError if it is not one, or keeps its buffers in other files."""
    binary = b""
    text = content
    if content[:4] == GLB:
        if len(content) < 20 or struct.unpack_from("<I", content, 4)[0] != 2:
            raise ValueError("damaged glTF file, or not of version 2")
        length = struct.unpack_from("<I", content, 12)[0]
        text, binary = content[20 : 20 + length], content[20 + length + 8 :]
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ValueError(f"not a glTF file: {error}") from None
    if not isinstance(document, dict) or "asset" not in document:
        raise ValueError("not a glTF file: it has no asset")
    buffers = []
    for buffer in document.get("buffers", []):
        uri = buffer.get("uri")
        if uri is not None and not uri.startswith("data:"):
            raise ValueError(f"its buffer is in another file ({uri}); save it as .glb")
        buffers.append(binary if uri is None else base64.b64decode(uri.partition(",")[2]))
    return Document(document, buffers)


@dataclass(frozen=True)
class Document:
    json: dict[str, Any]
    buffers: list[bytes]

    def animation_extras(self) -> dict[str, Any]:
        """The first animation's extras. ValueError if there is no animation."""
        if not self.json.get("animations"):
            raise ValueError("it has no animation")
        extras = self.json["animations"][0].get("extras", {})
        return extras if isinstance(extras, dict) else {}

    def accessor(self, index: int) -> Array:
        """(count, columns) as floats."""
        accessor = self.json["accessors"][index]
        if "sparse" in accessor or accessor.get("normalized"):
            raise ValueError("sparse and normalized accessors are not read; save it with 32 bit floats")
        view = self.json["bufferViews"][accessor["bufferView"]]
        kind = np.dtype("<" + COMPONENTS[accessor["componentType"]])
        columns, count = SIZES[accessor["type"]], accessor["count"]
        offset = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        stride = view.get("byteStride", kind.itemsize * columns)
        buffer = self.buffers[view["buffer"]]
        if count < 1 or offset < 0 or offset + (count - 1) * stride + kind.itemsize * columns > len(buffer):
            raise ValueError("damaged glTF file: it ends too early")
        rows = np.ndarray((count, columns), kind, buffer, offset, (stride, kind.itemsize))
        values = rows.astype(float)
        if not np.isfinite(values).all():
            raise ValueError("damaged glTF file: it has values that are not finite numbers")
        return values

    def clip(self, fps: float) -> Clip:
        """The first animation sampled at a rate from zero seconds to its last key, LINEAR and STEP."""
        nodes = self.json["nodes"]
        parents = [-1] * len(nodes)
        for i, node in enumerate(nodes):
            for child in node.get("children", []):
                parents[child] = i
        animation = self.json["animations"][0]
        tracks: dict[tuple[int, str], tuple[Array, Array]] = {}
        for channel in animation["channels"]:
            sampler = animation["samplers"][channel["sampler"]]
            if sampler.get("interpolation", "LINEAR") == "CUBICSPLINE":
                raise ValueError("cubic splines are not read; save it with linear interpolation")
            keys = self.accessor(sampler["input"])[:, 0], self.accessor(sampler["output"])
            tracks[channel["target"].get("node", -1), channel["target"]["path"]] = keys
        end = max(times[-1] for times, _ in tracks.values())
        seconds = np.arange(int(np.floor(end * fps + 1e-3)) + 1) / fps
        still = _world(nodes, parents, {}, np.zeros(1))
        moving = _world(nodes, parents, tracks, seconds)
        names = [str(node.get("name", "")) for node in nodes]
        joints = self._joints(names)
        order = {node: i for i, node in enumerate(joints)}

        def above(node: int) -> int:
            """The nearest joint up the hierarchy, as an index into joints; helpers in between are skipped."""
            node = parents[node]
            while node >= 0 and node not in order:
                node = parents[node]
            return order.get(node, -1)

        return clip_of_world(
            [names[node] for node in joints],
            [above(node) for node in joints],
            np.stack([still[node][0][0] for node in joints]),
            np.stack([still[node][1][0] for node in joints]),
            np.stack([moving[node][0] for node in joints], axis=1),
            np.stack([moving[node][1] for node in joints], axis=1),
            fps,
        )

    def _joints(self, names: list[str]) -> list[int]:
        """The nodes of the first skin, or whatever nodes have the joints' names."""
        skins = self.json.get("skins")
        if skins:
            return [int(node) for node in skins[0]["joints"]]
        found = [i for i, name in enumerate(names) if name.lower() in JOINT_NAMES]
        if not found:
            raise ValueError("not the SMPL skeleton: it has neither a skin nor nodes with SMPL's joint names")
        return found


def _world(
    nodes: list[dict[str, Any]],
    parents: list[int],
    tracks: dict[tuple[int, str], tuple[Array, Array]],
    seconds: Array,
) -> dict[int, tuple[Array, Array]]:
    """Positions (T, 3) and rotations (T, 4) of every node in the file's world; scales but the uniform are ignored."""
    out: dict[int, tuple[Array, Array, Array]] = {}

    def place(i: int, depth: int = 0) -> tuple[Array, Array, Array]:
        if i in out:
            return out[i]
        if depth > len(nodes):
            raise ValueError("damaged glTF file: its nodes go round in a circle")
        node = nodes[i]
        if "matrix" in node:
            raise ValueError("nodes with matrices are not read; save it with translation, rotation and scale")
        at = np.tile(np.array(node.get("translation", [0, 0, 0]), dtype=float), (len(seconds), 1))
        turn = np.tile(np.array(node.get("rotation", [0, 0, 0, 1]), dtype=float), (len(seconds), 1))
        size = np.full(len(seconds), float(np.mean(node.get("scale", [1.0]))))
        if (i, "translation") in tracks:
            at = _linear(*tracks[i, "translation"], seconds)
        if (i, "rotation") in tracks:
            times, keys = tracks[i, "rotation"]
            turn = _linear(times, rot.unflip(keys), seconds)  # keys are frames: nothing lies in between
        turn = rot.normalize(turn[:, [3, 0, 1, 2]])
        if parents[i] >= 0:
            p, q, s = place(parents[i], depth + 1)
            at, turn, size = p + s[:, None] * rot.apply(q, at), rot.multiply(q, turn), s * size
        out[i] = at, turn, size
        return out[i]

    return {i: place(i)[:2] for i in range(len(nodes))}


def _linear(times: Array, values: Array, seconds: Array) -> Array:
    if len(times) != len(values):
        raise ValueError("damaged glTF file: a sampler has not as many values as times")
    return np.stack([np.interp(seconds, times, column) for column in values.T], axis=-1)
