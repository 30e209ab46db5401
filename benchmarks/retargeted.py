"""Draw one generated motion on several rigs, from the front and from the side, below the source.

    python benchmarks/retargeted.py [--kinds rigify mixamo ...] [--prompt TEXT] [--clip FILE] [--out docs/pictures]

Needs bpy and the engine in one Python. The rigs are those of the tests; what is drawn of them are limbs between the
heads of their deforming bones, as Blender poses these. The left is blue, the right is orange.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from kmm.preview import save_picture
from PIL import Image, ImageDraw

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/blender")]
WIDTH, HIGH, NAMES = 1600, 210, 190  #: pixels of the picture, of a row, and left of it for names
COLUMNS = 8
OVERSAMPLE = 2
PAPER, INK, FLOOR = (247, 246, 243), (48, 50, 54), (205, 203, 198)
MIDDLE, LEFT, RIGHT = (np.array(c, float) for c in ((165, 165, 162), (74, 122, 190), (222, 140, 60)))
#: camera -> (its right, its direction into the picture), in the world
VIEWS = {"front": ((1, 0, 0), (0, 1, 0)), "side": ((0, 1, 0), (-1, 0, 0))}
TITLES = {
    "rigify": "Rigify controls", "makehuman": "MakeHuman, MPFB", "mixamo": "Mixamo", "unreal4": "Unreal 4",
    "unreal5": "Unreal 5", "vrm": "VRM", "unknown": "unknown, guessed", "makehuman_game_engine": "MakeHuman, game",
    "rigify_metarig": "Rigify meta-rig",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw one motion on several rigs.")
    parser.add_argument(
        "--kinds", nargs="+", default=["rigify", "makehuman", "mixamo", "unreal5", "vrm", "unknown"]
    )
    parser.add_argument("--prompt", default="a person walks and turns left")
    parser.add_argument("--clip", type=Path, help="draw this motion instead of generating one")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/pictures")
    options = parser.parse_args()
    clip = motion(options.prompt, options.clip)
    frames = np.linspace(1, len(clip), COLUMNS).round().astype(int)
    rows = [("source", *on_source(clip, frames))]
    rows += [(TITLES[kind], *on_rig(kind, clip, frames)) for kind in options.kinds]
    for view in VIEWS:
        path = options.out / f"retargeted_{view}.png"
        save_picture(draw(rows, view), path)
        print(path)
    sys.stdout.flush()
    os._exit(0)  # bpy as a module may crash while it is torn down


def motion(prompt: str, file: Path | None) -> Any:
    if file is not None:
        from kmm import formats

        return formats.load(file)
    from kmm.model.pipeline import Pipeline
    from kmm.protocol import PromptSegment

    return Pipeline.load("kmm-open").clip([PromptSegment(prompt, 120)], seed=1)


def on_source(clip: Any, frames: np.ndarray) -> tuple[np.ndarray, Any, np.ndarray]:
    import bpy

    from blender_addon import action_api, armature, character
    from blender_addon.keying import Keyer

    bpy.ops.wm.read_factory_settings(use_empty=True)
    obj = character.create(bpy.context)
    armature.use_quaternions(obj)
    action = action_api.new_action("motion", obj.name)
    keyer = Keyer(action, armature.channels(), 1, len(clip))
    keyer.append(armature.PoseConverter(obj.data)(clip))
    keyer.write()
    action_api.assign(obj, action)
    return skin(obj, frames)


def on_rig(kind: str, clip: Any, frames: np.ndarray) -> tuple[np.ndarray, Any, np.ndarray]:
    import bpy
    from inside import rigs

    from blender_addon.retargeting import Options, retarget_clip

    bpy.ops.wm.read_factory_settings(use_empty=True)
    character = rigs.KINDS[kind]()
    a, b = character.positions("left_upper_arm", "right_upper_arm")
    retarget_clip(clip, character.armature, options=Options(feet=True))
    joints = []
    for frame in frames.tolist():
        bpy.context.scene.frame_set(frame)
        joints.append(character.positions(*character.joints))
    found = np.array(joints) - np.array(character.armature.matrix_world)[:3, 3] * [1, 1, 0]
    found = found @ turned(-float(np.arctan2(*(a - b)[1::-1]))).T
    return limbs(dict(zip(character.joints, np.moveaxis(found, 1, 0), strict=True)))


def turned(angle: float) -> np.ndarray:
    """(3, 3) about the vertical."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def limbs(joints: dict[str, np.ndarray]) -> tuple[np.ndarray, Any, np.ndarray]:
    """Role -> (T, 3) as bodies of six-sided limbs: corners (T, V, 3), faces, and colours (V, 3)."""
    size = float(np.percentile(joints["head"][:, 2], 90)) / 1.55
    crown = joints["head"] + 1.4 * (joints["head"] - joints["neck"])
    ends = {**joints, "crown": crown}
    middle = [
        ("hips", "spine", 0.09),
        ("spine", "neck", 0.1),
        ("neck", "head", 0.045),
        ("head", "crown", 0.085),
    ]
    parts = [(a, b, r, MIDDLE) for a, b, r in middle]
    for side, colour in (("left", LEFT), ("right", RIGHT)):
        chain = [
            ("neck", "upper_arm", 0.05), ("upper_arm", "forearm", 0.05), ("forearm", "hand", 0.04),
            ("hand", "middle", 0.03), ("hand", "thumb", 0.018), ("hips", "thigh", 0.08), ("thigh", "shin", 0.07),
            ("shin", "foot", 0.05), ("foot", "toe", 0.035),
        ]  # fmt: skip
        for a, b, radius in chain:
            start = a if a in ("neck", "hips") else f"{side}_{a}"
            parts.append((start, f"{side}_{b}", radius, colour))
    corners: list[np.ndarray] = []
    faces: list[list[int]] = []
    colours: list[np.ndarray] = []
    for start, end, radius, colour in parts:
        faces += [[6 * 2 * len(corners) + v for v in face] for face in TUBE]
        corners.append(tube(ends[start], ends[end], radius * size))
        colours.append(np.tile(colour, (12, 1)))
    return np.concatenate(corners, axis=1), faces, np.concatenate(colours)


