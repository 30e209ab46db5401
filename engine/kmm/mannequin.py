"""A jointed mannequin drawn in plain numpy: round cones and ellipsoids on the SMPL skeleton, a depth buffer, a floor.

The view is orthographic. Camera axes: x to the right and y up in the picture, z towards the viewer; metres.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmm import rotations as rot
from kmm.clip import Array, Clip, forward_kinematics
from kmm.skeleton import JOINT_INDEX, JOINT_NAMES, PARENTS, REST_OFFSETS

#: sRGB 0..1: the trunk, the body's left limbs, its right limbs, and the visor that shows where it looks.
TINTS: dict[str, tuple[float, float, float]] = {
    "body": (0.90, 0.89, 0.86),
    "left": (0.33, 0.56, 0.77),
    "right": (0.91, 0.57, 0.32),
    "visor": (0.22, 0.24, 0.27),
}
FLOOR = 0.95  #: metres of floor drawn around a body
_LIGHT = np.array([-0.45, 0.72, 0.53]) / np.linalg.norm([-0.45, 0.72, 0.53])


@dataclass(frozen=True)
class _Part:
    """In the frame of a joint at rest: an ellipsoid at `a` with `radii`, or a round cone from `a` to `b`."""

    joint: str
    tint: str
    a: tuple[float, float, float]
    radii: tuple[float, ...]  # three semi-axes, or the radius at a and at b
    b: tuple[float, float, float] | None = None


def _shifted(name: str, left: float = 0.0, front: float = 0.0) -> tuple[float, float, float]:
    """Where a joint is at rest, from its parent, moved a little."""
    x, y, z = REST_OFFSETS[JOINT_INDEX[name]].tolist()
    return x + left, y, z + front


def _parts() -> list[_Part]:
    """The mannequin; the left half is listed and mirrored."""
    zero = (0.0, 0.0, 0.0)
    trunk = [
        _Part("spine3", "body", (0.0, 0.050, 0.004), (0.148, 0.155, 0.106)),
        _Part("neck", "body", (0.0, -0.03, 0.0), (0.054, 0.047), (0.0, 0.09, 0.035)),
        _Part("head", "body", (0.0, 0.062, 0.012), (0.077, 0.112, 0.094)),
        _Part("head", "visor", (0.0, 0.070, 0.056), (0.064, 0.044, 0.056)),
    ]
    left = [
        _Part("pelvis", "body", (0.058, -0.045, -0.008), (0.094, 0.078), _shifted("spine1", 0.044, 0.014)),
        _Part("spine1", "body", (0.044, 0.0, 0.014), (0.078, 0.086), _shifted("spine2", 0.050, 0.0)),
        _Part("spine2", "body", (0.050, 0.0, 0.0), (0.086, 0.090), _shifted("spine3", 0.056, 0.0)),
        _Part("left_collar", "body", (0.0, -0.012, 0.0), (0.058, 0.060), _shifted("left_shoulder")),
        _Part("left_shoulder", "left", zero, (0.060, 0.044), _shifted("left_elbow")),
        _Part("left_elbow", "left", zero, (0.043, 0.030), _shifted("left_wrist")),
        _Part("left_wrist", "left", (0.020, -0.002, 0.0), (0.028, 0.024), (0.088, -0.010, 0.010)),
        _Part("left_wrist", "left", (0.030, 0.0, 0.022), (0.016, 0.012), (0.075, -0.010, 0.052)),
        _Part("left_hip", "left", zero, (0.090, 0.058), _shifted("left_knee")),
        _Part("left_knee", "left", zero, (0.058, 0.038), _shifted("left_ankle")),
        _Part("left_knee", "left", (-0.003, -0.125, -0.020), (0.046, 0.125, 0.046)),
        _Part("left_ankle", "left", (0.0, -0.040, -0.045), (0.038, 0.034), (0.030, -0.040, 0.085)),
        _Part("left_ankle", "left", zero, (0.040, 0.034), (0.030, -0.040, 0.085)),
        _Part("left_foot", "left", (-0.010, 0.012, 0.0), (0.032, 0.024), (-0.004, 0.004, 0.066)),
    ]

    def flip(p: tuple[float, float, float]) -> tuple[float, float, float]:
        return -p[0], p[1], p[2]

    right = [
        _Part(
            p.joint.replace("left", "right"),
            p.tint.replace("left", "right"),
            flip(p.a),
            p.radii,
            None if p.b is None else flip(p.b),
        )
        for p in left
    ]
    return trunk + left + right


_PARTS = _parts()


@dataclass(frozen=True)
class Camera:
    """Looks at the world from `azimuth` radians left of its -Y side and `elevation` above the floor."""

    azimuth: float
    elevation: float
    scale: float  #: pixels a metre

    @property
    def axes(self) -> Array:
        """(3, 3): rows are the camera's x, y and z axes in the world."""
        ca, sa, ce, se = (
            np.cos(self.azimuth),
            np.sin(self.azimuth),
            np.cos(self.elevation),
            np.sin(self.elevation),
        )
        return np.array([[ca, sa, 0], [-sa * se, ca * se, ce], [sa * ce, -ca * ce, se]])


