"""Builds the Blender extension: one zip for each platform, with everything in it that Blender does not have.

    python build_addon.py [--out dist] [--platform linux-x64 ...]

Needs nothing but Python and pip. The zip holds blender_addon/, and as wheels pyzmq and msgpack for the Pythons of
Blender 4.2 to 5.0 (3.11) and 5.1 on (3.13), and the light half of kmm.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent
CACHE = ROOT / "build" / "wheels"
MAX_BYTES = 4_000_000

#: The modules of kmm that need numpy, pyzmq and msgpack only.
LIGHT = (
    "__init__.py", "py.typed", "skeleton.py", "rotations.py", "clip.py", "body.py", "editing.py", "resample.py",
    "contacts.py", "fcurve.py", "spline.py", "sparse.py", "foot_lock.py",
    "protocol/*.py", "given.py", "prompts.py", "source.py", "link.py", "client.py", "formats/*.py", "retarget/*.py",
    "retarget/maps/*.toml",
)  # fmt: skip

#: For each platform of Blender the wheels to carry, by pip's platform tag.
PLATFORMS = {
    "linux-x64": "manylinux_2_28_x86_64",
    "macos-arm64": "macosx_11_0_arm64",
    "macos-x64": "macosx_10_15_x86_64",
    "windows-x64": "win_amd64",
}
PYTHONS = ("3.11", "3.13")
REQUIREMENTS = """\
pyzmq==27.3.0 \
    --hash=sha256:86fb4408797aabb54a31e147176ae0f2474d99f1715a36a4564089eca9ef9ce8 \
    --hash=sha256:477b8ad30d66fc905c5388351e83b9ac25824b00e82c0d052b72ea6392636dfd \
    --hash=sha256:df98c790f86b6aa2378b4bb94dec7b85b0adb195b880b41e429a4990aed2a8c9 \
    --hash=sha256:15155fd8f308d3bd47f67a8f6cc809f9db90abbf63c514c384a17622e2cf080f \
    --hash=sha256:858fe25231e0fd8612da142efde019faa5ef63fa150a821a27870e791b38c798 \
    --hash=sha256:3ea8e8fa5c097e68fef91d70b150fda96f307758103868018fc4deeb9c214122
msgpack==1.2.4 \
    --hash=sha256:1095b1ebcc8c9d3e70c51240b7160d8e9da66044e0a45c3ef8403d3a9ef0c5ad \
    --hash=sha256:a4b47ec7422bef149223786a87df80067ac65bfc7c0565e5cf1dfbdc40acee50 \
    --hash=sha256:a45ceb5f199d5e388f28b550ba881096a3740d4bda10e661d77f59d9a2e8187a \
    --hash=sha256:9db832747bd05834530189e564a3fe31e2617547dc1f3a005f835eafc2b8e048 \
    --hash=sha256:fb811ac3d463a75013b234d2aae56b9f0bdb0105caf4dd2ee65305b6a8a6078d \
    --hash=sha256:36258fd0909e1bf26e94604439108846432abe4ffa9a23c9dc2f6f1c60f94b60 \
    --hash=sha256:7fabd415c41e62006c6641fcdf5b3e866f581c4e11c58328c0d0f69584b9577d \
    --hash=sha256:318d4e634d2b320be10decd9968ad1ae0be1d80cba23b5528c37b429eeb0e3e0
"""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Build the Blender extension.")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder for the zips (default: dist)")
    parser.add_argument("--platform", nargs="+", choices=PLATFORMS, default=list(PLATFORMS))
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for platform in options.platform:
        path = build(platform, options.out)
        size = path.stat().st_size
        print(f"{path}: {size / 1e6:.2f} MB")
        if size > MAX_BYTES:
            print(f"{path.name} is larger than {MAX_BYTES / 1e6:g} MB", file=sys.stderr)
            return 1
    return 0


def version() -> str:
    """The one that kmm itself has."""
    text = (ROOT / "engine/kmm/__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if found is None:
        raise SystemExit("engine/kmm/__init__.py has no __version__")
    return found[1]


def build(platform: str, out: Path) -> Path:
    """The extension for one of `PLATFORMS`."""
    wheels = {path.name: path.read_bytes() for path in download(platform)}
    wheels[f"kmm-{version()}-py3-none-any.whl"] = light_wheel()
    files = {f"wheels/{name}": data for name, data in wheels.items()}
    source = ROOT / "blender_addon"
    for path in sorted(source.rglob("*.py")):
        files[path.relative_to(source).as_posix()] = path.read_bytes()
    files["LICENSE"] = (ROOT / "LICENSE").read_bytes()
    files["blender_manifest.toml"] = manifest(platform, sorted(wheels)).encode()
    target = out / f"kmm-{version()}-{platform.replace('-', '_')}.zip"
    target.write_bytes(_zip(files))
    return target


def manifest(platform: str, wheels: list[str]) -> str:
    """blender_manifest.toml with version, platform and wheels."""
    text = (ROOT / "blender_addon/blender_manifest.toml").read_text(encoding="utf-8")
    text = text.partition("\n")[2]  # without the comment for us
    listed = "".join(f'    "./wheels/{name}",\n' for name in wheels)
    added = f'version = "{version()}"\nplatforms = ["{platform}"]\nwheels = [\n{listed}]\n'
    return text.replace("[permissions]", f"{added}\n[permissions]")


def download(platform: str) -> list[Path]:
    """The wheels of other people, downloaded once, their hashes checked each time."""
    folder = CACHE / platform
    folder.mkdir(parents=True, exist_ok=True)
    wanted = set(re.findall(r"sha256:(\w+)", REQUIREMENTS))
    have = [p for p in folder.glob("*.whl") if hashlib.sha256(p.read_bytes()).hexdigest() in wanted]
    if len(have) == len(PYTHONS) * 2:
        return have
    with TemporaryDirectory(dir=CACHE) as fresh:  # moved when whole, so that two builds at a time do no harm
        requirements = Path(fresh) / "requirements.txt"
        requirements.write_text(REQUIREMENTS)
        for python in PYTHONS:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
            command += [
                "--implementation",
                "cp",
                "--python-version",
                python,
                "--platform",
                PLATFORMS[platform],
            ]
            command += ["--require-hashes", "--requirement", str(requirements), "--dest", fresh]
            subprocess.run(command, check=True)
        for path in Path(fresh).glob("*.whl"):
            path.replace(folder / path.name)
    return list(folder.glob("*.whl"))


def light_wheel() -> bytes:
    """kmm as a wheel, without what needs torch."""
    source = ROOT / "engine/kmm"
    paths = [path for pattern in LIGHT for path in sorted(source.glob(pattern))]
    files = {f"kmm/{path.relative_to(source).as_posix()}": path.read_bytes() for path in paths}
    info = f"kmm-{version()}.dist-info"
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: kmm\nVersion: {version()}\n".encode()
    files[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: build_addon\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = "".join(f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    return _zip(files)


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _zip(files: dict[str, bytes]) -> bytes:
    """The same bytes for the same files, whenever it is built."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name)  # its date is fixed: 1980-01-01
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main())
