"""`kmm serve --mmcp`: the Motion Model Context Protocol over HTTP, in front of an engine.

The wire is MMCP's own SDK's (motionmcp-sdk, https://animatica.ai/mmcp); what is here maps its requests to ours and
our takes to its results. The gateway is a client of the engine like any other, so queue and limits hold for it too.
MMCP's world is metres, Y up, facing +Z; its quaternions are (x, y, z, w). Needs: pip install 'kmm[mmcp]'.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import secrets
import socket
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

try:
    import uvicorn
    from motionmcp import Backbone, GenerateRequest, ModelSpec, MotionResult, build_app
    from motionmcp import ProtocolError as Refusal
    from starlette.middleware.trustedhost import TrustedHostMiddleware
except ImportError as error:
    raise ValueError("MMCP needs its SDK; install it with: pip install 'kmm[mmcp]'") from error

from kmm import __version__
from kmm import rotations as rot
from kmm.client import Client, ClientError, EngineGone, EngineTimeout, assemble
from kmm.clip import Clip, resampled_length, sample
from kmm.formats.axes import to_file, turn
from kmm.given import Given
from kmm.protocol import (
    MAX_CONSTRAINTS,
    MAX_FRAMES,
    MAX_PROMPT_CHARACTERS,
    Error,
    Frames,
    PromptSegment,
    ProtocolError,
)
from kmm.rotations import Array
from kmm.skeleton import CONTACT_JOINTS, JOINT_NAMES, PARENTS, REST_OFFSETS, STANDING_HEIGHT

#: Our error codes -> MMCP's; what is not here is `internal_error`.
CODES = {
    "invalid": "invalid_request",
    "malformed": "invalid_request",
    "too_large": "invalid_options",
    "busy": "rate_limited",
    "shutting_down": "model_unavailable",
}
ANYTHING = "a person moves"  #: said for stretches without a prompt
HOST = "127.0.0.1"
END_SECONDS = 5.0  #: for the HTTP server to end


class Gateway(Backbone):
    """One engine as a model of MMCP."""

    def __init__(self, connection_file: str | os.PathLike[str]) -> None:
        """Raises ClientError if no engine answers."""
        self._connection_file = connection_file
        with self._client() as client:
            self._welcome = client.welcome
        self.model_id = self._welcome.weights

    def capabilities(self) -> ModelSpec:
        limits = self._welcome.limits
        return ModelSpec(
            id=self.model_id,
            fps=self._welcome.fps,
            canonical_skeleton=skeleton(),
            supports_segment_seed=True,
            supports_loop=True,
            supported_constraints=["pose_keyframe"],
            supported_segments=["text", "unconditioned"],
            supported_guidance_types=["nocfg", "regular"],
            predicted_contact_joints=[JOINT_NAMES[joint] for joint in CONTACT_JOINTS],
            native_clip_seconds=5.0,
            chunking="stitched",
            recommended_max_duration_seconds=60.0,
            limits={
                "max_duration_seconds": MAX_FRAMES / self._welcome.fps,
                "max_num_samples": limits.max_samples,
                "max_constraints_per_request": MAX_CONSTRAINTS,
                "max_prompt_length": MAX_PROMPT_CHARACTERS,
            },
        )

    async def generate(self, request: GenerateRequest) -> MotionResult:
        return await asyncio.to_thread(self._generate, request)

    def _client(self) -> Client:
        return Client.connect(self._connection_file, timeout=30.0, name=f"MMCP, kmm {__version__}")

    def _generate(self, request: GenerateRequest) -> MotionResult:
        wanted = Asked(request, self._welcome.fps)
        try:
            with self._client() as client:
                clips, seeds = _takes(client, wanted)
        except ProtocolError as error:
            raise Refusal(CODES.get(error.code, "internal_error"), error.message) from error
        except EngineGone as error:
            raise Refusal("model_unavailable", str(error)) from error
        except EngineTimeout as error:
            raise Refusal("timeout", str(error)) from error
        except ClientError as error:
            raise Refusal("internal_error", str(error)) from error
        return result([wanted.resampled(clip) for clip in clips], [*wanted.notes, *_told(seeds)])


class Asked:
    """A request of MMCP as arguments of `Client.generate`. Raises motionmcp.ProtocolError for what we cannot do.

    segments, options (seed, guidance, num_samples, loop, transition_frames, given), notes for the answer.
    """

    def __init__(self, request: GenerateRequest, engine_fps: float) -> None:
        self._engine_fps, self._fps = engine_fps, request.fps(engine_fps)
        self._frames = request.total_frames
        self.notes: list[dict[str, str]] = []
        asked = request.options
        texts = [getattr(s, "prompt", None) for s in request.segments] or [None]
        ends = np.cumsum([s.duration_frames for s in request.segments] or [self._frames])
        seeds = [s.seed for s in request.segments] or [None]
        self.segments = self._segments(texts, ends, seeds)
        self.options: dict[str, Any] = {
            "seed": secrets.randbelow(2**31) if asked is None or asked.seed is None else asked.seed,
            "guidance": _guidance(asked),
            "given": self._given(request),
        }
        if asked is not None:
            self.options |= {"num_samples": asked.num_samples, "loop": asked.loop}
            if "transition_frames" in asked.model_fields_set:
                self.options["transition_frames"] = asked.transition_frames
            for name in sorted(asked.model_fields_set & {"diffusion_steps", "post_processing"}):
                self._note("ignored_option", f"this model has no {name}; the value sent changes nothing")
        if all(text is None for text in texts):
            self.options["guidance"] = 0.0  # the model's own "any text"
        elif None in texts:
            self._note("unconditioned", f"segments without a prompt are made from {ANYTHING!r}")

    def resampled(self, clip: Clip) -> Clip:
        """A take at the request's rate, of exactly as many frames as it asks for."""
        if self._fps == self._engine_fps:
            return clip
        at = np.arange(self._frames) * (self._engine_fps / self._fps)
        translation, rotations, contacts = sample(clip, at)
        return Clip(translation, rotations, self._fps, contacts)

    def _at_engine(self, frame: float) -> int:
        return round(float(frame) * self._engine_fps / self._fps)

    def _segments(
        self, texts: Sequence[str | None], ends: Array, seeds: Sequence[int | None]
    ) -> list[PromptSegment]:
        """The prompts with their lengths at the engine's rate; all together hold the last frame asked for."""
        bounds = [0, *(self._at_engine(end) for end in ends)]
        if self._fps != self._engine_fps:
            needed = resampled_length(self._frames, self._fps, self._engine_fps) + 1
            bounds[-1] = max(bounds[-1], needed)
        if any(b <= a for a, b in itertools.pairwise(bounds)):
            raise Refusal("invalid_options", "a segment is shorter than a frame of the model's own rate")
        try:
            return [
                PromptSegment(text or ANYTHING, b - a, seed)
                for text, (a, b), seed in zip(texts, itertools.pairwise(bounds), seeds, strict=True)
            ]
        except ProtocolError as error:
            raise Refusal(CODES.get(error.code, "internal_error"), error.message) from error

    def _given(self, request: GenerateRequest) -> Given | None:
        """Poses at frames; MMCP's pose keyframes must be whole ones here."""
        poses: dict[int, tuple[Array, Array]] = {}
        for constraint in sorted(request.constraints, key=lambda c: c.frame):
            missing = [name for name in JOINT_NAMES if name not in constraint.joint_rotations]
            if missing and constraint.fill_mode == "generate":
                raise Refusal(
                    "invalid_request",
                    f"this model takes whole poses: the keyframe at {constraint.frame} has no rotation for "
                    f"{missing[0]!r}; send all {len(JOINT_NAMES)} joints, or fill_mode 'rest'",
                )
            if constraint.root_position is None:
                raise Refusal(
                    "invalid_request",
                    f"the keyframe at {constraint.frame} needs a root_position for this model",
                )
            rotations = np.tile(rot.IDENTITY, (len(JOINT_NAMES), 1))
            for joint, name in enumerate(JOINT_NAMES):
                if name in constraint.joint_rotations:
                    x, y, z, w = constraint.joint_rotations[name]
                    rotations[joint] = (w, x, y, z)
            if not (np.linalg.norm(rotations, axis=-1) > 1e-6).all():
                raise Refusal(
                    "invalid_request", f"the keyframe at {constraint.frame} has a rotation of no length"
                )
            poses[self._at_engine(constraint.frame)] = (
                np.array(constraint.root_position, dtype=float), rot.normalize(rotations)
            )  # fmt: skip
        if not poses:
            return None
        world = rot.inv(turn("y"))
        translation = rot.apply(world, np.stack([at for at, _ in poses.values()]))
        rotations = np.stack([pose for _, pose in poses.values()])
        rotations[:, 0] = rot.multiply(world, rotations[:, 0])
        return Given(np.array(list(poses)), translation, rotations)

    def _note(self, code: str, message: str) -> None:
        self.notes.append({"code": code, "severity": "info", "message": message})