@dataclass(frozen=True)
class Window:
    """A picture of (height, width) pixels whose pixel (row, column) = `origin` shows the camera's x = y = 0."""

    height: int
    width: int
    origin: tuple[float, float]


def draw_body(clip: Clip, frame: int, camera: Camera, window: Window, target: ArrayLike) -> Array:
    """(height, width, 4) RGBA 0..1 of one frame's body, with the world point `target` (3,) at the window's origin."""
    at, turn = forward_kinematics(clip.translation[frame], clip.rotations[frame])
    axes = camera.axes
    canvas = _Canvas(camera.scale, window)
    for part in _PARTS:
        joint = JOINT_INDEX[part.joint]

        def place(p: ArrayLike, joint: int = joint) -> Array:
            return np.asarray(axes @ (at[joint] + rot.apply(turn[joint], p) - np.asarray(target)))

        if part.b is None:
            canvas.ellipsoid(
                place(part.a), axes @ rot.as_matrix(turn[joint]), np.array(part.radii), part.tint
            )
        else:
            canvas.cone(place(part.a), part.radii[0], place(part.b), part.radii[1], part.tint)
    return canvas.shaded()


class _Canvas:
    """Depth, normal and tint of the nearest surface at each pixel."""

    def __init__(self, scale: float, window: Window) -> None:
        self.scale, self.window = scale, window
        shape = (window.height, window.width)
        self.depth = np.full(shape, -np.inf)
        self.normal = np.zeros((*shape, 3))
        self.tint = np.zeros((*shape, 3))

    def cone(self, a: Array, ra: float, b: Array, rb: float, tint: str) -> None:
        """The hull of a sphere at a and one at b: the spheres, and between them the cone that touches both."""
        self.ellipsoid(a, np.eye(3), np.full(3, ra), tint)
        self.ellipsoid(b, np.eye(3), np.full(3, rb), tint)
        length = float(np.linalg.norm(b - a))
        if length <= abs(ra - rb):
            return  # one sphere holds the other
        n = (b - a) / length
        s = (ra - rb) / length
        c2 = 1.0 - s * s
        # below zero where the view is steeper than the cone's side; then too the root below is the side towards us
        quadratic = c2 - n[2] ** 2
        quadratic = quadratic if abs(quadratic) > 1e-9 else 1e-9
        part, x, y = self._around(np.minimum(a - ra, b - rb), np.maximum(a + ra, b + rb), a)
        # with h the height along the axis the cone is (|p|^2 - h^2) c^2 = (ra - h s)^2; h = h0 + n_z z
        h0 = x * n[0] + y * n[1]
        half = n[2] * (ra * s - h0)
        discriminant = half**2 - quadratic * (c2 * (x**2 + y**2) - h0**2 + 2 * ra * s * h0 - ra**2)
        z = (np.sqrt(np.maximum(discriminant, 0)) - half) / quadratic
        h = h0 + n[2] * z
        hit = (discriminant > 0) & (h > ra * s) & (h < length + rb * s)
        radial = np.stack([x, y, z], axis=-1) - h[..., None] * n
        radial /= np.maximum(np.linalg.norm(radial, axis=-1, keepdims=True), 1e-9)
        self._put(part, hit, z + a[2], radial * np.sqrt(c2) + n * s, tint)

    def ellipsoid(self, centre: Array, axes: Array, radii: Array, tint: str) -> None:
        """`axes` (3, 3) has the unit semi-axes as columns, `radii` (3,) their lengths."""
        form = axes @ np.diag(radii**-2.0) @ axes.T  # p' form p = 1 on the surface
        reach = np.sqrt(np.diag(axes @ np.diag(radii**2.0) @ axes.T))
        part, x, y = self._around(centre - reach, centre + reach, centre)
        half = form[0, 2] * x + form[1, 2] * y
        rest = form[0, 0] * x**2 + 2 * form[0, 1] * x * y + form[1, 1] * y**2 - 1
        discriminant = half**2 - form[2, 2] * rest
        z = (np.sqrt(np.maximum(discriminant, 0)) - half) / form[2, 2]
        normal = np.stack([x, y, z], axis=-1) @ form
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
        self._put(part, discriminant > 0, z + centre[2], normal, tint)

    def _around(self, low: Array, high: Array, centre: Array) -> tuple[tuple[slice, slice], Array, Array]:
        """The part of the picture that holds a box, and x and y of its pixels from `centre`."""
        row, column = self.window.origin
        left, right = (
            int(np.clip(column + x * self.scale, 0, self.window.width)) for x in (low[0], high[0] + 0.02)
        )
        top, bottom = (
            int(np.clip(row - y * self.scale, 0, self.window.height)) for y in (high[1], low[1] - 0.02)
        )
        x = (np.arange(left, right) + 0.5 - column) / self.scale - centre[0]
        y = (row - np.arange(top, bottom) - 0.5) / self.scale - centre[1]
        x, y = np.meshgrid(x, y)
        return (slice(top, bottom), slice(left, right)), x, y

    def _put(
        self, part: tuple[slice, slice], hit: NDArray[np.bool_], z: Array, normal: Array, tint: str
    ) -> None:
        nearer = hit & (z > self.depth[part])
        self.depth[part][nearer] = z[nearer]
        self.normal[part][nearer] = normal[nearer]
        self.tint[part][nearer] = TINTS[tint]

    def shaded(self) -> Array:
        """RGBA: soft light from above left, dark rims, and a shadow around whatever is in front of something."""
        rows, columns = (np.flatnonzero(np.isfinite(self.depth).any(axis)) for axis in (1, 0))
        picture = np.zeros((*self.depth.shape, 4))
        if len(rows):
            part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
            picture[part] = self._shaded(self.depth[part], self.normal[part], self.tint[part])
        return picture

    def _shaded(self, depth: Array, n: Array, tint: Array) -> Array:
        seen = np.isfinite(depth)
        lit = np.clip(n @ _LIGHT, -1, 1) * 0.5 + 0.5
        sky = n[..., 1] * 0.5 + 0.5
        facing = np.clip(n[..., 2], 0, 1)
        shade = 0.36 + 0.58 * lit**1.5 + 0.16 * sky
        shade *= 1 - 0.45 * (1 - facing) ** 2.5
        # unsharp masking of the depth buffer (Luft, Colditz and Deussen 2006), only where something lies in front
        depth = np.where(seen, depth, depth[seen].min())
        behind = np.clip(_blur(depth, 0.035 * self.scale) - depth, 0, 0.12)
        shade *= 1 - 3.2 * behind
        halfway = _LIGHT + np.array([0, 0, 1])
        gloss = np.clip(n @ (halfway / np.linalg.norm(halfway)), 0, 1) ** 40
        colour = tint * shade[..., None] + 0.16 * gloss[..., None]
        return np.concatenate([np.clip(colour, 0, 1), seen[..., None]], axis=-1)


