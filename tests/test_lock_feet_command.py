"""`--lock-feet`, from a file to a file."""

from pathlib import Path

import numpy as np
from kmm import formats
from kmm.cli import app
from kmm.foot_lock import lock_feet
from typer.testing import CliRunner

from .light.motions import walk


def test_convert_locks_feet(tmp_path: Path) -> None:
    source, plain, locked = (tmp_path / f"{name}.npz" for name in ("source", "plain", "locked"))
    formats.save(walk(60, speed=0.9), source)
    for out, options in ((plain, []), (locked, ["--lock-feet"])):
        done = CliRunner().invoke(app, ["convert", str(source), str(out), *options])
        assert done.exit_code == 0, done.output
    want = lock_feet(formats.load(source))
    np.testing.assert_allclose(formats.load(locked).rotations, want.rotations, atol=1e-5)
    assert np.abs(formats.load(plain).rotations - want.rotations).max() > 1e-3
