"""A batch of generated clips onto three rigs, killed twice and resumed, beside the same batch left alone.

    python benchmarks/retarget_batch.py [BLENDER_PYTHON] [--clips 200] [--format blend]

BLENDER_PYTHON can import bpy (default: this one). The rigs are Rigify's human, and rigs with Mixamo's and Unreal 5's
names. Says how long a file takes on each, where the batch was killed (with SIGKILL, at half and at three quarters),
and whether all files are there and equal to those of the batch that was left alone: .glb and .bvh to the byte;
.blend, which hold addresses in memory, by their F-curves and frame range, to the bit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import quantiles

ROOT = Path(__file__).parents[1]
RIGS = ("rigify", "mixamo", "unreal5")
PROMPTS = (
    "a person walks forward", "a person runs forward", "a person turns left", "a person jumps",
    "a person sits down", "a person walks backwards",
)  # fmt: skip
SECONDS = 1.0
MAKE_RIGS = """
import os, sys
sys.path.insert(0, sys.argv[1])
import bpy
from inside import rigs
for name in sys.argv[3:]:
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    rigs.KINDS[name]()
    bpy.ops.wm.save_as_mainfile(filepath=os.path.join(sys.argv[2], name + ".blend"))
sys.stdout.flush()
os._exit(0)
"""
READ_BLENDS = """
import hashlib, os, sys
sys.path.insert(0, sys.argv[1])
import bpy, numpy
from inside.helpers import curves
for path in sys.argv[2:]:
    bpy.ops.wm.open_mainfile(filepath=path)
    animated = [o for o in bpy.context.scene.objects if o.animation_data and o.animation_data.action]
    (armature,) = (o for o in animated if o.type == "ARMATURE")
    digest = hashlib.sha256(repr((bpy.context.scene.frame_start, bpy.context.scene.frame_end)).encode())
    for curve in curves(armature):
        co = numpy.empty(2 * len(curve.keyframe_points), numpy.float32)
        curve.keyframe_points.foreach_get("co", co)
        digest.update(repr((curve.data_path, curve.array_index)).encode() + co.tobytes())
    print("DIGEST", digest.hexdigest(), path, flush=True)
os._exit(0)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure batch retargeting, and kill it.")
    parser.add_argument("python", nargs="?", default=sys.executable, help="a Python that can import bpy")
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--format", default="blend", choices=("blend", "glb", "bvh"))
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        os.environ["BLENDER_USER_RESOURCES"] = str(work / "settings")
        tests = str(ROOT / "tests/blender")
        subprocess.run(
            [options.python, "-c", MAKE_RIGS, tests, folder, *RIGS], check=True, stdout=subprocess.DEVNULL
        )
        make_clips(work / "clips", options.clips)
        rigs = [word for name in RIGS for word in ("--rig", str(work / f"{name}.blend"))]
        command = [sys.executable, "-m", "kmm.cli", "retarget", str(work / "clips"), *rigs]
        command += ["--format", options.format, "--blender", options.python, "--out"]
        total = options.clips * len(RIGS)

        start = time.monotonic()
        subprocess.run([*command, str(work / "whole")], check=True, stdout=subprocess.DEVNULL)
        alone = time.monotonic() - start
        killed = [run_until([*command, str(work / "killed")], share * total // 4) for share in (2, 3)]
        counts = run_until([*command, str(work / "killed")], None)

        whole, resumed = (digests(work / name, options.python) for name in ("whole", "killed"))
        print(
            f"{options.clips} clips of {SECONDS:g} s onto {len(RIGS)} rigs, as .{options.format}: {alone:.0f} s.\n"
        )
        print("| rig | s a file (middle half) |\n|---|---|")
        seconds: dict[str, list[float]] = {name: [] for name in RIGS}
        for line in map(json.loads, (work / "whole/report.jsonl").read_text().splitlines()):
            seconds[line["output"].split("/")[0]].append(line["seconds"])
        for name, times in seconds.items():
            low, middle, high = quantiles(times, n=4)
            print(f"| {name} | {middle:.2f} ({low:.2f} to {high:.2f}) |")
        print(
            f"\nKilled with SIGKILL after {killed[0].total()} and after {killed[1].total()} lines of its report ",
            end="",
        )
        print(
            f"({killed[1]['kept']} of these kept from before); then {counts['kept']} kept, {counts['written']} made."
        )
        same = sum(whole[name] == resumed.get(name) for name in whole)
        print(
            f"{len(resumed)} of {total} files are there, {same} equal to those of the batch left alone; ",
            end="",
        )
        print(f"{len(set(resumed) - set(whole))} others.")
        if not (len(whole) == total and whole == resumed):
            raise SystemExit("The batches differ.")


def make_clips(folder: Path, count: int) -> None:
    from kmm import formats
    from kmm.model.pipeline import Pipeline
    from kmm.prompts import parse_prompts

    folder.mkdir()
    pipeline = Pipeline.load("kmm-open", "cpu")
    for i in range(count):
        segments = parse_prompts([f"{PROMPTS[i % len(PROMPTS)]}@{SECONDS:g}"])
        formats.save(pipeline.clip(segments, seed=i), folder / f"{i:03d}.npz")


def run_until(command: list[str], lines: int | None) -> Counter[str]:
    """Run, and kill after so many lines; how many there were of each kind."""
    counts: Counter[str] = Counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            word = line.split()[0]
            if word in ("kept", "written", "failed"):
                counts[word] += 1
            if counts.total() == lines:
                process.kill()
                break
    time.sleep(5)  # until Blender has noticed
    return counts


def digests(out: Path, python: str) -> dict[str, str]:
    """What each file holds, and of anything else that it is there."""
    import hashlib

    paths = [path for path in sorted(out.rglob("*")) if path.is_file() and path.name != "report.jsonl"]
    found = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    blends = [str(path) for path in paths if path.suffix == ".blend"]
    if blends:
        command = [python, "-c", READ_BLENDS, str(ROOT / "tests/blender"), *blends]
        environment = os.environ | {"PYTHONPATH": str(ROOT / "engine")}
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
        for line in said.splitlines():
            if line.startswith("DIGEST "):
                _, digest, path = line.split(" ", 2)
                found[path] = digest
    return {Path(path).relative_to(out).as_posix(): digest for path, digest in found.items()}


if __name__ == "__main__":
    main()
