"""Which recordings are of one trial, whatever layout they come from, and that no trial is in two splits.

A trial is one take of the original capture. Layouts call it by different names, and several of them may be in one
folder: what one of them trains on must not be what another one tests on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kmm.data.records import SPLITS, Recording, Recordings, in_split

_CMU = re.compile(r"(?:cmu/\d+/)?(\d+)_(\d+)")  # the training set's own name, or AMASS's
_CUT = re.compile(r"([a-z]+)_.+")
_TAKE = re.compile(r"mpi_hdm05/([a-z]+)/.+")


@dataclass(frozen=True)
class Trial:
    """A trial's one name; one of a `group` of which each may hold the same motion as each of the group `like`."""

    name: str
    group: str | None = None
    like: str | None = None


def trial(recording: Recording) -> Trial:
    """The trial that a recording is of.

    CMU's are told by subject and number. Of HDM05 the training set has cuts, named by actor and action, and AMASS
    takes, named by actor and place in the script. Which cut is of which take nobody has written down, so that it may
    be any of the same actor's. All other trials are what their layout says.
    """
    name = recording.trial
    of_cmu = recording.set.startswith("cmu") or name.startswith("cmu/")
    if of_cmu and (found := _CMU.fullmatch(name)):
        subject, number = map(int, found.groups())
        return Trial(f"cmu/{subject}/{number}")
    if recording.set == "hdm05" and (found := _CUT.fullmatch(name)):
        return Trial(f"hdm05/{name}", f"hdm05 cuts of {found[1]}", f"hdm05 takes of {found[1]}")
    if found := _TAKE.fullmatch(name):
        return Trial(name, f"hdm05 takes of {found[1]}", f"hdm05 cuts of {found[1]}")
    return Trial(name)


def apart(recordings: Recordings) -> Recordings:
    """Without what would be in two splits: a trial that is tested is not validated with, and neither is trained on.

    Each recording left out is a problem.
    """
    out = Recordings(problems=list(recordings.problems))
    held_out: dict[str | None, Recording] = {}
    left_out: set[int] = set()
    for split in reversed(SPLITS):
        members = [(recording, trial(recording)) for recording in in_split(recordings, split)]
        found = [held_out.get(its.name) or held_out.get(its.group) for _, its in members]
        for (recording, its), other in zip(members, found, strict=True):
            if other is None:
                held_out |= {name: recording for name in (its.name, its.like) if name}
            else:
                left_out.add(id(recording))
                out.problems.append(
                    f"{recording.set} {recording.id}: left out of {split}, its trial {recording.trial} is also in "
                    f"the {other.split} split ({other.set} {other.id})"
                )
    out.items = [r for r in recordings if id(r) not in left_out]
    return out
