"""Bone names as people spell them: sides, namespaces, prefixes."""

from __future__ import annotations

#: What names the left and the right side, the longest first.
SIDE_WORDS: tuple[tuple[str, str], ...] = (
    ("Left", "Right"), ("left", "right"), ("LEFT", "RIGHT"), ("L", "R"), ("l", "r"), ("左", "右"),
)  # fmt: skip
