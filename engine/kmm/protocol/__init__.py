"""The wire between the engine and its clients: the messages, their limits, and the codec.

docs/protocol.md describes it for people who write a client in another language; a test keeps the two in step.
A message is a multipart ZeroMQ message: the first part is a MessagePack map (the header: the envelope and the
message's own fields), the others are raw little-endian float32 buffers. Field names follow the Motion Model
Context Protocol where it has one.
"""

from kmm.protocol.checked import (
    BUFFERS,
    Bounds,
    Checked,
)
from kmm.protocol.codec import (
    decode_reply,
    decode_request,
    encode,
)
from kmm.protocol.connection import (
    Connection,
)
from kmm.protocol.limits import (
    DEAD_AFTER_SECONDS,
    ERROR_CODES,
    HEARTBEAT_SECONDS,
    MAX_CHUNK_FRAMES,
    MAX_CONSTRAINTS,
    MAX_FRAMES,
    MAX_GIVEN_FRAMES,
    MAX_GUIDANCE,
    MAX_HEADER_BYTES,
    MAX_METRES,
    MAX_PART_BYTES,
    MAX_PROMPT_CHARACTERS,
    MAX_QUEUED_REQUESTS,
    MAX_SAMPLES,
    MAX_SEED,
    MAX_SEGMENTS,
    MAX_TRANSITION_FRAMES,
    PROTOCOL_VERSION,
    SLOW_CLIENT_SECONDS,
    ProtocolError,
)
from kmm.protocol.messages import (
    Message,
    new_id,
)
from kmm.protocol.replies import (
    REPLIES,
    Accepted,
    Done,
    Error,
    Frames,
    Goodbye,
    Limits,
    Pong,
    Progress,
    Reply,
    StatusReply,
    Welcome,
)
from kmm.protocol.requests import (
    REQUESTS,
    Cancel,
    Constraint,
    Generate,
    Hello,
    Ping,
    PromptSegment,
    Request,
    Shutdown,
    Status,
)

__all__ = [
    "BUFFERS",
    "DEAD_AFTER_SECONDS",
    "ERROR_CODES",
    "HEARTBEAT_SECONDS",
    "MAX_CHUNK_FRAMES",
    "MAX_CONSTRAINTS",
    "MAX_FRAMES",
    "MAX_GIVEN_FRAMES",
    "MAX_GUIDANCE",
    "MAX_HEADER_BYTES",
    "MAX_METRES",
    "MAX_PART_BYTES",
    "MAX_PROMPT_CHARACTERS",
    "MAX_QUEUED_REQUESTS",
    "MAX_SAMPLES",
    "MAX_SEED",
    "MAX_SEGMENTS",
    "MAX_TRANSITION_FRAMES",
    "PROTOCOL_VERSION",
    "REPLIES",
    "REQUESTS",
    "SLOW_CLIENT_SECONDS",
    "Accepted",
    "Bounds",
    "Cancel",
    "Checked",
    "Connection",
    "Constraint",
    "Done",
    "Error",
    "Frames",
    "Generate",
    "Goodbye",
    "Hello",
    "Limits",
    "Message",
    "Ping",
    "Pong",
    "Progress",
    "PromptSegment",
    "ProtocolError",
    "Reply",
    "Request",
    "Shutdown",
    "Status",
    "StatusReply",
    "Welcome",
    "decode_reply",
    "decode_request",
    "encode",
    "new_id",
]
