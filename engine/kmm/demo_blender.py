"""The part of `kmm demo` that runs inside Blender: keys a stream onto a new armature as it arrives.

    blender -b --python demo_blender.py -- JOB     or     python demo_blender.py -- JOB

JOB is JSON: path (folders for Python to look in), connection_file, prompts, seed, blend (the file to write).
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import bpy
import numpy as np


def main(job: dict[str, Any]) -> None:
    from blender_addon import action_api, armature, character
    from blender_addon.keying import Keyer
    from kmm.client import Client, ClientError, assemble
    from kmm.clip import Clip
    from kmm.prompts import parse_prompts
    from kmm.protocol import Error, Frames
    from kmm.skeleton import JOINT_NAMES

    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    name = f"demo in Blender {bpy.app.version_string}"
    with Client.connect(job["connection_file"], timeout=30.0, name=name) as client:
        fps = client.welcome.fps
        segments = parse_prompts(job["prompts"], fps)
        scene.render.fps = round(fps)
        scene.frame_start, scene.frame_end = 1, sum(segment.duration_frames for segment in segments)
        body = character.create(bpy.context)
        action = action_api.new_action("KMM demo", body.name)
        action_api.assign(body, action)
        armature.use_quaternions(body)
        keyer = Keyer(action, armature.channels(), scene.frame_start, scene.frame_end)
        convert = armature.PoseConverter(body.data)

        start, chunks = time.monotonic(), []
        for event in client.events(client.generate(segments, job["seed"])):
            if isinstance(event, Error):
                raise ClientError(f"{event.message} {event.action}")
            if isinstance(event, Frames):
                keyer.append(convert(Clip(event.translation, event.rotations, fps)))
                keyer.write()
                chunks.append(event)
        seconds = time.monotonic() - start
    clip = assemble(chunks, segments, fps)
    for segment in clip.segments:
        scene.timeline_markers.new(segment.prompt, frame=scene.frame_start + segment.start)
    worst = 0.0
    for frame, positions in enumerate(clip.joints(), start=scene.frame_start):
        scene.frame_set(frame)
        heads = [body.matrix_world @ body.pose.bones[joint].head for joint in JOINT_NAMES]
        worst = max(worst, float(np.abs(np.array(heads) - positions).max()))
    scene.frame_set(scene.frame_start)
    bpy.ops.wm.save_as_mainfile(filepath=job["blend"])
    print(
        f"Written: {job['blend']}: {keyer.written} frames keyed while they came, in {seconds:.2f} s, in Blender "
        f"{bpy.app.version_string}; every joint is within {1000 * worst:.2g} mm of where it should be"
    )


if __name__ == "__main__":
    job = json.loads(sys.argv[sys.argv.index("--") + 1])
    sys.path.extend(job["path"])
    main(job)
    sys.stdout.flush()
    os._exit(0)  # Blender as a module may crash while it is torn down
