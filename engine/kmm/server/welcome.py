"""What an engine says of itself to whoever comes."""

from __future__ import annotations

import platform
import sys

from kmm import __version__
from kmm.clip import FPS
from kmm.protocol import Limits, Welcome
from kmm.server.worker import Pipeline
from kmm.skeleton import JOINT_NAMES


def welcome(pipeline: Pipeline, request_id: str) -> Welcome:
    versions = {"kmm": __version__, "python": platform.python_version()}
    if torch := sys.modules.get("torch"):
        versions["torch"] = str(torch.__version__)
    return Welcome(
        weights=pipeline.name,
        licence=pipeline.licence,
        sha256=pipeline.sha256,
        device=str(pipeline.device),
        fps=FPS,
        joint_names=JOINT_NAMES,
        limits=Limits(),
        versions=versions,
        prompts=dict(pipeline.prompts),
        request_id=request_id,
    )
