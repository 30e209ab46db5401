"""What people ask for, as kinds of action in a row: one thing, once or some times, some way, with an arm up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Shares of scripts that are going, turning about and back; going round a corner or a circle; going with arms up;
#: standing with arms raised or waved; a few steps. The others are any kind.
SHARES = {"back": 0.12, "around": 0.15, "arms up": 0.09, "gesture": 0.13, "few_steps": 0.07}
WALKED = 0.55  #: share of corners, circles and arms up that are walked, the others are run
ABOUT = "about"  #: kind of pieces that are made a half turn
#: Kinds that are asked for more often than others, and how much more.
POPULAR = re.compile(
    "about|walk_(forward|in_place|diagonal|left|right)|run_|turn_|jump$|jump_forward|squat|punch|kick|wave|"
    "raise_lower_both|up_|bend_down"
)
OFTEN = 3.0
#: Walks in every tempo, turns of every size, and punches, of which there are few to begin with.
MOST = ("walk_forward", "turn_left", "turn_right", "walk_in_place", "punch_left", "punch_right")
MOST_OFTEN = 8.0
COUNTED = re.compile("jump|squat|kick|punch")  #: kinds that are done once, twice or three times
GOING = re.compile("walk|run")  #: kinds that go on for some pieces
TIMES = (0.5, 0.3, 0.2)
HELD = 0.6  #: share of other actions around which a pose is held


@dataclass(frozen=True)
class Script:
    """Kinds of pieces in order, and what is done to the whole.

    held: the poses at both ends are held for a while, else one may stand there. way: "corner" or "circle" for walks
    and runs that go round one, "back" for those that return. arms: whether arms are up or waved meanwhile.
    """

    kinds: tuple[str, ...]
    held: bool = False
    way: str = ""
    arms: bool = False


class Scripts:
    """Draws scripts of the kinds that there are pieces of."""

    def __init__(self, kinds: Sequence[str]) -> None:
        self.names = sorted(set(kinds) - {"stand"})
        self.stand = "stand" in kinds
        self.gaits = [k for k in ("walk_forward", "run_forward") if k in kinds]
        weight = np.array([OFTEN if POPULAR.match(k) else 1.0 for k in self.names])
        weight[[k in MOST for k in self.names]] = MOST_OFTEN
        self.weight = weight / weight.sum()

    def draw(self, rng: np.random.Generator) -> Script:
        what = str(rng.choice([*SHARES, "any"], p=[*SHARES.values(), 1 - sum(SHARES.values())]))
        if what == "back" and {ABOUT, "walk_forward"} <= set(self.names):
            # walks are cut anywhere: by chance one back is as long as the one away, two are cut where it began
            return Script(("walk_forward", ABOUT) + ("walk_forward",) * int(rng.integers(1, 3)), way="back")
        if what == "around" and self.gaits:
            way = ("corner", "circle")[rng.integers(2)]
            return Script((self._gait(rng),) * (3 if way == "circle" else 2), way=way)
        if what == "arms up" and self.gaits:
            return Script((self._gait(rng),) * int(rng.integers(1, 3)), arms=True)
        if what == "gesture" and self.stand:
            return Script(("stand",), arms=True)
        kind = what if what in self.names else self.names[rng.choice(len(self.names), p=self.weight)]
        again = COUNTED.match(kind) or GOING.match(kind)
        kinds = [kind] * (1 + int(rng.choice(3, p=TIMES)) if again else 1)
        held = not GOING.match(kind) and kind != "few_steps" and rng.random() < HELD
        return Script(tuple(kinds), bool(held))

    def _gait(self, rng: np.random.Generator) -> str:
        """Walking or running."""
        return self.gaits[0 if rng.random() < WALKED else -1]

    def among_standing(self, kinds: Sequence[str], rng: np.random.Generator) -> tuple[str, ...]:
        """These kinds, as often as is likely with standing before and after them."""
        if self.stand:
            before, after = rng.random(2) < _standing(kinds)
            kinds = ["stand"] * bool(before) + list(kinds) + ["stand"] * bool(after)
        return tuple(kinds)


def _standing(kinds: Sequence[str]) -> tuple[float, float]:
    """How often one stands before and after these: not where one sits, lies or runs."""
    first, last = kinds[0], kinds[-1]
    if first.startswith("run"):
        return 0.1, 0.1
    if first == "few_steps":
        return 0.85, 0.9
    if first.startswith("walk"):
        return 0.35, 0.35
    low = ("sit", "lie", "kneel", "crouch")
    return 0.0 if first in low or first.startswith("up_") else 0.6, 0.0 if last.startswith(low) else 0.75
