"""The queue's order, on random comings and goings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from kmm.server.fair_queue import FairQueue


@dataclass(frozen=True)
class Job:
    client: bytes
    number: int


clients = st.sampled_from([b"a", b"b", b"c", b"d"])


def filled(owners: list[bytes]) -> tuple[FairQueue[Job], list[Job]]:
    queue: FairQueue[Job] = FairQueue()
    jobs = [Job(client, number) for number, client in enumerate(owners)]
    for job in jobs:
        queue.add(job)
    return queue, jobs


@given(st.lists(clients))
def test_everyone_has_a_turn_before_anyone_has_two(owners: list[bytes]) -> None:
    queue, jobs = filled(owners)
    told = list(queue)
    assert len(queue) == len(jobs)
    taken = [queue.next() for _ in jobs]
    assert taken == told, "the order that is told is the order that is kept"
    assert queue.next() is None
    assert Counter(taken) == Counter(jobs)
    counts = Counter(owners)
    for position, job in enumerate(taken):
        before = Counter(other.client for other in taken[:position])
        for client, asked in counts.items():
            assert before[client] >= min(asked, before[job.client]), "nobody is passed over"
        own = [other.number for other in taken if other and other.client == job.client]
        assert own == sorted(own), "a client's own are in order"


@given(st.lists(clients, min_size=1), st.data())
def test_one_that_leaves_changes_nothing_else(owners: list[bytes], data: st.DataObject) -> None:
    queue, jobs = filled(owners)
    gone = data.draw(st.sampled_from(jobs))
    queue.remove(gone)
    without, _ = filled([])
    for job in jobs:
        if job != gone:
            without.add(job)
    assert {job for job in queue} == set(jobs) - {gone}
    assert queue.of(gone.client) == [job for job in jobs if job.client == gone.client and job != gone]
    assert len(queue) == len(jobs) - 1
    assert [job for job in queue if job.client == gone.client] == queue.of(gone.client)


def test_who_comes_late_does_not_wait_for_all_of_the_others() -> None:
    queue, _ = filled([b"a"] * 5)
    assert queue.next() == Job(b"a", 0)
    queue.add(Job(b"late", 9))
    assert queue.next() == Job(b"a", 1)
    assert queue.next() == Job(b"late", 9)
