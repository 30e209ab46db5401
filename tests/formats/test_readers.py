"""Our files in other people's readers: joints and skin are where the clip has them."""

from dataclasses import replace

import numpy as np
import pytest
from kmm import formats
from kmm.body import mannequin

from ..light.motions import random_clip, walk
from . import readers

CLIPS = {"walk": walk(12, turn=0.8), "wild": random_clip(6, 7), "29.97 fps": walk(10, fps=30 / 1.001)}
UNITS_AND_UP = [("m", "y"), ("m", "z"), ("cm", "y"), ("cm", "z")]


@pytest.mark.parametrize("suffix", [".glb", ".gltf"])
@pytest.mark.parametrize("clip", CLIPS.values(), ids=CLIPS)
def test_gltf_in_pygltflib(tmp_path, clip, suffix):
    pytest.importorskip("pygltflib", reason="pip install pygltflib")
    formats.save(clip, tmp_path / f"clip{suffix}")
    read = readers.Gltf(tmp_path / f"clip{suffix}")
    seconds, _ = read.worlds()
    assert np.allclose(seconds, np.arange(len(clip)) / clip.fps, atol=1e-5)
    assert np.abs(read.joints() - clip.joints()).max() < 1e-4
    assert np.abs(read.skin() - mannequin().skin(clip)).max() < 1e-4


def test_gltf_in_trimesh(tmp_path):
    trimesh = pytest.importorskip("trimesh", reason="pip install trimesh")
    formats.save(walk(2), tmp_path / "clip.glb")
    scene = trimesh.load(tmp_path / "clip.glb")
    body = mannequin()
    assert len(scene.geometry) == len(body.materials)
    low, high = scene.bounds
    assert low[1] == pytest.approx(0, abs=0.01) and high[1] == pytest.approx(
        1.79, abs=0.02
    )  # metres, Y up, on floor
    assert high[0] - low[0] == pytest.approx(1.8, abs=0.05)  # in T-pose
    normals = np.concatenate([mesh.face_normals for mesh in scene.geometry.values()])
    ours = np.concatenate([mesh.vertex_normals[mesh.faces[:, 0]] for mesh in scene.geometry.values()])
    assert ((normals * ours).sum(-1) > 0).mean() > 0.99


@pytest.mark.skipif(
    readers.validator() is None,
    reason="the glTF validator needs node, and KMM_GLTF_VALIDATOR, where `npm install gltf-validator` has put it",
)
@pytest.mark.parametrize("suffix", [".glb", ".gltf"])
@pytest.mark.parametrize("clip", [*CLIPS.values(), walk(1)], ids=[*CLIPS, "one frame"])
def test_gltf_passes_the_validator_of_khronos(tmp_path, clip, suffix):
    formats.save(clip, tmp_path / f"clip{suffix}")
    report = readers.validate(tmp_path / f"clip{suffix}")
    assert report["info"]["animationCount"] == 1 and report["info"]["hasSkins"]
    assert report["issues"]["messages"] == []


@pytest.mark.parametrize(("units", "up"), UNITS_AND_UP)
@pytest.mark.parametrize("clip", CLIPS.values(), ids=CLIPS)
def test_usd_in_usd_core(tmp_path, clip, units, up):
    pytest.importorskip("pxr", reason="USD needs usd-core: pip install -e '.[usd]'")
    formats.save(clip, tmp_path / "clip.usdc", units=units, up=up)
    read = readers.Usd(tmp_path / "clip.usdc")
    assert read.stage.GetTimeCodesPerSecond() == pytest.approx(clip.fps)
    assert len(read.times) == len(clip)
    assert np.abs(read.joints() - clip.joints()).max() < 1e-4
    assert np.abs(read.skin() - mannequin().skin(clip)).max() < 1e-4


@pytest.mark.skipif(
    not readers.has_usd_validation(), reason="UsdValidation comes with usd-core 24.11 and later"
)
@pytest.mark.parametrize("suffix", [".usdc", ".usda"])
def test_usd_passes_its_own_validators(tmp_path, suffix):
    formats.save(walk(3), tmp_path / f"clip{suffix}", units="m", up="y")
    assert readers.validate_usd(tmp_path / f"clip{suffix}") == []


CASES = [
    (".bvh", "m", "y", "walk"), (".bvh", "cm", "y", "29.97 fps"), (".glb", "m", "y", "walk"),
    (".glb", "m", "y", "29.97 fps"), (".usdc", "m", "z", "29.97 fps"), (".usda", "cm", "y", "walk"),
    (".fbx", "cm", "y", "walk"), (".fbx", "m", "z", "29.97 fps"),
]  # fmt: skip


def pytest_generate_tests(metafunc):
    if "python" in metafunc.fixturenames:
        reason = "no Blender: set KMM_BLENDER_PYTHONS to Pythons that can import bpy"
        found = readers.blender_pythons() or [pytest.param("", marks=pytest.mark.skip(reason=reason))]
        metafunc.parametrize("python", found[:1], ids=["blender"])


def test_fbx_there_and_back(tmp_path):
    pytest.importorskip("bpy", reason="FBX is written and read by Blender: pip install -e '.[blender]'")
    clip = CLIPS["29.97 fps"]
    formats.save(clip, tmp_path / "clip.fbx")
    back = formats.load(tmp_path / "clip.fbx")
    assert back.fps == pytest.approx(clip.fps, abs=1e-9) and len(back) == len(clip)
    assert np.abs(back.joints() - clip.joints()).max() < 1e-4
    (tmp_path / "other.fbx").write_bytes(b"hello")
    with pytest.raises(ValueError, match=r"^other.fbx: Blender failed"):
        formats.load(tmp_path / "other.fbx")


@pytest.mark.parametrize(("suffix", "units", "up", "name"), CASES)
def test_in_blender(tmp_path, python, name, suffix, units, up):
    """Every joint within 0.1 mm at every frame."""
    if suffix == ".fbx":
        pytest.importorskip("bpy", reason="FBX is written by Blender: pip install -e '.[blender]'")
    elif suffix.startswith(".usd"):
        pytest.importorskip("pxr", reason="USD needs usd-core: pip install -e '.[usd]'")
    clip = CLIPS[name]
    clip = replace(clip, translation=clip.translation + np.array([1.0, 2.0, 0.0]))
    formats.save(clip, tmp_path / f"clip{suffix}", units=units, up=up)
    read = readers.blender(python, tmp_path / f"clip{suffix}", clip.fps, len(clip), units)
    assert np.abs(read["joints"] - clip.joints()).max() < 1e-4
    if suffix != ".bvh":
        skin = mannequin().skin(clip)
        assert read["vertices"] >= skin.shape[1] and read["materials"] == 4
        assert np.abs(read["low"] - skin.min(1)).max() < 1e-4
        assert np.abs(read["high"] - skin.max(1)).max() < 1e-4
