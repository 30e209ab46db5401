"""What an engine has done since its start, as its status tells it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from kmm.protocol import Done, Error
from kmm.server.worker import Job


@dataclass
class Figures:
    """The fields of `StatusReply` that count."""

    requests_started: int = 0
    requests_done: int = 0
    requests_failed: int = 0
    frames_made: int = 0
    seconds_waited: float = 0.0
    seconds_waited_longest: float = 0.0

    def started(self, job: Job) -> None:
        waited = time.monotonic() - job.queued
        self.requests_started += 1
        self.seconds_waited += waited
        self.seconds_waited_longest = max(self.seconds_waited_longest, waited)

    def ended(self, job: Job, last: Done | Error) -> None:
        self.frames_made += job.frames_done
        if isinstance(last, Done):
            self.requests_done += 1
        else:
            self.requests_failed += 1