def skeleton() -> dict[str, Any]:
    """SMPL's 22 joints as MMCP has them: at rest in the T-pose, facing +Z, standing on the floor."""
    rest = REST_OFFSETS.copy()
    rest[0] = (0.0, STANDING_HEIGHT, 0.0)
    return {
        "joints": [
            {
                "name": name,
                "parent": None if parent < 0 else JOINT_NAMES[parent],
                "rest_translation": tuple(at),
                "rest_rotation": (0.0, 0.0, 0.0, 1.0),
            }
            for name, parent, at in zip(JOINT_NAMES, PARENTS, rest.tolist(), strict=True)
        ]
    }


def result(clips: Sequence[Clip], notes: list[dict[str, str]]) -> MotionResult:
    """Takes as MMCP's result."""
    worlds = [to_file(clip, "m", "y") for clip in clips]
    contacts = np.stack([clip.contacts > 0.5 for clip in clips if clip.contacts is not None])
    return MotionResult(
        rotations=np.stack([rot.unflip(rotations)[..., [1, 2, 3, 0]] for _, rotations in worlds]),
        root_translations=np.stack([position for position, _ in worlds]),
        foot_contacts={JOINT_NAMES[joint]: contacts[..., i] for i, joint in enumerate(CONTACT_JOINTS)},
        notes=notes,
    )