TUBE = [[i, (i + 1) % 6, 6 + (i + 1) % 6, 6 + i] for i in range(6)] + [list(range(6)), list(range(6, 12))]


def tube(start: np.ndarray, end: np.ndarray, radius: float) -> np.ndarray:
    """(T, 12, 3) a six-sided limb, thinner at its end."""
    along = end - start
    along = along / np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-9)
    helper = np.where(np.abs(along[:, 2:]) < 0.9, [0, 0, 1.0], [1.0, 0, 0])
    across = np.cross(along, helper)
    across /= np.linalg.norm(across, axis=-1, keepdims=True)
    beside = np.cross(along, across)
    angles = np.arange(6) * np.pi / 3
    ring = np.cos(angles)[:, None] * across[:, None] + np.sin(angles)[:, None] * beside[:, None]
    return np.concatenate([start[:, None] + radius * ring, end[:, None] + 0.75 * radius * ring], axis=1)


def skin(armature: Any, frames: np.ndarray) -> tuple[np.ndarray, Any, np.ndarray]:
    """The armature's mesh as Blender deforms it: corners (T, V, 3), faces, and colours (V, 3)."""
    import bpy

    (mesh,) = armature.children

    def corners(obj: Any) -> np.ndarray:
        found = np.empty(3 * len(obj.data.vertices))
        obj.data.vertices.foreach_get("co", found)
        return found.reshape(-1, 3)

    across = corners(mesh)[:, :1]
    colours = np.where(np.abs(across) < 0.035, MIDDLE, np.where(across > 0, LEFT, RIGHT))
    found = []
    for frame in frames.tolist():
        bpy.context.scene.frame_set(frame)
        found.append(corners(mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())))
    return np.array(found), [list(p.vertices) for p in mesh.data.polygons], colours


def draw(rows: list[tuple[str, np.ndarray, Any, np.ndarray]], view: str) -> Image.Image:
    n = OVERSAMPLE
    picture = Image.new("RGB", (WIDTH * n, HIGH * len(rows) * n), PAPER)
    pen = ImageDraw.Draw(picture)
    right, into = (np.array(v, float) for v in VIEWS[view])
    spacing = (WIDTH - NAMES) / COLUMNS
    for i, (name, corners, faces, colours) in enumerate(rows):
        floor = (HIGH * (i + 1) - 18) * n
        pen.line([(NAMES * n, floor), ((WIDTH - 20) * n, floor)], fill=FLOOR, width=n)
        pen.text((20 * n, floor - 110 * n), name, fill=INK, font_size=22 * n)
        metre = (HIGH - 40) * n / max(1.0, np.percentile(corners[..., 2], 99.5) * 1.08)
        for j, body in enumerate(corners):
            middle = np.median(body, axis=0) @ right
            centre = (NAMES + spacing * (j + 0.5)) * n
            x, y = (body @ right - middle) * metre + centre, floor - body[:, 2] * metre
            depth = body @ into
            for face in sorted(faces, key=lambda f: -depth[f].mean()):
                pen.polygon(
                    [(x[v], y[v]) for v in face], fill=shaded(body[face], colours[face].mean(0), into)
                )
    return picture.resize((WIDTH, HIGH * len(rows)), Image.Resampling.LANCZOS)


def shaded(face: np.ndarray, colour: np.ndarray, into: np.ndarray) -> tuple[int, ...]:
    """Light from over the camera's left shoulder."""
    normal = np.cross(face[1] - face[0], face[2] - face[0])
    normal /= max(float(np.linalg.norm(normal)), 1e-12)
    towards = -into * 0.8 + np.array([0, 0, 0.6])
    return tuple((colour * (0.55 + 0.45 * abs(normal @ towards))).clip(0, 255).astype(int).tolist())


if __name__ == "__main__":
    main()
