"""Counts what a simulation says, by hand: from the events alone, knowing nothing of how they came about.

Also nothing of the aggregator: visits are kept in a dictionary, figures are sums over it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from services.cli.demo.profile import CONTACTS_PER_MIN
from services.cli.demo.simulation import Simulation
from services.cli.demo.timeline import CloudEvent

START_MS = 1_795_345_200_000
"""Sunday 22 November 2026, 12:00 in Lyon."""
MINUTE_MS = 60_000
SEEDS = range(20)
THRESHOLD_S = {"chat": 60, "email": 86_400}
LIMIT_S = {"chat": 300, "email": 172_800}


@cache
def played(seed: int) -> tuple[CloudEvent, ...]:
    """The past and the first twelve minutes of a simulation."""
    centre = Simulation(seed, CONTACTS_PER_MIN, START_MS)
    return tuple(centre.step(START_MS + 12 * MINUTE_MS))


def name(event: CloudEvent) -> str:
    return event.type.removeprefix("vigie.").removesuffix(".v1")


def instant_ms(event: CloudEvent) -> int:
    return _instant_ms(event.time)


@cache
def _instant_ms(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)


@dataclass
class Visit:
    """One stay in one queue; `left_ms` None while it waits."""

    queue: str
    entered_ms: int
    left_ms: int | None = None
    outcome: str | None = None

    def wait_s(self, now_ms: int) -> float:
        left_ms = now_ms if self.left_ms is None else min(self.left_ms, now_ms)
        return (left_ms - self.entered_ms) / 1000


@cache
def visits_of(seed: int) -> list[Visit]:
    return visits(played(seed))


def visits(events: Iterable[CloudEvent]) -> list[Visit]:
    found: dict[object, Visit] = {}
    for event in events:
        segment = event.data.get("segment")
        if name(event) == "queue.entered":
            assert segment not in found
            found[segment] = Visit(str(event.data["queue"]), instant_ms(event))
        elif name(event) == "queue.left":
            visit = found[segment]
            assert visit.outcome is None
            assert visit.queue == event.data["queue"]
            visit.left_ms, visit.outcome = instant_ms(event), str(event.data["outcome"])
    return list(found.values())


def service_level(seen: Iterable[Visit]) -> float:
    """Answered in time / (answered + abandoned)."""
    decided = [v for v in seen if v.outcome in ("answered", "abandoned")]
    met = [
        v
        for v in decided
        if v.outcome == "answered" and v.wait_s(v.left_ms or 0) <= THRESHOLD_S.get(v.queue, 20)
    ]
    return len(met) / len(decided)


def abandonment(seen: list[Visit]) -> float:
    return sum(v.outcome == "abandoned" for v in seen) / len(seen)


@dataclass
class Stretch:
    """An agent in one state, [from_ms, to_ms), serving `queues`."""

    agent: str
    state: str
    queues: tuple[str, ...]
    from_ms: int
    to_ms: int


def stretches(events: Iterable[CloudEvent], end_ms: int) -> Iterator[Stretch]:
    """The states that agents said, one after the other."""
    now: dict[str, tuple[str, tuple[str, ...], int]] = {}
    for event in events:
        if name(event) != "agent.state":
            continue
        agent, at_ms = str(event.data["agent"]), instant_ms(event)
        queues = event.data.get("queues")
        before = now.get(agent)
        serves = tuple(queues) if isinstance(queues, list) else before[1] if before else ()
        if before is not None:
            yield Stretch(agent, before[0], before[1], before[2], at_ms)
        now[agent] = (str(event.data["state"]), serves, at_ms)
    for agent, (state, serves, since_ms) in now.items():
        yield Stretch(agent, state, serves, since_ms, end_ms)


def occupancy(seen: Iterable[Stretch], from_ms: int, to_ms: int) -> dict[str, float]:
    """By queue: time in contact and in wrap-up / the same and available and ringing."""
    spent: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for one in seen:
        inside_ms = max(0, min(one.to_ms, to_ms) - max(one.from_ms, from_ms))
        for queue in one.queues:
            spent[queue][one.state] += inside_ms
    return {queue: _busy(times) for queue, times in spent.items()}


@cache
def occupancy_of(seed: int, span_ms: int) -> dict[str, float]:
    """Occupancies over the last `span_ms` before the start."""
    return occupancy(stretches(played(seed), START_MS), START_MS - span_ms, START_MS)


def _busy(times: dict[str, int]) -> float:
    busy = times["in_contact"] + times["wrap_up"]
    return busy / (busy + times["available"] + times["ringing"])


def waits_after(visit: Visit, instant_ms: int) -> bool:
    return visit.left_ms is None or visit.left_ms > instant_ms


def longest_wait_s(seen: Iterable[Visit], now_ms: int) -> float:
    """The longest wait of those who wait at this instant; 0 when nobody does."""
    waiting = (v for v in seen if v.entered_ms <= now_ms and (v.left_ms is None or v.left_ms > now_ms))
    return max((v.wait_s(now_ms) for v in waiting), default=0.0)
