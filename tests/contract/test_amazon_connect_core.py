"""A morning of an instance of Connect, folded by the real core: the same figures, however it comes."""

import random
from collections.abc import Callable, Sequence
from functools import cache

import pytest
from msgspec import structs

from schemas.board import QueueRow, StateCounts
from schemas.config import Config, QueueConfig, SiteConfig
from schemas.events import SourceEvent
from schemas.vocabulary import WindowName
from services.ingest.adapters.amazon_connect.translate import Translator
from tests.doubles.connect_events import (
    PSEUDONYMS,
    START_MS,
    agent_event,
    body,
    contact_event,
    in_hand,
    iso,
    snapshot,
    source,
)
from tests.oracle.compare import differences
from tests.oracle.fold import figures
from tests.unit.aggregator.core.folding import fold, rows

M15 = WindowName.M15
NOW_MS = START_MS + 600_000
CONFIG = Config(
    sites=[SiteConfig(id="paris", time_zone="Europe/Paris")],
    queues=[QueueConfig(id=queue, site="paris") for queue in ("support", "sales")],
    sources=[source()],
    from_file=True,
)
Payload = dict[str, object]


def life(contact: str, at_s: float, *kinds: str, **detail: object) -> list[Payload]:
    """The events of one contact of Connect, each with all that is known by then."""
    begun = {"initiationTimestamp": iso(at_s), "initialContactId": contact, **detail}
    return [contact_event(kind, contact, at_s, **begun) for kind in kinds]


ANSWERED = ("INITIATED", "QUEUED", "CONNECTED_TO_AGENT", "DISCONNECTED", "COMPLETED")
ALONE = ("INITIATED", "QUEUED", "DISCONNECTED", "COMPLETED")
BY_FLOW = "CONTACT_FLOW_DISCONNECT"
WRAPPED = {"afterContactWorkStartTimestamp": iso(120), "afterContactWorkEndTimestamp": iso(140)}


@cache
def contacts() -> tuple[Payload, ...]:
    """Six customers. One is answered; one abandons; one has had enough of the phone and is called back;
    one is moved to another queue by the flow, one by an agent who still speaks with him; one waits.
    """
    support = {"queue": "support"}
    return (
        *life(
            "a", 0, *ANSWERED, **support, entered=2, agent="alice", accepted=12, hung=120,
            agent_more=WRAPPED,
        ),
        *life("b", 10, *ALONE, **support, entered=11, hung=41, disconnectReason="CUSTOMER_DISCONNECT"),
        *life("c", 20, *ALONE, **support, entered=21, hung=81, disconnectReason=BY_FLOW),
        *life(
            "c2", 80, *ANSWERED, **support, entered=100, agent="bruno", accepted=110, hung=170,
            initialContactId="c", previousContactId="c", initiationMethod="CALLBACK",
        ),
        *life("d", 30, *ALONE, **support, entered=31, hung=61),
        *life(
            "d2", 61, *ANSWERED, queue="sales", entered=61, agent="chloe", accepted=75, hung=200,
            initialContactId="d", previousContactId="d", initiationMethod="QUEUE_TRANSFER",
        ),
        *life("e", 40, *ANSWERED, **support, entered=41, agent="david", accepted=50, hung=130),
        *life(
            "e2", 90, "INITIATED", "QUEUED", queue="sales", entered=91,
            initialContactId="e", previousContactId="e", initiationMethod="TRANSFER",
        ),
        *life("f", 300, "INITIATED", "QUEUED", **support, entered=301),
    )  # fmt: skip


def heard_at_once(told: Sequence[SourceEvent]) -> list[SourceEvent]:
    return [structs.replace(event, received_ms=event.occurred_ms) for event in told]


def through(payloads: Sequence[Payload], *, processes: int = 1, seed: int = 0) -> list[SourceEvent]:
    """What so many processes say of them; what is due is decided at random moments, and at the end."""
    dice = random.Random(seed)
    translators = [Translator(source(), PSEUDONYMS, is_stream=True) for _ in range(processes)]
    told: list[SourceEvent] = []
    clock_ms = START_MS
    for payload in payloads:
        clock_ms += dice.choice([0, 10, 7_000])
        one = dice.choice(translators)
        told += one.take(body(payload), clock_ms).events
        told += dice.choice(translators).due(clock_ms, with_agents=False).events
    for one in translators:
        told += one.due(clock_ms + 60_000, with_agents=False).events
    return heard_at_once(told)


def folded(told: Sequence[SourceEvent]) -> dict[str, QueueRow]:
    found, _ = rows(fold(told, CONFIG, NOW_MS), NOW_MS)
    return {queue: row for (_, queue), row in found.items()}


@cache
def board() -> dict[str, QueueRow]:
    return folded(through(contacts()))


def test_the_figures_are_those_of_the_morning() -> None:
    support, sales = (board()[queue].windows[M15] for queue in ("support", "sales"))

    assert (support.offered, support.answered, support.abandoned, support.waiting) == (7, 3, 1, 1)
    assert support.asa_s.numerator == 10 + 10 + 9
    assert support.longest_wait_s == 299.0
    assert (sales.offered, sales.answered, sales.abandoned, sales.waiting) == (2, 1, 0, 1)
    assert board()["sales"].oldest_entered_ms == START_MS + 91_000


