"""The light half needs numpy, pyzmq and msgpack, and nothing else."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALONE = """
import sys
allowed = {"kmm", "numpy", "zmq", "msgpack"} | sys.stdlib_module_names

class Deny:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in allowed:
            raise ModuleNotFoundError(f"{name} is not for the light half", name=name)

sys.meta_path.insert(0, Deny())
import importlib
importlib.import_module(sys.argv[1])
"""


def light_modules():
    spec = importlib.util.spec_from_file_location("build_addon", ROOT / "build_addon.py")
    build_addon = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build_addon)
    source = ROOT / "engine" / "kmm"
    files = [
        path for pattern in build_addon.LIGHT for path in sorted(source.glob(pattern)) if path.suffix == ".py"
    ]
    return [
        ".".join(("kmm", *path.relative_to(source).with_suffix("").parts)).removesuffix(".__init__")
        for path in files
    ]


def run(module):
    return subprocess.run(
        [sys.executable, "-c", ALONE, module], capture_output=True, text=True, timeout=60, cwd=ROOT / "engine"
    )


@pytest.mark.parametrize("module", light_modules())
def test_a_light_module_imports_alone(module):
    done = run(module)
    assert done.returncode == 0, done.stderr


def test_the_light_half_is_what_it_should_be():
    modules = light_modules()
    assert {
        "kmm.skeleton",
        "kmm.rotations",
        "kmm.clip",
        "kmm.protocol",
        "kmm.client",
        "kmm.formats.bvh",
    } <= set(modules)
    # and the check above would notice
    done = run("kmm.preview")
    assert done.returncode != 0 and "PIL is not for the light half" in done.stderr
