"""What other people's readers make of every format: where they see the joints, and what validators say.

    KMM_GLTF_VALIDATOR=FOLDER/node_modules/gltf-validator python benchmarks/formats.py [--frames 300]

A motion of `kmm-open` is written in every format, units and axis, read back by each reader that is installed, and its
joints compared with the motion's own forward kinematics, over all joints and frames. Blender is every one listed in
KMM_BLENDER_PYTHONS, or this Python's. Prints a table in Markdown; what is not installed is left out and named.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from kmm import formats  # noqa: E402
from kmm.body import mannequin  # noqa: E402
from kmm.clip import Clip  # noqa: E402

from tests.formats import models, readers  # noqa: E402

Row = tuple[str, str, str, str]  # reader, worst joint, worst of the skin, what a validator says
CASES = [
    (".npz", "m", "z"), (".bvh", "m", "y"), (".bvh", "cm", "y"), (".json", "m", "y"), (".json", "cm", "z"),
    (".glb", "m", "y"), (".gltf", "m", "y"), (".usdc", "m", "z"), (".usda", "cm", "y"),
    (".fbx", "cm", "y"), (".fbx", "m", "z"),
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--frames", type=int, default=300)
    clip = motion(parser.parse_args().frames)
    missing: list[str] = []
    print(f"{len(clip)} frames at {clip.fps:g} fps, {mannequin().vertices.shape[0]} vertices.\n")
    print("| file | units, up | size, kB | reader | joints, mm | skin, mm | validator: errors, warnings |")
    print("|---" * 7 + "|")
    with tempfile.TemporaryDirectory() as folder:
        for suffix, units, up in CASES:
            path = Path(folder) / f"clip{suffix}"
            try:
                formats.save(clip, path, units=units, up=up)
            except ValueError as error:
                missing.append(f"{suffix}: {error}")
                continue
            size = path.stat().st_size / 1000
            for row in rows(clip, path, units, missing):
                print("|", " | ".join([suffix, f"{units}, {up}", f"{size:.0f}", *row]), "|", flush=True)
    print(*(f"\nNot here: {what}" for what in dict.fromkeys(missing)), sep="")


def motion(frames: int) -> Clip:
    from kmm.model.pipeline import Pipeline
    from kmm.protocol import PromptSegment

    thirds = [frames // 3, frames // 3, frames - 2 * (frames // 3)]
    prompts = ("a person walks forward", "a person jumps up", "a person walks and turns left")
    segments = [PromptSegment(*pair) for pair in zip(prompts, thirds, strict=True)]
    return Pipeline.load("kmm-open", "cpu").clip(segments, seed=3)


def rows(clip: Clip, path: Path, units: str, missing: list[str]) -> Iterator[Row]:
    suffix = path.suffix
    yield "kmm", worst(formats.load(path).joints() - clip.joints()), "", ""
    if suffix == ".npz":
        yield from if_there("smplx", missing, lambda: by_smplx(clip, path))
    if suffix in (".glb", ".gltf"):
        report = khronos(path, missing)
        yield from if_there("pygltflib", missing, lambda: by_reader(clip, readers.Gltf(path), report))
    if suffix.startswith(".usd"):
        said = usd_validators(path, missing)
        yield from if_there("pxr", missing, lambda: by_reader(clip, readers.Usd(path), said), "usd-core")
    if suffix not in (".npz", ".json"):
        pythons = readers.blender_pythons()
        if not pythons:
            missing.append("Blender: set KMM_BLENDER_PYTHONS")
        else:
            yield by_blenders(clip, path, units, pythons)


def if_there(module: str, missing: list[str], row: Callable[[], Row], package: str = "") -> Iterator[Row]:
    package = package or module
    if find_spec(module) is None:
        missing.append(package)
        return
    reader, joint, skin, validator = row()
    yield reader or f"{package} {metadata.version(package)}", joint, skin, validator


def by_reader(clip: Clip, read: readers.Gltf | readers.Usd, said: str) -> Row:
    joints = worst(read.joints() - clip.joints())
    return "", joints, worst(read.skin() - mannequin().skin(clip)), said


def by_blenders(clip: Clip, path: Path, units: str, pythons: list[str]) -> Row:
    """The worst of all of them."""
    versions, joints, skin = [], [], []
    posed = mannequin().skin(clip)
    for python in pythons:
        read = readers.blender(python, path, clip.fps, len(clip), units)
        versions.append(read["version"].removesuffix(" LTS"))
        joints.append(read["joints"] - clip.joints())
        if read["low"] is not None:
            skin += [read["low"] - posed.min(1), read["high"] - posed.max(1)]
    told = worst(np.stack(skin)) if skin else ""
    return f"Blender {', '.join(versions)}", worst(np.stack(joints)), told, ""


def by_smplx(clip: Clip, path: Path) -> Row:
    """The file's poses through smplx's own skinning, on a small model file in SMPL-X's layout made for it."""
    import torch
    from kmm import smpl
    from smplx import SMPLX, lbs

    model_file = models.write(path.with_name("smplx_neutral.npz"), "smplx")
    formats.save(clip, path, layout="smplx")
    with np.load(path) as file:
        poses, trans = torch.tensor(file["poses"], dtype=torch.float32), file["trans"]
    with contextlib.redirect_stdout(sys.stderr):  # smplx prints remarks
        model = SMPLX(str(model_file), use_pca=False, num_betas=10)
    _, joints = lbs.lbs(
        torch.zeros(len(clip), 10), poses, model.v_template, model.shapedirs,
        model.posedirs, model.J_regressor, model.parents, model.lbs_weights,
    )  # fmt: skip
    joints = joints.detach()[:, :22].numpy()
    seen = joints - joints[:, :1] + trans[:, None]  # a SMPL body's pelvis is not at its origin
    return "", worst(seen - clip.joints(smpl.load(model_file).offsets)), "", ""


def khronos(path: Path, missing: list[str]) -> str:
    if readers.validator() is None:
        missing.append("Khronos' glTF validator: npm install gltf-validator, and set KMM_GLTF_VALIDATOR")
        return ""
    report = readers.validate(path)
    issues = report["issues"]
    told = f"{issues['numErrors']}, {issues['numWarnings']}"
    return f"{told} (glTF validator {report['validatorVersion']})"


def usd_validators(path: Path, missing: list[str]) -> str:
    if not readers.has_usd_validation():
        missing.append("UsdValidation: usd-core 24.11 or later")
        return ""
    return f"{len(readers.validate_usd(path))}, 0 (UsdValidation)"


def worst(difference: np.ndarray) -> str:
    return f"{1000 * float(np.abs(difference).max()):.4f}"


if __name__ == "__main__":
    main()
