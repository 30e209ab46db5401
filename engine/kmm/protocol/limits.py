"""What the wire allows: its version, its limits, its times, and its closed list of error codes."""

from __future__ import annotations

from collections.abc import Mapping

PROTOCOL_VERSION = 2

MAX_PART_BYTES = 4 * 2**20  #: a larger part closes the connection, before it is read
MAX_HEADER_BYTES = 2**20
MAX_SEGMENTS = 1024
MAX_PROMPT_CHARACTERS = 512
MAX_FRAMES = 108_000  #: of one request, all its takes together: one hour at 30 frames per second
MAX_SAMPLES = 16  #: takes of one request
MAX_TRANSITION_FRAMES = 60
MAX_CONSTRAINTS = 1024  #: stretches of given frames in one request
MAX_GIVEN_FRAMES = 10_000  #: in all of them; their rotations then just fit into one part
MAX_METRES = 10_000.0  #: of a given position from the origin: beyond, float32 is coarser than a millimetre
MAX_CHUNK_FRAMES = 1024  #: of one `frames` message
MAX_QUEUED_REQUESTS = 8  #: of one client, the running one included
MAX_SEED = 2**53 - 1  #: exact as a double, so that every language can hold it
MAX_GUIDANCE = 20.0

HEARTBEAT_SECONDS = 5.0  #: a client that has heard nothing for so long sends a ping
DEAD_AFTER_SECONDS = 15.0  #: an engine that has left a ping unanswered for so long is taken for dead
SLOW_CLIENT_SECONDS = 60.0  #: a client that reads nothing for so long, with frames waiting, is dropped

#: Every code of an error, and what to do about it.
ERROR_CODES: Mapping[str, str] = {
    "malformed": "Check the client against the protocol document.",
    "wrong_version": "Install the same version of KMM on both sides.",
    "too_large": "Keep to the limits in the welcome message.",
    "invalid": "Correct the value and send the request again.",
    "duplicate_request": "Use a new request id for every request.",
    "unknown_request": "Nothing: the request is not waiting or running any more.",
    "busy": "Wait until one of your requests is done.",
    "slow_client": "Read the messages as they come, and send the request again.",
    "cancelled": "Nothing: the frames already sent stay valid.",
    "shutting_down": "Start the engine again.",
    "engine_failure": "Try again; if it comes back, report it with the engine's log.",
}


class ProtocolError(ValueError):
    """A message that breaks the protocol: a code of `ERROR_CODES`, one sentence, and whose request it was."""

    def __init__(self, code: str, message: str, request_id: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id