def draw_floor(
    clip: Clip, frame: int, camera: Camera, window: Window, target: ArrayLike, path: Array | None = None
) -> Array:
    """(height, width) darkness 0..1 of the floor z = 0 around a body: its soft shadow, a grid and its path.

    path (N, 2): floor points gone through so far, drawn as a line; metres.
    """
    right, up, _ = camera.axes
    row, column = window.origin
    x = (np.arange(window.width) + 0.5 - column) / camera.scale
    y = (row - np.arange(window.height) - 0.5) / camera.scale
    target = np.asarray(target, dtype=float)
    # a floor point f is seen at right . (f - target), up . (f - target)
    inverse = np.linalg.inv(np.array([right[:2], up[:2]]))
    x, y = np.meshgrid(x, y + up[2] * target[2])
    floor = np.stack([inverse[i, 0] * x + inverse[i, 1] * y + target[i] for i in (0, 1)])
    away = np.hypot(*(floor - target[:2, None, None]))
    fade = np.clip((FLOOR - away) / 0.35, 0, 1) ** 1.5
    dark = fade * (0.05 + 0.13 * _grid(floor, 0.25, 0.007))
    if path is not None:
        near = path[np.linalg.norm(path - target[:2], axis=-1) < FLOOR][::-3][::-1]
        line = np.full(away.shape, np.inf)
        for a, b in itertools.pairwise(near):
            line = np.minimum(line, _distance(floor, a, b))
        dark = np.maximum(dark, 0.5 * fade * np.clip((0.022 - line) / 0.008, 0, 1))
    clear = np.ones_like(dark)
    for spot, radius in _solids(clip, frame):
        height = max(spot[2] - radius, 0.0)
        spread = 0.8 * radius + 0.45 * height
        strength = 0.5 * (radius / (radius + 1.6 * height)) ** 1.5
        # the light comes from above left of the picture: shadows lean to the right
        x, y = floor - (spot[:2] + 0.25 * height * right[:2])[:, None, None]
        clear *= 1 - strength * np.exp(-(x * x + y * y) / (2 * spread**2))
    return np.asarray(1 - (1 - dark) * (1 - fade * (1 - clear)))


