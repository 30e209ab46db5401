import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kmm.clip import Clip, Segment
from kmm.mannequin import TINTS, Camera, Window, _Canvas, draw_body, draw_floor
from kmm.preview import WIDTH, film_strip, film_strip_sheet, save_picture

from .light.motions import walk

Image = pytest.importorskip("PIL.Image")


def where(picture, name):
    """Which pixels have the hue of one of the mannequin's tints."""
    rgb = picture[..., :3]
    pixel = rgb / np.maximum(np.linalg.norm(rgb, axis=-1, keepdims=True), 1e-9)
    tint = np.array(TINTS[name]) / np.linalg.norm(TINTS[name])
    return (pixel @ tint > 0.985) & (picture[..., 3] > 0)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_cones_are_the_hull_of_the_balls_between_their_ends(seed):
    """Against a thousand balls along the axis."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(-0.3, 0.3, (2, 3))
    ra, rb = rng.uniform(0.02, 0.2, 2)
    canvas = _Canvas(100.0, Window(100, 100, (50.0, 50.0)))
    canvas.cone(a, ra, b, rb, "left")
    x, y = np.meshgrid((np.arange(100) + 0.5 - 50) / 100, (50 - np.arange(100) - 0.5) / 100)
    depth = np.full((100, 100), -np.inf)
    for t in np.linspace(0, 1, 1000):
        centre, radius = a + t * (b - a), ra + t * (rb - ra)
        inside = radius**2 - (x - centre[0]) ** 2 - (y - centre[1]) ** 2
        depth = np.where(inside > 0, np.maximum(depth, centre[2] + np.sqrt(np.maximum(inside, 0))), depth)
    seen, hit = np.isfinite(depth), np.isfinite(canvas.depth)
    assert not (seen & ~hit).any() and (hit & ~seen).sum() <= 4  # the balls leave slivers at the rim
    # away from rims, where the surface is too steep to compare depths
    flat = hit & seen & (canvas.normal[..., 2] > 0.2)
    assert np.abs(canvas.depth[flat] - depth[flat]).max(initial=0) < 1e-3
    assert np.allclose(np.linalg.norm(canvas.normal[hit], axis=-1), 1)


@given(st.floats(-np.pi, np.pi), st.floats(0.05, 1.5))
def test_the_camera_is_a_rotation(azimuth, elevation):
    axes = Camera(azimuth, elevation, 100).axes
    assert np.allclose(axes @ axes.T, np.eye(3)) and np.linalg.det(axes) == pytest.approx(1)
    assert axes[1, 2] > 0 and axes[0, 2] == 0  # upright in the picture


def view(azimuth, clip=None, frame=0):
    window = Window(260, 200, (210.0, 100.0))
    return draw_body(clip or walk(2), frame, Camera(azimuth, 0.1, 100), window, (0, 0, 0))


def test_sides_and_face_are_seen_from_where_they_should_be():
    front, back, its_left = view(0), view(np.pi), view(np.pi / 2)
    columns = np.arange(200)[None, :]

    def middle(picture, name):
        return (where(picture, name) * columns).sum() / where(picture, name).sum()

    assert middle(front, "left") > middle(front, "right")
    assert middle(back, "left") < middle(back, "right")
    heads = [picture[30:60, 88:112] for picture in (front, back)]
    visor = [((head[..., :3].max(-1) < 0.3) & (head[..., 3] > 0)).sum() for head in heads]
    assert visor[0] > 30 and visor[1] < 6  # a few shadowed pixels under the back of the head
    assert where(its_left, "left").sum() > 2 * where(its_left, "right").sum()


def test_the_body_is_as_tall_as_it_is_and_stands_on_the_floor():
    rows = np.flatnonzero(view(0)[..., 3].any(axis=1))
    assert 150 < len(rows) < 185  # centimetres
    assert abs(rows[-1] - 210) < 12


def test_the_shadow_is_under_the_body_and_weaker_under_a_jump():
    clip = walk(2)
    high = clip.transform(0.0, (0, 0, 1.0))
    window = Window(120, 200, (60.0, 100.0))
    camera = Camera(0.3, 0.5, 100)
    low, up = (draw_floor(c, 0, camera, window, (0, 0, 0)) for c in (clip, high))
    assert low[50:70, 80:120].mean() > 2 * low[:10].mean()
    assert low[50:70, 80:120].mean() > 1.3 * up[50:70, 80:120].mean()


def test_a_film_strip_has_its_bodies_side_by_side(tmp_path):
    film_strip(walk(60), tmp_path / "strip.png", count=6, title="a person walks")
    picture = np.asarray(Image.open(tmp_path / "strip.png").convert("RGB")) / 255
    assert picture.shape[1] == WIDTH and [p.name for p in tmp_path.iterdir()] == ["strip.png"]
    seen = where(np.dstack([picture, np.ones(picture.shape[:2])]), "right").any(axis=0)
    starts = np.flatnonzero(np.diff(seen.astype(int)) == 1)
    assert len(np.flatnonzero(np.diff(starts, prepend=-1000) > 120)) == 6


def test_a_sheet_has_a_row_for_each_clip_and_tells_segments(tmp_path):
    clip = walk(60)
    two = Clip(
        clip.translation, clip.rotations, segments=(Segment("walks " * 40, 0, 30), Segment("stops", 30, 60))
    )
    film_strip(clip, tmp_path / "one.png", count=2)
    film_strip_sheet([clip, two, walk(1)], ["a", "b" * 300, "c"], tmp_path / "sheet.png", count=2)
    one, sheet = Image.open(tmp_path / "one.png"), Image.open(tmp_path / "sheet.png")
    assert sheet.size[1] > 3 * one.size[1]


def test_pictures_are_small_and_look_the_same(tmp_path):
    body = view(0.3)
    drawn = Image.fromarray((255 * (body[..., :3] * body[..., 3:] + 1 - body[..., 3:])).astype(np.uint8))
    drawn.save(tmp_path / "large.png", optimize=True)
    save_picture(drawn, tmp_path / "small.png")
    assert (tmp_path / "small.png").stat().st_size < (tmp_path / "large.png").stat().st_size / 2
    seen = np.asarray(Image.open(tmp_path / "small.png").convert("RGB"), int)
    assert np.abs(seen - np.asarray(drawn, int)).mean() < 2


@pytest.mark.parametrize(
    ("clips", "titles", "count"),
    [([], [], 8), ([walk(3)], [], 8), ([walk(3).slice(0, 0)], ["x"], 8), ([walk(3)], ["x"], 0)],
)
def test_nothing_to_draw(tmp_path, clips, titles, count):
    with pytest.raises(ValueError, match="needs"):
        film_strip_sheet(clips, titles, tmp_path / "x.png", count)
    assert not list(tmp_path.iterdir())
