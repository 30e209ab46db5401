"""A line of a jobs file is takes or one sentence, whatever is in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kmm import formats
from kmm.batch import run
from kmm.batch.jobs import Failed, Job, Take, parse, read
from kmm.protocol import MAX_SEED

WALK = {"prompts": ["a person walks forward@2", "a person turns left@1.5"]}


def line(**fields: Any) -> bytes:
    return json.dumps(WALK | fields).encode()


def test_a_job_with_nothing_but_prompts() -> None:
    [take] = parse(line(), 7)
    assert take.name == "000007"
    assert [(s.prompt, s.duration_frames) for s in take.segments] == [
        ("a person walks forward", 60),
        ("a person turns left", 45),
    ]
    assert take.files == ("000007.npz",)
    assert not take.loop
    [again] = parse(line(), 7)
    assert again == take, "the seed follows from the id"
    [other] = parse(line(), 8)
    assert other.seed != take.seed


def test_samples_are_takes_with_rising_seeds() -> None:
    takes = parse(line(id="walk", seed=5, samples=3, format=["npz", "bvh", "npz"]), 1)
    assert [(take.name, take.seed) for take in takes] == [("walk-0", 5), ("walk-1", 6), ("walk-2", 7)]
    assert takes[1].files == ("walk-1.npz", "walk-1.bvh")
    [alone] = parse(line(id="other", seed=6), 1)
    assert alone.digest == takes[1].digest, "it is the motion that is told apart, not its name"
    assert len({take.digest for take in takes}) == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"seed": 6},
        {"guidance": 1.0},
        {"loop": True},
        {"transition_frames": 3},
        {"constraints": [{"start": 0, "count": 9, "clip": "a.npz"}]},
        {"prompts": ["a person walks forward@2", "a person turns left@1.6"]},
        {"rig": "hero.blend"},
    ],
)
def test_what_makes_another_motion_has_another_digest(fields: dict[str, Any]) -> None:
    [take], [other] = parse(line(seed=5), 1), parse(line(**({"seed": 5} | fields)), 1)
    assert take.digest != other.digest


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"walk", "Not a job"),
        (b"[]", "Not a job"),
        (b"{}", "prompts"),
        (b"\xff", "Not a job"),
        (line(prompts=[]), "prompts"),
        (line(prompts=["a person walks"]), "does not end in a duration"),
        (line(prompts=["a person walks@3601"]), "108000"),
        (line(prompts=["@2"]), "prompt"),
        (line(sed=1), "sed"),
        (line(seed=-1), "seed"),
        (line(seed=MAX_SEED), "seed"),
        (line(seed="one"), "seed"),
        (line(samples=0), "samples"),
        (line(guidance=99), "guidance"),
        (line(id="../up"), "id"),
        (line(id=""), "id"),
        (line(id="walk\n"), "id"),
        (line(format="exe"), "npz"),
        (line(format=[]), "npz"),
        (line(format="npz", rig="hero.blend"), "fbx, glb, bvh"),
        (line(constraints=[{"start": 0}]), "count"),
        (line(constraints=[{"start": 100, "count": 10, "clip": "a.npz"}]), "beyond the 105 frames"),
        (line(note="x" * 2**20), "bytes"),
    ],
)
def test_a_wrong_line_is_one_sentence(text: bytes, sentence: str) -> None:
    [failed] = read([text])
    assert isinstance(failed, Failed)
    assert sentence in failed.sentence
    assert "\n" not in failed.sentence


@given(
    st.lists(st.binary(max_size=60) | st.sampled_from([line(), line(seed=1, samples=2), b"\n"]), max_size=6)
)
def test_any_lines_give_takes_and_sentences(lines: list[bytes]) -> None:
    results = list(read(lines))
    names = [item.name for item in results if isinstance(item, Take)]
    assert len(set(names)) == len(names)
    assert all(item.sentence for item in results if isinstance(item, Failed))
    assert len(results) == run.count(lines)


def test_no_name_is_given_twice() -> None:
    """Neither by ids, nor by samples, nor where the file system ignores case."""
    lines = [line(id="a", samples=2), line(id="a-1"), line(id="A-0"), line(id="b"), line(id="000004")]
    kinds = [(type(item), item.name) for item in read(lines)]
    assert kinds == [
        (Take, "a-0"),
        (Take, "a-1"),
        (Failed, "line 2"),
        (Failed, "line 3"),
        (Take, "b"),
        (Take, "000004"),
    ]


def test_every_format_can_be_asked_for() -> None:
    [take] = parse(line(format=[suffix.removeprefix(".") for suffix in formats.FORMATS]), 1)
    assert len(take.files) == len(formats.FORMATS)


def test_the_document_has_every_field_and_its_examples_are_jobs() -> None:
    document = (Path(__file__).parents[2] / "docs" / "batch.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`.*?`) \|", document, re.MULTILINE)
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == set(Job.__struct_fields__)
    examples = re.findall(r"^    (\{.*\})$", document, re.MULTILINE)
    assert len(examples) == 5
    assert all(isinstance(item, Take) for item in read([example.encode() for example in examples]))
