"""How many of their slots agents have in use: busy slot time over slot time, beside occupancy."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from schemas.board import AgentRow, QueueRow, Ratio
from schemas.codec import decode_key, decode_row
from schemas.config import Config, QueueConfig, SiteConfig, SourceConfig
from schemas.events import (
    AgentAccepted,
    AgentStateChanged,
    AnyEvent,
    QueueEntered,
    SourceHeartbeat,
    TalkEnded,
    WrapEnd,
)
from schemas.vocabulary import AgentState, Channel, WindowName
from tests.oracle.compare import differences
from tests.oracle.fold import figures
from tests.unit.aggregator.core.folding import StateTopic, fold, rows, whole
from tests.unit.aggregator.core.watching import SITE, START_MS, Watching

MINUTE = 60_000
CHATS = {Channel.CHAT: 3, Channel.PHONE: 1}
Told = tuple[Callable[..., AnyEvent], int, dict[str, Any]]


def centre(channel: Channel = Channel.CHAT) -> Config:
    channels = {"web": channel, "app": Channel.CHAT, "line": Channel.PHONE}
    queues = [QueueConfig(id=name, site=SITE, channel=of) for name, of in channels.items()]
    sources = [SourceConfig(id="pbx", kind="http", site=SITE)]
    return Config(sites=[SiteConfig(id=SITE, time_zone="Europe/Paris")], queues=queues, sources=sources)


def says(at_ms: int, state: AgentState, **data: Any) -> Told:
    return (AgentStateChanged, at_ms, {"agent": "lea", **data, "state": state})


def begins(at_ms: int, state: AgentState = AgentState.AVAILABLE, **data: Any) -> Told:
    """Lea begins to work: chats on the web and in the app."""
    return says(at_ms, state, **{"queues": ("web", "app", "line"), "capacity": CHATS, **data})


def chat(
    contact: str, at_ms: int, end_ms: int | None, *, wrapped_ms: int | None = None, **data: Any
) -> list[Told]:
    visit = {"contact": contact, "segment": f"{contact}/1"}
    place = {"queue": "web", "agent": "lea", **visit, **data}
    told: list[Told] = [
        (QueueEntered, at_ms, {**visit, "queue": place["queue"]}),
        (AgentAccepted, at_ms, place),
    ]
    if end_ms is not None:
        told.append((TalkEnded, end_ms, place))
    if wrapped_ms is not None:
        told.append((WrapEnd, wrapped_ms, {"agent": "lea", **visit}))
    return told


def seen(told: list[Told], now_ms: int, queue: str = "web") -> QueueRow:
    """The row, which is the same in any order, with repeats and restarts; the oracle agrees to it."""
    watching = Watching(centre())
    for make, at_ms, data in told:
        watching.log.add(make, START_MS + at_ms, **data)
    expected = figures(watching.log.events, centre(), now_ms=START_MS + now_ms)[SITE, queue]
    found: list[QueueRow] = []
    for seed in range(5):
        rng = random.Random(seed)
        events = [event for event in watching.log.events for _ in range(rng.choice((1, 1, 2)))]
        if seed:
            rng.shuffle(events)
        topic, partition = StateTopic(), whole(centre(), START_MS + now_ms)
        partition.claim()
        for event in events:
            fold([event], centre(), START_MS + now_ms, partition=partition)
            topic.flush(partition)
            if seed > 2:
                partition = topic.restored(centre(), START_MS + now_ms)
        found.append(rows(partition, START_MS + now_ms)[0][SITE, queue])
        assert differences(expected, found[-1]) == []
    return found[0]


def slots(told: list[Told], now_ms: int, queue: str = "web") -> Ratio | None:
    return seen(told, now_ms, queue).windows[WindowName.M15].slots


def ratio(taken_s: float, there_s: float) -> Ratio:
    return Ratio(value=taken_s / there_s, numerator=taken_s, denominator=there_s)


AVAILABLE, BUSY, WRAP, PAUSED = (
    AgentState.AVAILABLE,
    AgentState.IN_CONTACT,
    AgentState.WRAP_UP,
    AgentState.PAUSED,
)
STORIES: dict[str, tuple[list[Told], Ratio | None]] = {
    "three chats at once fill three slots": (
        [begins(0), *chat("a", 0, None), *chat("b", MINUTE, None), *chat("c", 2 * MINUTE, None)],
        ratio(240 + 180 + 120, 720),
    ),
    "a fourth fills no more": (
        [begins(0), *(told for contact in "abcd" for told in chat(contact, 0, None))],
        ratio(720, 720),
    ),
    "a chat of another queue takes a slot too": (
        [begins(0), *chat("a", 0, MINUTE, queue="app", wrapped_ms=MINUTE)],
        ratio(60, 720),
    ),
    "a call takes none of the chats": ([begins(0), *chat("a", 0, None, queue="line")], ratio(0, 720)),
    "wrap-up holds its slot": ([begins(0), *chat("a", 0, MINUTE, wrapped_ms=90_000)], ratio(90, 720)),
    "a wrap-up whose end nobody tells holds it while the agent says so": (
        [begins(0), says(1, BUSY), *chat("a", 1, MINUTE), says(MINUTE, WRAP), says(90_000, AVAILABLE)],
        ratio(89.999, 720),
    ),
    "and none while the agent says to be free": ([begins(0), *chat("a", 0, MINUTE)], ratio(60, 720)),
    "a pause has no slots": (
        [begins(0), *chat("a", 0, None), says(MINUTE, PAUSED), says(3 * MINUTE, BUSY)],
        ratio(120, 360),
    ),
    "another capacity counts from then on": (
        [begins(0), *chat("a", 0, None), says(2 * MINUTE, BUSY, capacity={Channel.CHAT: 1})],
        ratio(240, 360 + 120),
    ),
    "without a word on capacity nothing is known": (
        [begins(0, capacity=None), *chat("a", 0, None)],
        None,
    ),
    "nor with one on other channels": ([begins(0, capacity={Channel.PHONE: 1}), *chat("a", 0, None)], None),
    "a capacity that nobody is there for is no rate": (
        [begins(0, AgentState.OFFLINE)],
        Ratio(value=None, numerator=0, denominator=0),
    ),
    "one contact that came twice takes one slot": (
        [begins(0), *chat("a", 0, None), *chat("a", MINUTE, None, segment="a/2")],
        ratio(240, 720),
    ),
}


@pytest.mark.parametrize(("told", "expected"), STORIES.values(), ids=STORIES.keys())
def test_taken_over_there(told: list[Told], expected: Ratio | None) -> None:
    assert slots(told, 4 * MINUTE) == expected


def test_an_agent_with_three_chats_is_busy_once() -> None:
    told = [begins(0), says(0, BUSY, id="x"), *(t for contact in "abc" for t in chat(contact, 0, None))]
    figure = seen(told, 4 * MINUTE).windows[WindowName.M15]
    assert (figure.occupancy, figure.slots) == (ratio(240, 240), ratio(720, 720))


def test_it_is_clipped_to_the_window() -> None:
    row = seen([begins(0), *chat("a", 0, None)], 12 * MINUTE)
    assert row.windows[WindowName.M5].slots == ratio(290, 3 * 290)
    assert row.windows[WindowName.M30].slots == ratio(720, 3 * 720)


def test_chats_from_before_anybody_told_a_capacity_take_their_slots() -> None:
    told = [begins(0, capacity=None), *chat("a", 0, MINUTE, wrapped_ms=MINUTE), *chat("b", 0, None)]
    assert slots([*told, says(MINUTE, BUSY, capacity=CHATS)], 4 * MINUTE) == ratio(180, 540)


def test_a_silent_agent_has_no_slots_and_was_never_gone_once_heard_again() -> None:
    watching = Watching(centre())
    for make, at_ms, data in [begins(0), *chat("a", 0, None)]:
        watching.tell(make, at_ms, **data)
    watching.tell(SourceHeartbeat, 0)

    def found(now_ms: int) -> Ratio | None:
        watching.at(now_ms)
        row = rows(watching.partition, START_MS + now_ms)[0][SITE, "web"]
        expected = figures(watching.log.events, watching.config, now_ms=START_MS + now_ms)
        assert differences(expected[SITE, "web"], row) == []
        return row.windows[WindowName.M15].slots

    assert found(MINUTE) == ratio(15, 45)
    watching.tell(SourceHeartbeat, 2 * MINUTE)
    assert found(2 * MINUTE) == ratio(120, 360)


def test_a_queue_that_comes_to_have_another_channel_has_its_slots() -> None:
    watching = Watching(centre())
    for make, at_ms, data in [begins(0), *chat("a", 0, None), *chat("b", 0, None, queue="line")]:
        watching.tell(make, at_ms, **data)
    watching.at(MINUTE)
    for channel, expected in (
        (Channel.PHONE, ratio(60, 60)),
        (Channel.EMAIL, None),
        (Channel.CHAT, ratio(60, 180)),
    ):
        watching.restart(MINUTE, centre(channel))
        watching.at(MINUTE)
        row = rows(watching.partition, START_MS + MINUTE)[0][SITE, "web"]
        assert row.windows[WindowName.M15].slots == expected


def test_the_agents_row_says_how_many_it_may_be() -> None:
    watching = Watching(centre())
    for make, at_ms, data in (
        begins(0),
        says(MINUTE, BUSY),
        (*says(0, BUSY)[:2], {"agent": "sam", "state": BUSY}),
    ):
        watching.tell(make, at_ms, **data)
    found = {}
    for publication in watching.partition.rows(START_MS + 2 * MINUTE, everything=True):
        kind, *_ = decode_key(publication.key)
        row = decode_row(kind, publication.value or b"") if publication.value else None
        if isinstance(row, AgentRow):
            found[row.agent] = row.capacity
    assert found == {"lea": CHATS, "sam": None}
