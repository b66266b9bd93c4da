"""How many slots of a channel agents have, and how many of them contacts take: by sampling every change.

SEMANTICS.md §5, docs/decisions/0009: over staffed time, min(contacts in hand, capacity) / capacity.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from msgspec import Struct

from schemas.board import Ratio
from schemas.config import Config
from schemas.events import AgentStateChanged, AnyEvent
from schemas.vocabulary import Channel
from tests.oracle.agents import BUSY, PRESENT, Hold, Span, holds
from tests.oracle.visits import channels_seen

AgentKey = tuple[str, str]


class Slots(Struct, frozen=True):
    """One agent: the life (cut where its source is silent), what was said of capacity, what is in hand."""

    life: Sequence[Span]
    capacities: list[tuple[int, dict[Channel, int]]]
    in_hand: list[tuple[Channel, str, int, int]]

    def capacity(self, channel: Channel, at_ms: int) -> int | None:
        """Of the last word on capacity by then; None where there is none, or it leaves the channel out."""
        told = [capacity for said_ms, capacity in self.capacities if said_ms <= at_ms]
        return told[-1].get(channel) if told else None


def slots(
    lives: Mapping[AgentKey, Sequence[Span]],
    uncut: Mapping[AgentKey, Sequence[Span]],
    events: Sequence[AnyEvent],
    config: Config,
) -> dict[AgentKey, Slots]:
    """Of every agent that ever told a capacity. `uncut`: lives by words alone, which end open wrap-ups."""
    said: dict[AgentKey, list[AgentStateChanged]] = {}
    for event in sorted(events, key=lambda e: (e.occurred_ms, e.id)):
        if isinstance(event, AgentStateChanged) and event.capacity is not None:
            said.setdefault((event.site, event.agent), []).append(event)
    all_holds, channels = holds(events, config), channels_seen(events)
    found = {}
    for key, words in said.items():
        in_hand = []
        for hold in all_holds.get(key, []):
            if hold.queue is not None:
                settings = config.queue(key[0], hold.queue, channels.get((key[0], hold.queue)))
                end_ms = _end_of(hold, uncut[key])
                in_hand.append((settings.channel, hold.contact, hold.start_ms, end_ms))
        capacities = [(w.occurred_ms, w.capacity) for w in words if w.capacity is not None]
        found[key] = Slots(lives[key], capacities, in_hand)
    return found


def _end_of(hold: Hold, life: Sequence[Span]) -> int:
    """A wrap-up whose end nobody tells lasts while the agent says to be busy."""
    if not hold.is_open:
        return hold.end_ms
    idle = (max(s.start_ms, hold.start_ms) for s in life if s.state not in BUSY and s.end_ms > hold.start_ms)
    return min([hold.end_ms, *idle])


def slot_occupancy(
    agents: Iterable[Slots], channel: Channel, from_ms: int, to_ms: int, *, queue: str
) -> Ratio | None:
    """Slots taken over slots there in [from_ms, to_ms); None where no agent of the queue told of any."""
    taken_ms = there_ms = 0
    is_told = False
    for agent in agents:
        for span in agent.life:
            if queue not in span.queues:
                continue
            edges = {span.start_ms, span.end_ms, from_ms, to_ms}
            edges |= {at_ms for at_ms, _ in agent.capacities}
            edges |= {at_ms for _, _, *both in agent.in_hand for at_ms in both}
            inside = sorted(e for e in edges if span.start_ms <= e <= span.end_ms)
            for start_ms, end_ms in pairwise(inside):
                capacity = agent.capacity(channel, start_ms)
                is_told = is_told or capacity is not None
                if capacity is None or span.state not in PRESENT or not from_ms <= start_ms < to_ms:
                    continue
                contacts = {c for of, c, a, b in agent.in_hand if of is channel and a <= start_ms < b}
                taken_ms += min(len(contacts), capacity) * (end_ms - start_ms)
                there_ms += capacity * (end_ms - start_ms)
    if not is_told:
        return None
    value = taken_ms / there_ms if there_ms else None
    return Ratio(value=value, numerator=taken_ms / 1000, denominator=there_ms / 1000)
