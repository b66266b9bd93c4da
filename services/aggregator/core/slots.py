"""Slots: how many contacts of a channel an agent can have at once, and how many of them are in use.

SEMANTICS.md §5 (busy slot time / slot time); docs/decisions/0009. A line is made of an agent's
timeline and contacts as the timeline is of words; a new fact changes its tail, and only changed
moments are told to the queues' slot time. Agents who never told a capacity have no line.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

from msgspec import Struct

from schemas.vocabulary import Channel
from services.aggregator.core.state_time import StateTime, Sums

Held = tuple[Channel, int, int]
"""(channel, from, to): a contact that takes a slot."""

Capacity = tuple[tuple[Channel, int], ...]
"""Contacts at once, by channel."""

ChannelOf = Callable[[str], Channel | None]

SlotChange = Callable[[str, int, int, int, int], None]
"""(queue, at_ms, taken, slots, told): so many more of each; `told`: moments at which a capacity is known."""

_AT_MS = attrgetter("at_ms")
LASTS = 1 << 60


class StoredSlots(Struct, array_like=True):
    """The slot time of a queue beyond its buckets."""

    base: Sums
    today: Sums
    today_first: int
    told: int


class SlotTime(StateTime):
    """Slots taken (busy) and there (staffed). `told`: how often a capacity for the queue was.

    `is_of_another`: what is stored of it is of another channel than the queue has come to have.
    """

    def __init__(self, *, is_of_another: bool = False) -> None:
        super().__init__()
        self.told = 0
        self.is_of_another = is_of_another

    def stored(self) -> StoredSlots:
        return StoredSlots(self.base, self.today, self.today_first, self.told)

    def restore(self, stored: StoredSlots) -> None:
        """Puts back what is stored; to be called before the first `advance`."""
        self.base, self.today, self.today_first = stored.base, stored.today, stored.today_first
        self.told = stored.told


class SlotMoment(Struct, array_like=True, frozen=True, gc=False):
    """From `at_ms` on: for these queues, of each channel with a capacity, slots taken and slots there."""

    at_ms: int
    queues: tuple[str, ...]
    slots: tuple[tuple[Channel, int, int], ...]

    def of(self, queue: str, channel: Channel | None) -> tuple[int, int] | None:
        """(taken, there) that count for a queue of this channel; None where no capacity is known."""
        if queue in self.queues:
            for known, taken, there in self.slots:
                if known is channel:
                    return taken, there
        return None


class Presence(Struct, frozen=True, gc=False):
    """What of an agent's timeline matters: from `at_ms` on, staffed or not, with this capacity."""

    at_ms: int
    queues: tuple[str, ...]
    is_staffed: bool
    capacity: Capacity | None


_NOTHING = SlotMoment(0, (), ())


