"""docs/protocol.md and kmm.protocol say the same."""

from __future__ import annotations

import re
import typing
from dataclasses import fields
from pathlib import Path

import pytest
from kmm import protocol

DOCUMENT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
ENVELOPE = {"message_id", "request_id"}
MESSAGES = {**protocol.REQUESTS, **protocol.REPLIES}


def rows(text: str) -> dict[str, list[str]]:
    """First cell (without its backquotes) -> the other cells, of all tables in the text."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and re.fullmatch(r"`\w+`", cells[0]):
            found[cells[0].strip("`")] = cells[1:]
    return found


def section(heading: str) -> str:
    start = DOCUMENT.index(f"\n{heading}\n")
    level = len(heading.split(" ")[0])
    following = re.compile(rf"^#{{1,{level}}} ", re.MULTILINE).search(DOCUMENT, start + 1 + level)
    return DOCUMENT[start : following.start() if following else None]


def message_texts(heading: str) -> dict[str, str]:
    """Message name -> what the section says from the line that starts with it up to the next such line."""
    text = section(heading)
    starts = [
        (m.group(1), m.start())
        for m in re.finditer(r"^`(\w+)`", text, re.MULTILINE)
        if m.group(1) in MESSAGES
    ]
    ends = [start for _, start in starts[1:]] + [len(text)]
    return {name: text[start:end] for (name, start), end in zip(starts, ends, strict=True)}


def annotations(cls: type) -> dict[str, object]:
    return typing.get_type_hints(cls, include_extras=True)


def bounds_of(annotation: object) -> tuple[float, float] | None:
    """The bounds of an annotation that has some: of the number, or of the length."""
    for part in (annotation, *typing.get_args(annotation)):
        if typing.get_origin(part) is typing.Annotated:
            limits = typing.get_args(part)[1]
            return limits.low, limits.high
    return None


def test_version() -> None:
    assert f"# The KMM wire protocol, version {protocol.PROTOCOL_VERSION}\n" in DOCUMENT
    assert rows(section("## Messages"))["protocol"][1] == str(protocol.PROTOCOL_VERSION)


@pytest.mark.parametrize(
    ("heading", "messages"),
    [
        ("### From the client to the engine", protocol.REQUESTS),
        ("### From the engine to the client", protocol.REPLIES),
    ],
)
def test_messages_and_their_fields(heading: str, messages: dict[str, type[protocol.Message]]) -> None:
    texts = message_texts(heading)
    assert texts.keys() == messages.keys()
    for name, cls in messages.items():
        documented = set(rows(texts[name]))
        if name == "generate":
            segment = {f.name for f in fields(protocol.PromptSegment)}
            constraint = {f.name for f in fields(protocol.Constraint)}
            assert segment | constraint <= documented
            documented -= (segment | constraint) - {"seed"}
        assert documented == {f.name for f in fields(cls)} - ENVELOPE - protocol.BUFFERS.keys(), name


@pytest.mark.parametrize(
    "cls", [protocol.Generate, protocol.PromptSegment, protocol.Constraint, protocol.Hello]
)
def test_bounds_of_what_a_client_sends(cls: type) -> None:
    text = message_texts("### From the client to the engine")[getattr(cls, "type", "generate")]
    own, _, rest = text.partition("A segment is a map")
    segment, _, constraint = rest.partition("A constraint is a map")
    table = {protocol.PromptSegment: segment, protocol.Constraint: constraint}.get(cls, own)
    hints = annotations(cls)
    assert rows(table)
    for name, cells in rows(table).items():
        bounds = bounds_of(hints[name])
        if hints[name] is bool:
            assert cells[0] == "true or false"
            continue
        assert bounds is not None
        assert f"{bounds[0]:.0f} to {bounds[1]:.0f}" in cells[0], name
        optional = type(None) in typing.get_args(hints[name])
        assert ("or nil" in cells[0]) == optional, name


def test_buffers() -> None:
    found = re.findall(r"^\| (\d), `(\w+)` \| \(n, ([\d, ]+)\) \|", DOCUMENT, re.MULTILINE)
    assert [(name, tuple(map(int, shape.split(", ")))) for _, name, shape in found] == list(
        protocol.BUFFERS.items()
    )


def test_error_codes() -> None:
    assert {code: cells[1] for code, cells in rows(section("## Error codes")).items()} == dict(
        protocol.ERROR_CODES
    )


def test_limits_and_times() -> None:
    documented = {**rows(section("## Limits")), **rows(section("## Time"))}
    constants = {n: v for n, v in vars(protocol).items() if re.match(r"MAX_|\w+_SECONDS$", n)}
    assert {name: float(cells[0]) for name, cells in documented.items()} == constants
    for f in fields(protocol.Limits):
        assert f"`{f.name}`" in DOCUMENT
        assert getattr(protocol.Limits(), f.name) == constants[f.name.upper()]


def test_connection_file() -> None:
    assert set(rows(section("## Finding the engine"))) == {f.name for f in fields(protocol.Connection)}