def _guidance(asked: Any) -> float | None:
    if asked is None or asked.guidance is None:
        return None
    if asked.guidance.type == "separated":
        raise Refusal("invalid_options", "guidance must be nocfg or regular for this model")
    return 1.0 if asked.guidance.type == "nocfg" else float(asked.guidance.weight[0])


def _takes(client: Client, wanted: Asked) -> tuple[list[Clip], Sequence[int]]:
    """All takes, in order, and their seeds."""
    takes: defaultdict[int, list[Frames]] = defaultdict(list)
    seeds: Sequence[int] = ()
    for event in client.events(client.generate(wanted.segments, **wanted.options)):
        if isinstance(event, Error):
            raise ProtocolError(event.code, f"{event.message} {event.action}")
        if isinstance(event, Frames):
            takes[event.sample].append(event)
        seeds = getattr(event, "seeds", seeds)
    return [assemble(takes[i], wanted.segments, client.welcome.fps) for i in sorted(takes)], seeds


def _told(seeds: Sequence[int]) -> list[dict[str, str]]:
    text = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}"
    return [{"code": "seed", "severity": "info", "message": text}]


@contextlib.contextmanager
def serving(connection_file: str | os.PathLike[str], port: int = 8000) -> Iterator[str]:
    """MMCP over HTTP while the context lasts, in a thread; gives the URL. port 0: any free one.

    Only on this machine's own address: MMCP knows no keys, so from elsewhere it is reached through ssh. Requests must
    name this address too, so that no page in a browser gets at it by a name of its own. OSError if the port is taken.
    """
    listener = socket.create_server((HOST, port))
    servers: list[uvicorn.Server] = []
    ready = threading.Event()

    def run() -> None:
        try:
            app = build_app(Gateway(connection_file), title="KMM")
            app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
            servers.append(
                uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
            )
        finally:
            ready.set()
        asyncio.run(servers[0].serve([listener]))

    thread = threading.Thread(target=run, name="mmcp", daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{listener.getsockname()[1]}"
    finally:
        if ready.wait(END_SECONDS) and servers:
            servers[0].should_exit = True
        thread.join(END_SECONDS)
        listener.close()
