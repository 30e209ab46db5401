"""One engine as a model of MMCP."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from motionmcp import Backbone, GenerateRequest, ModelSpec, MotionResult
from motionmcp import ProtocolError as Refusal

from kmm import __version__
from kmm import rotations as rot
from kmm.client import Client, ClientError, EngineGone, EngineTimeout, assemble
from kmm.clip import Clip
from kmm.formats.axes import to_file
from kmm.mmcp.asked import CODES, Asked
from kmm.protocol import MAX_CONSTRAINTS, MAX_FRAMES, MAX_PROMPT_CHARACTERS, Error, Frames, ProtocolError
from kmm.skeleton import CONTACT_JOINTS, JOINT_NAMES, PARENTS, REST_OFFSETS, STANDING_HEIGHT


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
            supported_constraints=["pose_keyframe", "root_path", "effector_target"],
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
        return result([wanted.finished(clip) for clip in clips], wanted.told(seeds))


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
