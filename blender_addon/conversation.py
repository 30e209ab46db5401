"""What one generation and the engine say to each other: the request, its replies, and that it is no longer wanted."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

from kmm.client import Client, ClientError
from kmm.protocol import ProtocolError, Reply

from .asking import ask
from .engine import Engine, State
from .request import Request, UserError

SILENCE_SECONDS = 300.0  #: a request of which nothing is heard for so long is given up


class Conversation:
    """Asks as soon as the engine is there."""

    def __init__(self, request: Request, fps: float) -> None:
        """fps: of the scene."""
        self._request, self._fps = request, fps
        self._client: Client | None = None
        self._id: str | None = None
        self._news: deque[Reply] = deque()  # that came from the engine and was not yet looked at
        self._heard = time.monotonic()

    @property
    def fps(self) -> float:
        """The engine's own frame rate. Known as soon as there are replies."""
        assert self._client is not None
        return self._client.welcome.fps

    def replies(self, engine: Engine, deadline: float) -> Iterator[Reply]:
        """What came since, while there is time. Raises UserError, with the reason, where nothing more will come."""
        if engine.state is State.STARTING:
            self.reset_silence()
            return
        if engine.client is None:
            raise UserError(engine.message or "The engine was stopped")
        try:
            if self._id is None:
                self._client, self._id = engine.client, ask(engine.client, self._request, self._fps)
            if not self._news:
                self._news.extend(engine.client.poll())
            while self._news:
                reply = self._news.popleft()
                if reply.request_id == self._id:
                    self.reset_silence()
                    yield reply
                if time.perf_counter() > deadline:
                    break
        except ProtocolError as error:
            raise UserError(error.message) from error
        except ClientError as error:
            engine.fail("The engine stopped unexpectedly")
            raise UserError(engine.message) from error
        if time.monotonic() - self._heard > SILENCE_SECONDS:
            self.cancel()
            raise UserError("The engine has sent nothing for too long")

    def reset_silence(self) -> None:
        """Silence counts from now."""
        self._heard = time.monotonic()

    def cancel(self) -> None:
        """Let the engine work on it no more."""
        if self._client is not None and self._id is not None:
            with suppress(ClientError):
                self._client.cancel(self._id)
