"""Round trips through the formats that pipelines speak, and what can be chosen of them."""

import base64
import itertools
import json
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kmm import formats
from kmm import rotations as rot
from kmm.body import mannequin
from kmm.formats.bvh import from_clip
from kmm.formats.bvh_parser import parse
from kmm.formats.gltf_reader import read
from kmm.skeleton import JOINT_NAMES, REST_OFFSETS

from .motions import clips, random_clip, walk

files = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=6)
SUFFIXES = [".npz", ".bvh", ".json", ".glb", ".gltf", ".usdc", ".usda"]


def need(suffix):
    if suffix.startswith(".usd"):
        pytest.importorskip("pxr", reason="USD needs usd-core: pip install -e '.[usd]'")


def degrees(a, b):
    """The largest turn between two sets of rotations."""
    return np.degrees(rot.magnitude(rot.multiply(rot.inv(a), b))).max(initial=0.0)


@pytest.mark.parametrize("suffix", SUFFIXES)
@files
@given(clip=clips(), data=st.data())
def test_round_trip_in_any_units_and_axes(tmp_path, suffix, clip, data):
    need(suffix)
    choices = formats.choices(f"x{suffix}")
    options = {name: data.draw(st.sampled_from(choices[name])) for name in ("units", "up")}
    formats.save(clip, tmp_path / f"clip{suffix}", **options)
    back = formats.load(tmp_path / f"clip{suffix}")
    assert len(back) == len(clip) and back.fps == pytest.approx(clip.fps, abs=1e-9)
    assert np.abs(back.translation - clip.translation).max() < 3e-5
    assert degrees(back.rotations, clip.rotations) < 1e-3
    if suffix != ".bvh":
        assert back.segments == clip.segments
    if suffix in (".npz", ".json", ".glb", ".gltf") and clip.contacts is not None:
        assert np.abs(back.contacts - clip.contacts).max() < 1e-4
    assert [p.name for p in tmp_path.iterdir()] == [f"clip{suffix}"]
    (tmp_path / f"clip{suffix}").unlink()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_resampled_on_the_way_out(tmp_path, suffix):
    need(suffix)
    clip = walk(31)
    formats.save(clip, tmp_path / f"clip{suffix}", fps=24)
    back = formats.load(tmp_path / f"clip{suffix}")
    assert back.fps == 24 and len(back) == 25
    assert np.abs(back.joints() - clip.resample(24).joints()).max() < 1e-4
    with pytest.raises(ValueError, match="fps must be positive"):
        formats.save(clip, tmp_path / f"other{suffix}", fps=0)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.glb", {"units": "cm"}, "a.glb: units must be m in this format, not cm"),
        ("a.gltf", {"up": "z"}, "up must be y"),
        ("a.npz", {"up": "y"}, "up must be z"),
        ("a.npz", {"layout": "smpl"}, "layout must be smplh or smplx"),
        ("a.bvh", {"layout": "smplx"}, "this format has no layout to choose"),
        ("a.json", {"units": "inch"}, "units must be m or cm"),
        ("a.npz", {"body": mannequin()}, "npz files hold poses only"),
    ],
)
def test_what_a_format_has_no_place_for(tmp_path, name, options, message):
    with pytest.raises(ValueError, match=message):
        formats.save(walk(3), tmp_path / name, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".glb", ".usdc", ".fbx"])
