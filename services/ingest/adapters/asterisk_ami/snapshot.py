"""A QueueStatus answer against what is believed: what was missed is told as inferred. Pure.

AMI replays nothing after a reconnect; snapshots heal (SOURCES.md §1.4). Asterisk writes events that
happened during the snapshot behind it, so what it contradicts is held for `GRACE_MS`.
"""

from collections.abc import Callable, Sequence, Set
from functools import partial

from services.ingest.adapters.asterisk_ami.agents import NOT_IN_USE, Agents
from services.ingest.adapters.asterisk_ami.calls import GRACE_MS, Calls
from services.ingest.adapters.asterisk_ami.frames import Frame
from services.ingest.adapters.asterisk_ami.visits import Visit
from services.ingest.adapters.asterisk_ami.wire import Member, event_of, member_of, name_of
from services.ingest.timers import Timers

OUR_ACTION = "vigie-"
"""Our actions' ids begin so: their QueueStatus asks for every queue, another's perhaps for one."""


def reconcile(
    rows: Sequence[Frame],
    now_ms: int,
    *,
    is_whole: bool,
    is_timed: bool,
    calls: Calls,
    agents: Agents,
    timers: Timers,
) -> None:
    """Takes over members and waiting callers as the rows of one answer show them.

    `is_whole`: queues without a row do not exist; else nothing is said of them. `is_timed`: `now_ms` is
    the source's clock, not ours in its place.
    """
    listed = {name_of(row, "Queue") for row in rows if event_of(row) == "QueueParams"}
    covers = (lambda _: True) if is_whole else listed.__contains__
    members = [
        member for row in rows if event_of(row) == "QueueMember" and (member := member_of(row)) is not None
    ]
    agents.replace_members(members, covers=covers, is_whole=is_whole)
    calls.ring_no_more({(m.name, m.interface) for m in members if m.status == NOT_IN_USE}, now_ms)
    for member in members:
        _learn_phone(member, calls=calls)
    for member in members:
        _end_missed_talks(member, now_ms, calls=calls, timers=timers)
    if is_whole:
        _end_talks_of_the_gone({member.name for member in members}, now_ms, calls=calls, timers=timers)
    entries = [row for row in rows if event_of(row) == "QueueEntry"]
    present = [
        visit for row in entries if (visit := calls.seen_waiting(row, now_ms, is_timed=is_timed)) is not None
    ]
    _lose_absent(present, now_ms, covers=covers, calls=calls, timers=timers)


def _lose_absent(
    present: list[Visit], now_ms: int, *, covers: Callable[[str], bool], calls: Calls, timers: Timers
) -> None:
    here = {id(visit) for visit in present}
    for visit in calls.contacts.waiting():
        if id(visit) not in here and covers(visit.raw_queue):
            timers.at(now_ms + GRACE_MS, partial(_lose, calls, visit, now_ms))


def _lose(calls: Calls, visit: Visit, seen_ms: int, _now_ms: int) -> None:
    calls.lose(visit, max(seen_ms, visit.entered_ms or 0))


def _learn_phone(member: Member, *, calls: Calls) -> None:
    """A talk that began before we did is at the phone that is in a call of its queue."""
    for visit in calls.talks.of(member.name, member.interface) if member.is_in_call else ():
        if visit.raw_queue == member.queue:
            visit.interface = member.interface


def _end_missed_talks(member: Member, now_ms: int, *, calls: Calls, timers: Timers) -> None:
    """Asterisk says that the member is in no call of this queue; `LastCall` is when the last one ended."""
    if member.is_in_call is not False:
        return
    for visit in calls.talks.of(member.name, member.interface):
        if visit.raw_queue != member.queue:
            continue
        accepted_ms = visit.accepted_ms or 0
        last_ms = member.last_call_ms or 0
        ended_ms = last_ms if accepted_ms <= last_ms <= now_ms else now_ms
        timers.at(now_ms + GRACE_MS, partial(_end_talk, calls, visit, max(ended_ms, accepted_ms)))


def _end_talks_of_the_gone(here: Set[str], now_ms: int, *, calls: Calls, timers: Timers) -> None:
    """Of talks that began before we did, those of agents who are in no queue any more have no end to hear."""
    for visit in calls.talks.all():
        if visit.interface is None and visit.agent not in here:
            ended_ms = max(now_ms, visit.accepted_ms or 0)
            timers.at(now_ms + GRACE_MS, partial(_end_talk, calls, visit, ended_ms))


def _end_talk(calls: Calls, visit: Visit, ended_ms: int, _now_ms: int) -> None:
    calls.talks.end(visit, ended_ms, by=None, inferred=True)
