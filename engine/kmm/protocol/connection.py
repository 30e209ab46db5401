"""The connection file: where an engine listens, and the keys to be let in."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import Any

from kmm.protocol.checked import Checked, construct
from kmm.protocol.messages import Count, Name


@dataclass(frozen=True)
class Connection(Checked):
    """The connection file: JSON that `kmm serve` writes for its user alone. Keys are CURVE keys in Z85."""

    address: Name
    server_key: Name
    client_public_key: Name
    client_secret_key: Name
    pid: Count  #: of the engine process
    protocol: Count
    version: Name  #: of kmm

    @classmethod
    def from_map(cls, values: dict[str, Any]) -> Connection:
        """From the parsed JSON; raises ProtocolError."""
        return typing.cast(Connection, construct(cls, values, "the connection file"))