def test_no_frames(tmp_path, suffix):
    need(suffix)
    with pytest.raises(ValueError, match="without frames"):
        formats.save(walk(3).slice(0, 0), tmp_path / f"clip{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".bvh", ".json", ".glb", ".usdc"])
def test_another_body_has_its_own_proportions(tmp_path, suffix):
    """A larger one: the poses come back as they were."""
    need(suffix)
    large = mannequin()
    large = replace(large, offsets=large.offsets * 1.3, vertices=large.vertices * 1.3, standing_height=1.27)
    clip = walk(5)
    path = tmp_path / f"clip{suffix}"
    formats.save(clip, path, body=large)
    assert degrees(formats.load(path).rotations, clip.rotations) < 1e-3
    other = tmp_path / f"mannequin{suffix}"
    formats.save(clip, other)
    assert path.read_bytes() != other.read_bytes()


@pytest.mark.parametrize("suffix", [".json", ".glb", ".gltf", ".usdc", ".usda"])
@pytest.mark.parametrize("content", [b"", b"{}", b"glTF", b"PXR-USDC", b"#usda 1.0\n", b"\xff" * 100])
def test_not_such_a_file(tmp_path, suffix, content):
    need(suffix)
    (tmp_path / f"x{suffix}").write_bytes(content)
    with pytest.raises(ValueError, match=f"^x{suffix}"):
        formats.load(tmp_path / f"x{suffix}")


def test_reading_gltf_of_axes_that_lie_elsewhere_at_rest(tmp_path):
    """As Blender writes it: every bone's own axes, helpers in between, another order of nodes."""
    clip = walk(8, turn=0.5)
    formats.save(clip, tmp_path / "clip.gltf")
    document = json.loads((tmp_path / "clip.gltf").read_text())
    nodes, animation = document["nodes"], document["animations"][0]
    document["buffers"].append({})
    rng = np.random.default_rng(3)
    turns = rot.normalize(rng.normal(size=(23, 4)))  # node -> how its axes lie in the world at rest
    turns[0] = rot.IDENTITY
    read_in = read((tmp_path / "clip.gltf").read_bytes())
    parents = {child: i for i, node in enumerate(nodes) for child in node.get("children", [])}
    extra = b""
    for channel in animation["channels"]:
        node, path = channel["target"]["node"], channel["target"]["path"]
        parent = turns[parents[node]]
        values = read_in.accessor(animation["samplers"][channel["sampler"]]["output"])
        if path == "rotation":
            q = values[:, [3, 0, 1, 2]]
            values = rot.multiply(rot.multiply(rot.inv(parent), q), turns[node])[:, [1, 2, 3, 0]]
        else:
            values = rot.apply(rot.inv(parent), values)
        accessor = document["accessors"][animation["samplers"][channel["sampler"]]["output"]]
        document["bufferViews"][accessor["bufferView"]] |= {"buffer": 1, "byteOffset": len(extra)}
        extra += values.astype("<f4").tobytes()
    for i, node in enumerate(nodes[1:23], start=1):
        parent = turns[parents[i]]
        node["rotation"] = rot.multiply(rot.inv(parent), turns[i])[[1, 2, 3, 0]].tolist()
        node["translation"] = rot.apply(rot.inv(parent), np.array(node["translation"])).tolist()
    uri = "data:application/octet-stream;base64," + base64.b64encode(extra).decode()
    document["buffers"][1] = {"byteLength": len(extra), "uri": uri}
    (tmp_path / "turned.gltf").write_text(json.dumps(document))
    back = formats.load(tmp_path / "turned.gltf")
    assert (
        np.abs(back.joints() - clip.joints()).max() < 1e-4 and degrees(back.rotations, clip.rotations) < 1e-3
    )


PAGE = """
const m = JSON.parse(require("fs").readFileSync(process.argv[1]));
const floats = (s) => new Float32Array(Uint8Array.from(atob(s), (c) => c.charCodeAt(0)).buffer);
const translation = floats(m.translation), rotations = floats(m.rotations);
const turn = ([x, y, z, w], [a, b, c]) => {
  const [i, j, k] = [2 * (y * c - z * b), 2 * (z * a - x * c), 2 * (x * b - y * a)];
  return [a + w * i + y * k - z * j, b + w * j + z * i - x * k, c + w * k + x * j - y * i];
};
const times = ([x, y, z, w], [a, b, c, d]) =>
  [w * a + x * d + y * c - z * b, w * b - x * c + y * d + z * a,
   w * c + x * b - y * a + z * d, w * d - x * a - y * b - z * c];
const out = [];
for (let t = 0; t < m.frames; t++) {
  const at = [], q = [];
  m.parents.forEach((parent, j) => {
    const own = [...rotations.slice((t * m.joints.length + j) * 4, (t * m.joints.length + j) * 4 + 4)];
    if (parent < 0) { at.push([...translation.slice(3 * t, 3 * t + 3)]); q.push(own); return; }
    const moved = turn(q[parent], m.offsets[j]);
    at.push(at[parent].map((v, i) => v + moved[i]));
    q.push(times(q[parent], own));
  });
  out.push(at);
}
console.log(JSON.stringify(out));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="reading it as a page does needs node on the PATH")
@pytest.mark.parametrize(("units", "up"), [*itertools.product(("m", "cm"), ("y", "z"))])
def test_a_page_reads_the_json(tmp_path, units, up):
    """The lines of JavaScript that docs/formats.md shows, in a JavaScript that is not ours."""
    clip = walk(6, turn=1.0)
    formats.save(clip, tmp_path / "clip.json", units=units, up=up)
    done = subprocess.run(
        ["node", "-e", PAGE, str(tmp_path / "clip.json")],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    seen = np.array(json.loads(done.stdout)) / (100 if units == "cm" else 1)
    if up == "y":
        seen = seen[..., [0, 2, 1]] * [1, -1, 1]
    assert np.abs(seen - clip.joints()).max() < 1e-5


def test_bvh_with_z_up_stands_at_rest():
    bvh = parse(from_clip(walk(2), units="cm", up="z"))
    at = np.zeros((22, 3))
    for joint, parent in enumerate(bvh.parents):
        at[joint] = bvh.offsets[joint] + (at[parent] if parent >= 0 else 0)
    head, foot = bvh.names.index("head"), bvh.names.index("left_foot")
    assert at[head, 2] - at[foot, 2] > 140 and bvh.names[0] == JOINT_NAMES[0]
    assert np.allclose(
        np.linalg.norm(bvh.offsets, axis=1).sum(), 100 * np.linalg.norm(REST_OFFSETS, axis=1).sum()
    )
    assert np.abs(bvh.positions()[0, :, 2].max() - 100 * walk(2).joints()[0, :, 2].max()) < 0.1


def test_a_clip_of_any_precision(tmp_path):
    for dtype in (np.float32, np.float64):
        clip = random_clip(4, 1, dtype=dtype)
        formats.save(clip, tmp_path / "clip.glb")
        assert np.abs(formats.load(tmp_path / "clip.glb").joints() - clip.joints()).max() < 1e-4
