"""KMM: text to motion with a Key Frame Mask Mamba. The light half needs numpy, pyzmq and msgpack only.

import kmm

pipeline = kmm.Pipeline.load()                         # in this process; needs kmm[engine]
client = kmm.Client.connect("connection.json")         # a running engine; needs kmm alone
clip = client.motion(["a person walks forward@3"], seed=1)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from kmm.aio import AsyncClient
    from kmm.client import Client, ClientError
    from kmm.clip import Clip
    from kmm.given import Given
    from kmm.model.pipeline import Pipeline
    from kmm.protocol import Frames, Progress, PromptSegment
    from kmm.source import Source

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "Clip",
    "Frames",
    "Given",
    "Pipeline",
    "Progress",
    "PromptSegment",
    "Source",
]

#: Where they are: imported when they are first asked for, so that `import kmm` costs nothing and needs nothing.
_HOMES = {
    "AsyncClient": "kmm.aio",
    "Client": "kmm.client",
    "ClientError": "kmm.client",
    "Clip": "kmm.clip",
    "Frames": "kmm.protocol",
    "Given": "kmm.given",
    "Pipeline": "kmm.model.pipeline",
    "Progress": "kmm.protocol",
    "PromptSegment": "kmm.protocol",
    "Source": "kmm.source",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kmm' has no attribute {name!r}")
    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if name != "Pipeline":
            raise
        raise ModuleNotFoundError(
            f"kmm.Pipeline needs {error.name}; install the engine's packages with: pip install 'kmm[engine]'",
            name=error.name,
        ) from error


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