def test_call_back_and_transfer_are_not_abandons() -> None:
    left = {str(outcome): n for outcome, n in board()["support"].windows[M15].left.items() if n}

    assert left == {"callback": 1, "transferred": 1}


def test_every_figure_is_that_of_the_slow_fold() -> None:
    expected = figures(through(contacts()), CONFIG, now_ms=NOW_MS)
    for queue, row in board().items():
        assert differences(expected["paris", queue], row) == []


def shuffled(seed: int) -> list[Payload]:
    payloads = list(contacts())
    random.Random(seed).shuffle(payloads)
    return payloads


def repeated(seed: int) -> list[Payload]:
    payloads = [*contacts(), *contacts()]
    random.Random(seed).shuffle(payloads)
    return payloads


def lossy(seed: int) -> list[Payload]:
    """Of each contact whose COMPLETED is there, all but that and the first may be lost."""
    dice = random.Random(seed)
    kept = ("INITIATED", "COMPLETED")
    over = {_number(each) for each in contacts() if _kind(each) == "COMPLETED"}
    payloads = [
        each for each in contacts() if _kind(each) in kept or _number(each) not in over or dice.random() < 0.5
    ]
    dice.shuffle(payloads)
    return payloads


def _detail(payload: Payload) -> dict[str, object]:
    detail = payload["detail"]
    assert isinstance(detail, dict)
    return detail


def _kind(payload: Payload) -> object:
    return _detail(payload)["eventType"]


def _number(payload: Payload) -> object:
    return _detail(payload)["contactId"]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("way", [shuffled, repeated, lossy])
@pytest.mark.parametrize("processes", [1, 2])
def test_however_it_comes_the_rows_are_the_same(
    way: Callable[[int], list[Payload]], processes: int, seed: int
) -> None:
    found = folded(through(way(seed), processes=processes, seed=seed))
    for queue, row in board().items():
        assert plain(found[queue]) == plain(row), queue


def plain(row: QueueRow) -> tuple[object, ...]:
    """What the row says of the facts; `late` and `duplicates` tell of the way."""
    windows = {name: structs.replace(window, late=0, duplicates=0) for name, window in row.windows.items()}
    return windows, row.agents, row.trend, row.waiting, row.oldest_entered_ms


def test_the_order_of_events_does_not_matter_either() -> None:
    told = through(shuffled(1), processes=2, seed=1)
    for seed in range(5):
        random.Random(seed).shuffle(told)
        found = folded(told)
        assert {queue: plain(row) for queue, row in found.items()} == {
            queue: plain(row) for queue, row in board().items()
        }


# --- with agents' own events ---


def agents(off_s: float = 0.3) -> list[Payload]:
    """Alice takes the call of `a`, as her stream shows it: instants a little off, like Connect's."""
    free = snapshot()
    accepted_s, ended_s = 12 + off_s, 120 + off_s
    ringing = snapshot(in_hand("a", "CONNECTING", 5))
    talking = snapshot(in_hand("a", "CONNECTED", accepted_s, accepted=accepted_s))
    wrapping = snapshot(in_hand("a", "ENDED", ended_s, accepted=accepted_s))
    return [
        agent_event("LOGIN", 1, free),
        agent_event("STATE_CHANGE", 5.1, ringing, free),
        agent_event("STATE_CHANGE", 12.4, talking, ringing),
        agent_event("STATE_CHANGE", 120.5, wrapping, talking),
        agent_event("STATE_CHANGE", 140.3 + off_s, free, wrapping),
        agent_event("HEART_BEAT", 260, free, free),
    ]


def without_agents(row: QueueRow) -> tuple[object, ...]:
    windows, _, trend, waiting, oldest = plain(row)
    assert isinstance(windows, dict)
    bare = {name: structs.replace(window, occupancy=None, slots=None) for name, window in windows.items()}
    return bare, trend, waiting, oldest


@pytest.mark.parametrize("off_s", [0.3, -0.9])
@pytest.mark.parametrize("seed", range(6))
def test_contact_events_count_where_agent_events_tell_the_same_whichever_come_first(
    seed: int, off_s: float
) -> None:
    both: list[Payload] = [*contacts()]
    dice = random.Random(seed)
    dice.shuffle(both)
    places = sorted(dice.choices(range(len(both)), k=len(agents())))
    for n, (place, event) in enumerate(zip(places, agents(off_s), strict=True)):
        both.insert(place + n, event)
    found = folded(through(both, seed=seed))

    for queue, row in board().items():
        assert without_agents(found[queue]) == without_agents(row)


def test_agents_are_as_their_events_say() -> None:
    found = folded(through([*agents(), *contacts()]))

    assert found["support"].agents == StateCounts(available=3)  # two of whom contact events alone tell


def test_who_has_a_stream_follows_only_that() -> None:
    of_a = [each for each in contacts() if _number(each) == "a"]
    occupancy = folded(through([*agents(), *of_a]))["support"].windows[M15].occupancy

    assert occupancy.numerator == pytest.approx(140.6 - 12.4)
    assert occupancy.denominator == pytest.approx(600 - 1)


def test_a_stream_alone_gives_states_and_no_visit() -> None:
    found = folded(through(agents()))

    assert found["support"].windows[M15].offered == 0
    assert found["support"].agents == StateCounts(available=1)
