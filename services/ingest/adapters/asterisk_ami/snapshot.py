"""A QueueStatus answer against what is believed: what was missed is told as inferred. Pure.

AMI replays nothing after a reconnect; snapshots heal (SOURCES.md §1.4). Asterisk writes events that
happened during the snapshot behind it, so what it contradicts is held for `GRACE_MS`.
"""

from collections.abc import Callable, Sequence
from functools import partial

from services.ingest.adapters.asterisk_ami.agents import NOT_IN_USE, Agents
from services.ingest.adapters.asterisk_ami.calls import GRACE_MS, Calls
from services.ingest.adapters.asterisk_ami.frames import Frame
from services.ingest.adapters.asterisk_ami.timers import Timers
from services.ingest.adapters.asterisk_ami.visits import Visit
from services.ingest.adapters.asterisk_ami.wire import Member, event_of, member_of, name_of

OUR_ACTION = "vigie-"
"""Our actions' ids begin so: their QueueStatus asks for every queue, another's perhaps for one."""


def reconcile(
    rows: Sequence[Frame], now_ms: int, *, is_whole: bool, calls: Calls, agents: Agents, timers: Timers
) -> None:
    """Takes over members and waiting callers as the rows of one answer show them.

    `is_whole`: queues without a row do not exist; else nothing is said of them.
    """
    listed = {name_of(row, "Queue") for row in rows if event_of(row) == "QueueParams"}
    covers = (lambda _: True) if is_whole else listed.__contains__
    members = [
        member for row in rows if event_of(row) == "QueueMember" and (member := member_of(row)) is not None
    ]
    agents.replace_members(members, covers=covers)
    calls.ring_no_more({(m.name, m.interface) for m in members if m.status == NOT_IN_USE}, now_ms)
    for member in members:
        _end_missed_talks(member, now_ms, calls=calls, timers=timers)
    entries = [row for row in rows if event_of(row) == "QueueEntry"]
    present = [visit for row in entries if (visit := calls.seen_waiting(row, now_ms)) is not None]
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


def _end_talk(calls: Calls, visit: Visit, ended_ms: int, _now_ms: int) -> None:
    calls.talks.end(visit, ended_ms, by=None, inferred=True)
