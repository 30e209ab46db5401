"""What every message has, and the kinds of values that messages hold.

Constructing a message checks its fields against their annotations, so neither side can send what the other must
refuse, and decoding is: read a map, construct, and report what is wrong as one `ProtocolError`.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from kmm.protocol.checked import Bounds, Checked
from kmm.protocol.limits import MAX_SEED

Id = Annotated[str, Bounds(1, 64)]
Name = Annotated[str, Bounds(1, 256)]
Sentence = Annotated[str, Bounds(0, 2048)]
Count = Annotated[int, Bounds(0, MAX_SEED)]
Seed = Annotated[int, Bounds(0, MAX_SEED)]
Seconds = Annotated[float, Bounds(0, 1e12)]


def new_id() -> str:
    """A fresh id for a message or a request."""
    return uuid.uuid4().hex


@dataclass(frozen=True, kw_only=True)
class Message(Checked):
    """The envelope: what every message carries besides the protocol version and its type."""

    type: ClassVar[str]

    message_id: Id = field(default_factory=new_id)
