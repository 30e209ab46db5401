import numpy as np
import pytest
from kmm.clip import FPS, Clip, Segment
from kmm.evaluation import long
from kmm.evaluation.directions import Check

from ..data.figures import figure, walk


def stub(script, seed):
    """Walks whatever is asked for, but stands in the second minute."""
    parts = []
    for number, (_, frames) in enumerate(script):
        moving = len(script) == 1 or number < 6
        parts.append(walk(1.2, frames / FPS) if moving else figure(frames / FPS))
    ends = np.cumsum([frames for _, frames in script])
    segments = tuple(Segment(p, int(e) - n, int(e)) for (p, n), e in zip(script, ends, strict=True))
    return Clip(
        np.concatenate([p.translation for p in parts]),
        np.concatenate([p.rotations for p in parts]),
        segments=segments,
    )


def test_prompts_are_spread_over_the_kinds_and_the_same_for_a_seed():
    chosen = long.choose(60)
    assert len(chosen) == 60 and all(isinstance(c, Check) for c in chosen)
    assert len({c.kind for c in chosen}) > 45
    assert [c.prompt for c in long.choose(60)] == [c.prompt for c in chosen]
    assert [c.prompt for c in long.choose(60, 1)] != [c.prompt for c in chosen]


def test_a_stream_that_stops_obeying_shows_in_its_minute(monkeypatch):
    forward = [c for c in long.checks() if c.kind == "walk forward"][:2]
    monkeypatch.setattr(long, "choose", lambda prompts, seed: [forward[i % 2] for i in range(prompts)])
    first, second = long.evaluate(stub, prompts=12)
    assert (first.asked, first.passed, first.passed_alone) == (6, 6, 6)
    assert (second.asked, second.passed, second.passed_alone) == (6, 0, 6)
    assert second.jerk < first.jerk and 0.8 < first.height[0] <= first.height[2] < 1.1
    assert "6 of 12   12 of 12" in long.table([first, second])


def test_boundaries_that_moved_are_an_error(monkeypatch):
    def shifted(script, seed):
        clip = stub(script, seed)
        cuts = tuple(Segment(s.prompt, s.start, s.end - 1) for s in clip.segments)
        return Clip(clip.translation, clip.rotations, segments=cuts)

    with pytest.raises(ValueError, match="segments"):
        long.evaluate(shifted, prompts=3)
