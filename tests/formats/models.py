"""Model files in the layout of SMPL, SMPL-H and SMPL-X, small and with a shape of our own, for smplx to load."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
from kmm.skeleton import PARENTS, REST_OFFSETS


def parents(kind: str) -> list[int]:
    """The joint tables of the three models."""

    def hand(wrist: int, first: int) -> list[int]:
        return [wrist if i % 3 == 0 else first + i - 1 for i in range(15)]

    body = [0, *PARENTS[1:]]
    return (
        body
        + {
            "smpl": [20, 21],
            "smplh": [*hand(20, 22), *hand(21, 37)],
            "smplx": [15, 15, 15, *hand(20, 25), *hand(21, 40)],
        }[kind]
    )


def write(path: Path, kind: str, vertices_a_joint: int = 12, seed: int = 0) -> Path:
    """A model file of smooth weights around joints near ours, with 10 betas, 20 where the layout has expressions."""
    rng = np.random.default_rng(seed)
    tree = parents(kind)
    count = len(tree)
    at = np.zeros((count, 3))
    for joint in range(1, count):
        offset = REST_OFFSETS[joint] * 1.05 if joint < 22 else rng.normal(0, 0.02, 3)
        at[joint] = at[tree[joint]] + offset
    at += [0.003, -0.35, 0.02]  # SMPL's origin is not its pelvis
    balls = rng.normal(0, 0.04, (count, vertices_a_joint, 3))
    balls -= balls.mean(1, keepdims=True)
    template = (at[:, None] + balls).reshape(-1, 3)
    near = np.exp(-(np.linalg.norm(template[:, None] - at[None], axis=-1) ** 2) / 0.02)
    near[near < 0.05] = 0
    owners = np.repeat(np.arange(count), vertices_a_joint)
    near[np.arange(len(template)), owners] += 1.0
    few = np.argsort(-near, axis=1)[:, 4:]
    np.put_along_axis(near, few, 0.0, axis=1)
    regressor = np.zeros((count, len(template)))
    regressor[owners, np.arange(len(template))] = 1 / vertices_a_joint
    shapes = 20 if kind == "smplx" else 10
    data = {
        "v_template": template,
        "f": np.arange(len(template) // 3 * 3).reshape(-1, 3).astype(np.uint32),
        "shapedirs": rng.normal(0, 0.01, (len(template), 3, shapes)),
        "posedirs": np.zeros((len(template), 3, 9 * (count - 1))),
        "J_regressor": regressor,
        "weights": near / near.sum(1, keepdims=True),
        "kintree_table": np.array([tree, range(count)]),
    }
    data["kintree_table"][0, 0] = -1
    if kind != "smpl":
        data |= {f"hands_components{s}": np.eye(45) for s in "lr"}
        data |= {f"hands_mean{s}": rng.normal(0, 0.3, 45) for s in "lr"}
    if kind == "smplx":
        data |= {"lmk_faces_idx": np.zeros(51, int), "lmk_bary_coords": np.full((51, 3), 1 / 3)}
    if path.suffix == ".npz":
        np.savez(path, **data)
    else:
        path.write_bytes(pickle.dumps(data))
    return path
