"""What build_addon.py makes, and what Blender's own tools say of it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import kmm

from .conftest import ROOT, run


def wheel_names(archive: zipfile.ZipFile) -> list[str]:
    return [Path(n).name for n in archive.namelist() if n.endswith(".whl")]


def test_the_zips_hold_what_blender_lacks_and_nothing_else(zips: dict[str, Path]) -> None:
    assert set(zips) == {"linux-x64", "macos-arm64", "macos-x64", "windows-x64"}
    addon = ROOT / "blender_addon"
    sources = {p.relative_to(addon).as_posix() for p in addon.rglob("*.py")}
    for platform, path in zips.items():
        assert path.stat().st_size < 4_000_000
        with zipfile.ZipFile(path) as archive:
            manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
            wheels = wheel_names(archive)
            others = set(archive.namelist()) - {f"wheels/{w}" for w in wheels}
            assert others == sources | {"blender_manifest.toml", "LICENSE"}
        assert manifest["version"] == kmm.__version__ and manifest["platforms"] == [platform]
        assert sorted(manifest["wheels"]) == sorted(f"./wheels/{w}" for w in wheels)
        assert len(wheels) == 5
        for package in ("pyzmq", "msgpack"):
            pythons = {w.split("-")[2] for w in wheels if w.startswith(package)}
            assert "cp311" in pythons and len(pythons) == 2 and pythons <= {"cp311", "cp312", "cp313"}


def test_two_builds_are_the_same(zips: dict[str, Path], tmp_path: Path) -> None:
    command = [sys.executable, "build_addon.py", "--out", str(tmp_path), "--platform", "linux-x64"]
    run(command, dict(os.environ), 120)
    (again,) = tmp_path.glob("*.zip")
    assert again.read_bytes() == zips["linux-x64"].read_bytes()


def test_blender_validates_every_zip(blender: str, zips: dict[str, Path]) -> None:
    found = subprocess.run(
        [blender, "-c", "import bpy, bl_pkg; print(bl_pkg.__path__[0])"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    program = Path(found.stdout.strip().splitlines()[-1]) / "cli" / "blender_ext.py"
    for path in zips.values():
        run([blender, str(program), "validate", str(path)], dict(os.environ), 60)
