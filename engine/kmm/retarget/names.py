"""Bone names as people spell them: sides, namespaces, prefixes, numbers."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

#: What names the left and the right side, the longest first.
SIDE_WORDS: tuple[tuple[str, str], ...] = (
    ("Left", "Right"), ("left", "right"), ("LEFT", "RIGHT"), ("L", "R"), ("l", "r"), ("左", "右"),
)  # fmt: skip

_LEFT = {left.lower() for left, _ in SIDE_WORDS}
_RIGHT = {right.lower() for _, right in SIDE_WORDS}

#: Words that say what kind of thing a bone is, not which: exporters and rigs add and drop them.
_NOISE = {
    "mixamorig",
    "def",
    "org",
    "cc",
    "base",
    "j",
    "bip",
    "valve",
    "biped",
    "character",
    "rig",
    "skeleton",
}
_NOISE |= {"armature", "bone", "bn", "jnt", "b", "c", "sk"}
#: Of these, the ones that are often numbered: mixamorig1, Bip01, Character1.
_NUMBERED = {"mixamorig", "bip", "character"}

_TOKENS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[左右]|[^\W\dA-Za-z_左右]+")


def without_namespace(name: str) -> str:
    """ "a:b|mixamorig:Hips" -> "Hips"."""
    return re.split(r"[:|]", name)[-1]


def side_of(name: str) -> str:
    """ "left", "right" or "" for a name that says neither."""
    return key(name)[0]


def key(name: str) -> tuple[str, str]:
    """Side and core of a name, alike for all spellings of it.

    "mixamorig1:LeftUpLeg", "Left_Up_Leg" and "upleg.L" have the key ("left", "upleg").
    """
    tokens = _TOKENS.findall(unicodedata.normalize("NFKC", without_namespace(name)))
    side, core, noise = "", [], []
    i = 0
    while i < len(tokens):
        token = tokens[i].lower()
        if not side and (token in _LEFT or token in _RIGHT):
            side = "left" if token in _LEFT else "right"
        elif token in _NOISE:
            noise.append(token)
            i += token in _NUMBERED and i + 1 < len(tokens) and tokens[i + 1].isdigit()
        else:
            core.append(str(int(token)) if token.isdigit() and token.isascii() else token)
        i += 1
    return side, "".join(core or noise)


def other_side(name: str) -> str | None:
    """The name of the same bone on the other side, or None if the name does not say its side.

    Where a letter could be the side in several places, the last one that stands alone is.
    """
    for words in SIDE_WORDS:
        for word, other in (words, words[::-1]):
            alone = r"(?<![A-Za-z]){}(?![A-Za-z])" if len(word) == 1 and word.isascii() else "{}"
            found = list(re.finditer(alone.format(word), name))
            if found:
                place = found[-1] if len(word) == 1 else found[0]
                return name[: place.start()] + other + name[place.end() :]
    # lThigh, LHipJoint: a letter against a capital
    glued = re.match(r"^(.*[^A-Za-z])?([lrLR])(?=[A-Z][a-z])", name)
    if glued:
        at = glued.start(2)
        return name[:at] + {"l": "r", "r": "l", "L": "R", "R": "L"}[name[at]] + name[at + 1 :]
    return None


class Lookup:
    """Finds the bones of a rig that names mean."""

    def __init__(self, names: Iterable[str]) -> None:
        self._exact = tuple(names)
        self._set = frozenset(self._exact)
        self._plain: dict[str, list[str]] = {}
        self._keys: dict[tuple[str, str], list[str]] = {}
        for name in self._exact:
            self._plain.setdefault(without_namespace(name).lower(), []).append(name)
            self._keys.setdefault(key(name), []).append(name)
        # where a rig has several bones of one key, those in its commonest namespace and prefix are meant
        self._prefixes = Counter(re.split(r"[^A-Za-z0-9]", name)[0] for name in self._exact)

    def find(self, name: str) -> tuple[str, float]:
        """The rig's bone that the name means and how sure that is (1 for the very name), or ("", 0)."""
        if name in self._set:
            return name, 1.0
        for found, sure in (
            (self._plain.get(without_namespace(name).lower(), ()), 0.98),
            (self._keys.get(key(name), ()), 0.9),
        ):
            if found:
                return self._best(name, found), sure if len(found) == 1 else sure - 0.1
        return "", 0.0

    def _best(self, name: str, names: Sequence[str]) -> str:
        def rank(found: str) -> tuple[bool, int, int, str]:
            other_number = _last_number(found) != _last_number(
                name
            )  # Biped's Finger1 and Finger01 are two bones
            return other_number, -self._prefixes[re.split(r"[^A-Za-z0-9]", found)[0]], len(found), found

        return min(names, key=rank)


def _last_number(name: str) -> str:
    found = re.findall(r"\d+", name)
    return str(found[-1]) if found else ""