class SlotLine:
    """One agent's slots over time. `is_cut`: whether moments before the first were forgotten."""

    __slots__ = ("is_cut", "moments")

    def __init__(self, first: SlotMoment | None = None) -> None:
        self.moments: list[SlotMoment] = [] if first is None else [first]
        self.is_cut = first is not None

    def kept_before(self, from_ms: int) -> int:
        """How many moments stay when something differs from `from_ms` on."""
        return max(bisect_left(self.moments, from_ms, key=_AT_MS), 1 if self.is_cut else 0)

    def replace(
        self, keep: int, tail: list[SlotMoment], change: SlotChange | None, channel_of: ChannelOf
    ) -> None:
        """Puts `tail` after the first `keep` moments, telling what changed and nothing else."""
        old, same = self.moments[keep:], 0
        while same < len(old) and same < len(tail) and old[same] == tail[same]:
            same += 1
        before = self.moments[keep + same - 1] if keep + same else _NOTHING
        if change is not None:
            _tell(before, old[same:], -1, change, channel_of)
            _tell(before, tail[same:], 1, change, channel_of)
        self.moments[keep + same :] = tail[same:]

    def take_back(self, change: SlotChange, channel_of: ChannelOf) -> None:
        """Tells the contrary of all that is known, and keeps it: `tell` says it again."""
        _tell(_NOTHING, self.moments, -1, change, channel_of)

    def tell(self, change: SlotChange, channel_of: ChannelOf) -> None:
        """Tells all that is known anew."""
        _tell(_NOTHING, self.moments, 1, change, channel_of)

    def forget(self, floor_ms: int) -> bool:
        """Forgets what holds no longer at an instant; True if anything was."""
        place = bisect_left(self.moments, floor_ms, key=_AT_MS) - 1
        if place > 0:
            del self.moments[:place]
            self.is_cut = True
        return place > 0

    def ms(self, queue: str, channel: Channel, from_ms: int, to_ms: int) -> tuple[int, int]:
        """Milliseconds of slots taken and there in [from, to), as counted for a queue."""
        taken_ms = there_ms = 0
        for moment in reversed(self.moments):
            start = max(from_ms, moment.at_ms)
            if start < to_ms:
                taken, there = moment.of(queue, channel) or (0, 0)
                taken_ms += taken * (to_ms - start)
                there_ms += there * (to_ms - start)
                to_ms = start
            if moment.at_ms <= from_ms:
                break
        return taken_ms, there_ms

    def ahead_ms(self, queue: str, channel: Channel, now_ms: int) -> tuple[int, int]:
        """What slot time counts too early: changes after now, as `now - at` of each."""
        taken_ms = there_ms = 0

        def add(of: str, at_ms: int, taken: int, there: int, told: int) -> None:
            nonlocal taken_ms, there_ms
            if of == queue:
                taken_ms += taken * (now_ms - at_ms)
                there_ms += there * (now_ms - at_ms)

        place = bisect_left(self.moments, now_ms + 1, key=_AT_MS)
        before = self.moments[place - 1] if place else _NOTHING
        _tell(before, self.moments[place:], 1, add, lambda _: channel)
        return taken_ms, there_ms


def moments_of(
    last: SlotMoment | None, presences: Sequence[Presence], held: Iterable[Held]
) -> list[SlotMoment]:
    """The moments after `last` (None: all). `presences` from the one that holds at its instant on."""
    begin = -1 if last is None else last.at_ms
    counts: dict[Channel, int] = {}
    steps: list[tuple[int, Channel, int]] = []
    for channel, start, end in held:
        steps.append((start, channel, 1))
        if end < LASTS:
            steps.append((end, channel, -1))
    steps.sort()
    edges = sorted({at for at, _, _ in steps if at > begin} | {p.at_ms for p in presences if p.at_ms > begin})
    moments: list[SlotMoment] = []
    place, here = 0, -1
    for at_ms in edges:
        while place < len(steps) and steps[place][0] <= at_ms:
            _, channel, sign = steps[place]
            counts[channel] = counts.get(channel, 0) + sign
            place += 1
        while here + 1 < len(presences) and presences[here + 1].at_ms <= at_ms:
            here += 1
        if here < 0:
            continue
        moment = _moment(at_ms, presences[here], counts)
        if last is None or (moment.queues, moment.slots) != (last.queues, last.slots):
            moments.append(moment)
            last = moment
    return moments


def held_by(contact: Iterable[Held]) -> Iterable[Held]:
    """The times of one contact, each channel's joined where they touch: a contact takes one slot."""
    joined: dict[Channel, tuple[int, int]] = {}
    for channel, start, end in sorted(contact):
        known = joined.get(channel)
        if known is not None and start > known[1]:
            yield channel, *known
            known = None
        joined[channel] = (start, end) if known is None else (known[0], max(known[1], end))
    for channel, (start, end) in joined.items():
        yield channel, start, end


def _moment(at_ms: int, presence: Presence, counts: dict[Channel, int]) -> SlotMoment:
    slots = tuple(
        (channel, min(counts.get(channel, 0), there), there) if presence.is_staffed else (channel, 0, 0)
        for channel, there in presence.capacity or ()
    )
    return SlotMoment(at_ms, presence.queues if slots else (), slots)


def _tell(
    before: SlotMoment, moments: Iterable[SlotMoment], sign: int, change: SlotChange, channel_of: ChannelOf
) -> None:
    for moment in moments:
        for queue in {*before.queues, *moment.queues}:
            channel = channel_of(queue)
            was, now = before.of(queue, channel), moment.of(queue, channel)
            (was_taken, was_there), (taken, there) = was or (0, 0), now or (0, 0)
            if was is not None or now is not None:
                change(
                    queue,
                    moment.at_ms,
                    sign * (taken - was_taken),
                    sign * (there - was_there),
                    sign * (now is not None),
                )
        before = moment