def _solids(clip: Clip, frame: int) -> list[tuple[Array, float]]:
    """Balls that stand for the body when it casts its shadow: (centre, radius)."""
    at = forward_kinematics(clip.translation[frame], clip.rotations[frame])[0]
    balls = [
        (at[j], 0.035 if "foot" in JOINT_NAMES[j] or "wrist" in JOINT_NAMES[j] else 0.06) for j in range(22)
    ]
    balls += [((at[j] + at[p]) / 2, 0.06) for j, p in enumerate(PARENTS) if p > 0]
    return [*balls, (at[0], 0.14), (at[9], 0.14)]


def _grid(floor: Array, step: float, width: float) -> Array:
    lines = np.abs((floor / step + 0.5) % 1 - 0.5) * step
    return np.asarray(np.clip(1.5 - lines.min(0) / width, 0, 1))


def _distance(points: Array, a: Array, b: Array) -> Array:
    """From points (2, ...) to the segment a b."""
    (x, y), (u, v) = points - a[:, None, None], b - a
    t = np.clip((x * u + y * v) / max(u * u + v * v, 1e-12), 0, 1)
    return np.asarray(np.hypot(x - t * u, y - t * v))


def _blur(values: Array, radius: float) -> Array:
    """Three box blurs along each axis: nearly a Gaussian."""
    r = max(1, round(radius / 1.7))
    for axis in (0, 1) * 3:
        pad = [(r + 1, r) if a == axis else (0, 0) for a in (0, 1)]
        total = np.cumsum(np.pad(values, pad, mode="edge"), axis=axis)
        total = np.moveaxis(total, axis, 0)
        values = np.moveaxis((total[2 * r + 1 :] - total[: -2 * r - 1]) / (2 * r + 1), 0, axis)
    return values
