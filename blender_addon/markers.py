"""The storyboard's boundaries as markers on the timeline. Only markers that we made are ever touched."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
from bpy.props import IntProperty

LONGEST_NAME = 60


class KMM_Marker(bpy.types.PropertyGroup):
    """Name and frame of a marker that we made; one that was moved or renamed since is the user's own."""

    frame: IntProperty()


def update(scene: bpy.types.Scene, boundaries: Sequence[tuple[int, str]]) -> None:
    """Let the timeline show these boundaries, or none where markers are not wanted."""
    settings = scene.kmm
    wanted = [(frame, name[:LONGEST_NAME]) for frame, name in boundaries] if settings.show_markers else []
    ours = [(marker.frame, marker.name) for marker in settings.markers]
    if wanted == ours:
        return
    for frame, name in ours:
        found = next((m for m in scene.timeline_markers if (m.frame, m.name) == (frame, name)), None)
        if found is not None:
            scene.timeline_markers.remove(found)
    settings.markers.clear()
    for frame, name in wanted:
        marker = scene.timeline_markers.new(name, frame=frame)
        made = settings.markers.add()
        made.name, made.frame = marker.name, frame
