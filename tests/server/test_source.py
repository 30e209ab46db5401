"""Client, AsyncClient and Pipeline: the same calls, the same motions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any

import kmm
import numpy as np
import pytest
from kmm import protocol as p
from kmm.client import EngineGone
from kmm.source import as_segments

from .conftest import Start
from .engines import EngineProcess, idle, long_request, wait_for

WALK = ["a person walks forward@1.5", p.PromptSegment("a person turns left", 31)]


@pytest.fixture(scope="module")
def pipeline() -> kmm.Pipeline:
    return kmm.Pipeline.load("kmm-open", "cpu")


def with_client(engine: EngineProcess, act: Callable[[kmm.AsyncClient], Coroutine[Any, Any, Any]]) -> Any:
    """Runs a coroutine with an AsyncClient of the engine."""

    async def main() -> Any:
        async with await kmm.AsyncClient.connect(engine.connection_file, timeout=60) as client:
            return await act(client)

    return asyncio.run(main())


def told(events: list[Any]) -> list[tuple[Any, ...]]:
    """What events say, without time and ids."""
    return [
        (e.sample, e.start, e.rotations.tobytes()) if isinstance(e, kmm.Frames) else (e.done, e.total)
        for e in events
    ]


def test_the_same_events_everywhere(
    engine: EngineProcess, client: kmm.Client, pipeline: kmm.Pipeline
) -> None:
    options: dict[str, Any] = {"seed": 3, "num_samples": 2, "loop": True}
    here = told(list(pipeline.stream(WALK, **options)))
    there = told(list(client.stream(WALK, **options)))

    async def stream(client: kmm.AsyncClient) -> list[Any]:
        return [event async for event in client.stream(WALK, **options)]

    assert here == there
    assert here == told(with_client(engine, stream))
    assert any(len(event) == 3 and event[0] == 1 for event in here)


def test_takes_and_motion(engine: EngineProcess, client: kmm.Client, pipeline: kmm.Pipeline) -> None:
    sources: list[kmm.Source] = [client, pipeline]
    for source in sources:
        one, two = source.takes(WALK, 5, num_samples=2)  # type: ignore[call-arg]
        assert np.array_equal(source.motion(WALK, 6).rotations, two.rotations)
        assert [(s.prompt, s.start, s.end) for s in one.segments] == [
            ("a person walks forward", 0, 45),
            ("a person turns left", 45, 76),
        ]
        assert not np.array_equal(source.motion(WALK).rotations, source.motion(WALK).rotations), (
            "seeds are drawn"
        )

    async def both(client: kmm.AsyncClient) -> Any:
        return await asyncio.gather(
            client.motion(WALK, 5), client.motion(WALK, 6), client.ping(60), client.status(60)
        )

    first, second, seconds, status = with_client(engine, both)
    assert np.array_equal(first.rotations, one.rotations)
    assert np.array_equal(second.rotations, two.rotations)
    assert seconds > 0
    assert status.uptime_seconds > 0


def test_leaving_a_stream_ends_the_work(engine: EngineProcess, client: kmm.Client) -> None:
    for event in client.stream(long_request(), seed=1):
        if isinstance(event, kmm.Frames):
            break
    wait_for(lambda: idle(client))

    async def leave(other: kmm.AsyncClient) -> None:
        async with aclosing(other.stream(long_request(), seed=1)) as events:
            async for event in events:
                if isinstance(event, kmm.Frames):
                    break
        assert len(await other.motion(WALK, 1, timeout=60)) == 76

    with_client(engine, leave)
    wait_for(lambda: idle(client))


def test_what_cannot_be_asked(engine: EngineProcess, client: kmm.Client, pipeline: kmm.Pipeline) -> None:
    async def ask(client: kmm.AsyncClient, *arguments: Any) -> None:
        await client.motion(*arguments)

    for wrong in (["a person walks"], "a person walks@3", [], ["a person walks@3601"], ["@3"]):
        for source in (client, pipeline):
            with pytest.raises(ValueError):
                source.motion(wrong)
        with pytest.raises(ValueError):
            with_client(engine, lambda other, wrong=wrong: ask(other, wrong))  # type: ignore[misc]
    with pytest.raises(kmm.ClientError, match="at least 4"):
        client.motion([p.PromptSegment("a person walks", 1)])
    with pytest.raises(kmm.ClientError, match="at least 4"):
        with_client(engine, lambda other: ask(other, [p.PromptSegment("a person walks", 1)]))
    assert as_segments([]) == ()


def test_an_async_client_notices_that_the_engine_has_gone(start_engine: Start) -> None:
    engine = start_engine()

    async def ask(client: kmm.AsyncClient) -> None:
        async for event in client.stream(long_request(), seed=1):
            if isinstance(event, kmm.Frames):
                engine.process.kill()

    with pytest.raises(EngineGone, match="has stopped"):
        with_client(engine, ask)
    with pytest.raises(EngineGone):
        with_client(engine, ask)
