"""Events of mod_callcenter → our events: the clock, repeats, and which event is whose matter. Pure.

Everything runs on FreeSWITCH's clock, the `Event-Date-Timestamp` of its events. Callers hand in their own
clock with each event (`received_ms`) and ask by it (`due`, `next_due_ms`); the offset between the two is
kept here. A capture is translated by handing in its own instants. Mapping: SOURCES.md §4.
"""

from collections.abc import Callable
from functools import partial

from msgspec import structs

from schemas.config import SourceConfig
from schemas.events import AnyEvent, SourceEvent, SourceHeartbeat
from services.ingest.adapters.freeswitch_esl.agents import IDLE, WAITING, Agents
from services.ingest.adapters.freeswitch_esl.calls import GRACE_MS, Calls
from services.ingest.adapters.freeswitch_esl.names import PASSED_OVER
from services.ingest.adapters.freeswitch_esl.resume import Resume
from services.ingest.adapters.freeswitch_esl.snapshot import reconcile
from services.ingest.adapters.freeswitch_esl.survey import Snapshot
from services.ingest.adapters.freeswitch_esl.wire import (
    HANGUP,
    HOLD,
    UNHOLD,
    Event,
    instant_us,
    name_of,
    number,
    whole,
)
from services.ingest.facts import Facts
from services.ingest.timers import Timers
from services.ingest.translated import Pseudonyms, Spoiled, Translated, type_name

REPEATS_KEPT = 65_536
"""Events remembered by (Core-UUID, Event-Sequence), to drop repeats."""
CLOCK_STEP_MS = 1_000
"""Events overtake one another by less; more is a clock that was set back."""
COUNTING_MS = 2_000
"""How long a members-count may differ from ours: events are on their way, outcomes are held."""

SECOND_MS = 1_000

Handler = Callable[[Event, int], bool]


class Translator:
    """One source's events, in the order in which they came.

    `wants_snapshot`: what is believed differs from what FreeSWITCH counts, or somebody new is there.
    """

    def __init__(self, source: SourceConfig, pseudonyms: Pseudonyms) -> None:
        self.wants_snapshot = False
        self._rest = Translated()
        self._facts = Facts(source)
        self._timers = Timers()
        self._agents = Agents(source)
        self._calls = Calls(source, pseudonyms, facts=self._facts, timers=self._timers, agents=self._agents)
        self._resume = Resume(calls=self._calls, agents=self._agents)
        self._handlers = self._table()
        self._seen: dict[tuple[str, str], None] = {}
        self._counts: dict[str, tuple[int, int]] = {}
        self._zombies: dict[str, int] = {}
        self._core: str | None = None
        self._offset_ms = 0
        self._latest_ms = 0

    def recall(self, event: AnyEvent) -> None:
        """An event that was told before we started; all of them come before `go_on`."""
        if isinstance(event, SourceHeartbeat) and event.clock_ms is not None:
            self._offset_ms = event.received_ms - event.clock_ms
        self._resume.take(event)

    def go_on(self) -> None:
        """From here on events tell what happens beyond what was recalled."""
        self._resume.finish()

    def event(self, event: Event, received_ms: int) -> list[SourceEvent]:
        """What this event tells, and what was due before it."""
        self._facts.received_ms = received_ms
        kind = event.type
        if self._is_repeat(event):
            return []
        handler, at_us = self._handlers.get(kind), instant_us(event)
        if at_us is not None:
            self._advance(at_us // 1000, received_ms)
            self._notice_restart(event.get("Core-UUID"), at_us)
        if handler is not None:
            self._rest.types[kind] += 1
            self._handle(handler, event, at_us)
        elif kind not in PASSED_OVER and not _is_of_others(event):
            self._rest.unknown[type_name(kind)] += 1
        return self._take()

    def spoiled(self, spoiled: Spoiled) -> None:
        """An event that could not be read."""
        self._rest.spoiled.append(spoiled)

    def due(self, now_ms: int, *, lag_ms: int = 0) -> list[SourceEvent]:
        """What is due by the caller's clock, with no event arriving.

        `lag_ms`: how long an event may be under way; what it could still change is not due before.
        """
        self._facts.received_ms = now_ms
        self._timers.run(now_ms - self._offset_ms - lag_ms, after=self._tell_agents_at)
        return self._take()

    def next_due_ms(self) -> int | None:
        """The caller's instant from which `due` has something to do; None: nothing is pending."""
        next_ms = self._timers.next_ms()
        return None if next_ms is None else next_ms + self._offset_ms

    def channels(self) -> list[str]:
        """The channels of contacts that are believed to be there."""
        return [contact.channel for contact in self._calls.contacts.all() if not contact.is_ended]

    def snapshot(self, snapshot: Snapshot, received_ms: int) -> list[SourceEvent]:
        """What a snapshot of that moment tells beyond what is believed, as inferred."""
        self._facts.received_ms = received_ms
        now_ms = received_ms - self._offset_ms
        self._timers.run(now_ms, after=self._tell_agents_at)
        self._look_for_restart(snapshot, now_ms)
        rest = reconcile(snapshot, now_ms, calls=self._calls, agents=self._agents, timers=self._timers)
        self._zombies, self.wants_snapshot = rest.zombies, rest.is_unsettled
        self._tell_agents(now_ms * 1000, inferred=True)
        return self._take()

    def heartbeat(self, answer: str, received_ms: int) -> list[SourceEvent]:
        """A question was answered: FreeSWITCH is there, and this is its clock, in microseconds."""
        clock_us = number(answer.strip())
        self._facts.received_ms = received_ms
        if clock_us is not None:
            self._offset_ms = received_ms - clock_us // 1000
        self._facts.heartbeat(clock_us)
        return self._take()

    def reconnected(self) -> None:
        """Events may have been missed."""
        self._counts.clear()
        self._calls.cut_off()

    def take_rest(self) -> Translated:
        """Everything but events since the last time: counts, and what could not be read."""
        rest, self._rest = self._rest, Translated()
        return rest

    def _take(self) -> list[SourceEvent]:
        return [_precise(event) for event in self._facts.take()]

    def _table(self) -> dict[str, Handler]:
        calls = self._calls
        return {
            "member-queue-start": calls.started,
            "member-queue-resume": calls.started,
            "agent-offering": calls.offered,
            "bridge-agent-start": calls.answers.answered,
            "bridge-agent-fail": calls.not_bridged,
            "bridge-agent-end": calls.answers.bridge_ended,
            "member-queue-end": calls.ended,
            "agent-status-change": partial(self._status, key="CC-Agent-Status"),
            "agent-max-no-answer": partial(self._status, key="CC-Agent-No-Answer-Status"),
            "agent-state-change": self._state,
            "agent-add": self._added,
            "members-count": self._count,
            HANGUP: calls.hung_up,
            HOLD: partial(self._hold, is_start=True),
            UNHOLD: partial(self._hold, is_start=False),
        }

    def _handle(self, handler: Handler, event: Event, at_us: int | None) -> None:
        if at_us is None:
            self._rest.spoiled.append(event.spoiled("Event-Date-Timestamp: missing, or not microseconds"))
            return
        if not handler(event, at_us // 1000):
            self._rest.spoiled.append(event.spoiled("a field that names what it is about is missing"))
        self._tell_agents(at_us, inferred=False)

    # --- agents ---

    def _status(self, event: Event, _at_ms: int, *, key: str) -> bool:
        name, status = name_of(event, "CC-Agent"), name_of(event, key)
        if name and status:
            self._agents.get(name).status = status
        return bool(name and status)

    def _state(self, event: Event, at_ms: int) -> bool:
        name, state = name_of(event, "CC-Agent"), name_of(event, "CC-Agent-State")
        if not name or not state:
            return False
        self._agents.get(name).state = state
        if state == "In a queue call":
            self._calls.answers.in_call(name)
        elif state in (WAITING, IDLE):
            self._calls.offers.stopped(name, at_ms, held_ms=GRACE_MS)
        return True

    def _added(self, event: Event, _at_ms: int) -> bool:
        """Which queues a new agent has, no event tells."""
        self.wants_snapshot = True
        return bool(name_of(event, "CC-Agent"))

    # --- channels, counts ---

    def _hold(self, event: Event, at_ms: int, *, is_start: bool) -> bool:
        leg = name_of(event, "Unique-ID")
        self._calls.talks.hold(leg, at_ms, is_start=is_start)
        return bool(leg)

    def _count(self, event: Event, at_ms: int) -> bool:
        queue, count = name_of(event, "CC-Queue"), whole(event, "CC-Count")
        if not queue or count is None:
            return False
        if event.get("CC-Selection") != "All-Queues":
            self._counts[queue] = (count, at_ms)
            self._timers.at(at_ms + COUNTING_MS, partial(self._compare, queue, at_ms))
        return True

    def _compare(self, queue: str, at_ms: int, _now_ms: int) -> None:
        """The newest count of a queue, once nothing is on its way any more."""
        count, counted_ms = self._counts.get(queue, (0, -1))
        if counted_ms == at_ms:
            ours = self._calls.contacts.count(queue) + self._zombies.get(queue, 0)
            self.wants_snapshot = self.wants_snapshot or ours != count

    # --- the clock ---

    def _advance(self, at_ms: int, received_ms: int) -> None:
        """FreeSWITCH's clock is at `at_ms`: what was due until then is done first."""
        self._offset_ms = received_ms - at_ms
        is_set_back = at_ms < self._latest_ms - CLOCK_STEP_MS
        self._timers.run(self._latest_ms if is_set_back else at_ms, after=self._tell_agents_at)
        self._latest_ms = at_ms if is_set_back else max(self._latest_ms, at_ms)

    def _notice_restart(self, core: str, at_us: int) -> None:
        """Another Core-UUID: whatever was in hand before is over, in a way nobody knows."""
        if core and self._core is not None and core != self._core:
            self._calls.lose_before(at_us // 1000)
            self._tell_agents(at_us, inferred=True)
        self._core = core or self._core

    def _look_for_restart(self, snapshot: Snapshot, now_ms: int) -> None:
        """Another Core-UUID, or a start after what is in hand: also after one of our own."""
        if snapshot.uptime_s is not None:  # cut to whole seconds
            is_other = None not in (snapshot.core, self._core) and snapshot.core != self._core
            margin_ms = 0 if is_other else 1_000 + CLOCK_STEP_MS
            self._calls.lose_before(now_ms - snapshot.uptime_s * 1000 - margin_ms)
            self._core = snapshot.core or self._core
        elif snapshot.core is not None:
            self._notice_restart(snapshot.core, now_ms * 1000)

    def _is_repeat(self, event: Event) -> bool:
        key = (event.get("Core-UUID"), event.get("Event-Sequence"))
        if not all(key):
            return False
        if key in self._seen:
            return True
        self._seen[key] = None
        if len(self._seen) > REPEATS_KEPT:
            del self._seen[next(iter(self._seen))]
        return False

    def _tell_agents_at(self, at_ms: int) -> None:
        self._tell_agents(at_ms * 1000, inferred=False)

    def _tell_agents(self, at_us: int, *, inferred: bool) -> None:
        for agent, (state, reason, queues) in self._agents.changed():
            self._facts.agent_state(agent.name, state, at_us, reason=reason, queues=queues, inferred=inferred)


def _precise(event: SourceEvent) -> SourceEvent:
    """What is inferred comes from tables and headers that know whole seconds, or is of the snapshot's own
    moment, which is hardly ever one.
    """
    is_cut = event.inferred and event.occurred_ms % SECOND_MS == 0
    return structs.replace(event, precision_ms=SECOND_MS) if is_cut else event


def _is_of_others(event: Event) -> bool:
    """Another module's event."""
    return event.get("Event-Name") == "CUSTOM" and "CC-Action" not in event.headers
