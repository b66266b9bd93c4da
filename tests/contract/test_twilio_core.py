"""A whole morning at Twilio, translated and folded by the real core: the same figures however it arrives."""

import random
from collections import Counter
from collections.abc import Sequence
from functools import cache

import pytest
from msgspec import structs

from schemas.board import QueueRow, SiteRow, StateCounts, Window
from schemas.config import Config, SiteConfig
from schemas.events import SourceEvent
from schemas.vocabulary import Outcome, WindowName
from services.ingest.adapters.twilio_taskrouter.translate import Translator
from tests.doubles.running_source import PSEUDONYMS
from tests.doubles.twilio import CONVERSATION, START_MS, Task, Told, source, worker
from tests.unit.aggregator.core.folding import fold, rows

SITE = "paris"
AGENTS = ("alice", "bruno", "chloe", "dan")
OVER_MS = START_MS + 331_000


def call(number: int) -> Task:
    attributes = {"direction": "inbound", "from": "+15550100001", "call_sid": f"CA{number:032}"}
    return Task(number, attributes=attributes)


def chat(number: int) -> Task:
    return Task(number, channel="chat", attributes={"conversationSid": CONVERSATION, "from": "Ann"})


def rung_by_all_and_transferred() -> list[Told]:
    """Support rings two; one takes it, the other loses the race; then on to Sales, within the same task."""
    task = call(1)
    created, support = task.told("created", 120), task.enter("Support", 1_200)
    moved = support.told(
        "task.transfer-initiated", 60_000, TransferMode="COLD", TransferType="QUEUE", TransferTo="WQ2"
    )
    sales = task.enter("Sales", 60_500)
    return [
        created,
        support.entered,
        support.reservation("created", 1_350, "alice", 1),
        support.reservation("created", 1_360, "bruno", 2),
        support.reservation("accepted", 6_400, "alice", 1),
        support.reservation("rescinded", 6_450, "bruno", 2),
        moved,
        sales.entered,
        sales.reservation("wrapup", 61_000, "alice", 1),  # the task stands in Sales by now
        sales.reservation("created", 61_500, "chloe", 3),
        sales.reservation("accepted", 65_000, "chloe", 3),
        sales.reservation("completed", 70_000, "alice", 1),
        sales.reservation("wrapup", 120_000, "chloe", 3),
        sales.told("task.wrapup", 120_002),
        sales.reservation("completed", 130_000, "chloe", 3),
        sales.told("task.completed", 130_002, TaskCompletedReason="done"),
    ]


def rung_in_vain_and_hung_up() -> list[Told]:
    task = call(2)
    created, support = task.told("created", 9_900), task.enter("Support", 10_000)
    return [
        created,
        support.entered,
        support.reservation("created", 10_100, "bruno", 4),
        support.reservation("timeout", 25_100, "bruno", 4),
        support.told("task.canceled", 40_000, TaskCanceledReason="hangup"),
        support.told("task.deleted", 41_000, TaskAssignmentStatus="canceled"),
        support.told("task.system-deleted", 42_000),
    ]


def transferred_by_a_new_task() -> list[Told]:
    """The first task is completed while the second one of the same conversation waits."""
    first, second = chat(3), chat(4)
    begun, support = first.told("created", 99_900), first.enter("Support", 100_000)
    again, sales = second.told("created", 150_000), second.enter("Sales", 150_200)
    return [
        begun,
        support.entered,
        support.reservation("created", 100_100, "bruno", 5),
        support.reservation("accepted", 105_000, "bruno", 5),
        again,
        sales.entered,
        support.reservation("wrapup", 152_000, "bruno", 5),
        support.told("task.wrapup", 152_001),
        support.reservation("completed", 160_000, "bruno", 5),
        support.told("task.completed", 160_001),
        sales.reservation("created", 151_000, "dan", 6),
        sales.reservation("accepted", 170_000, "dan", 6),
        sales.reservation("wrapup", 200_000, "dan", 6),
        sales.reservation("completed", 210_000, "dan", 6),
        sales.told("task.completed", 210_001),
    ]


def too_old() -> list[Told]:
    task = call(5)
    created, sales = task.told("created", 199_900), task.enter("Sales", 200_000)
    support = task.enter("Support", 230_100)
    return [
        created,
        sales.entered,
        sales.told("task-queue.timeout", 230_000),
        support.entered,
        support.told("task.canceled", 260_000, TaskCanceledReason="Task TTL Exceeded"),
    ]


def moved_and_hung_up() -> list[Told]:
    task = call(6)
    created, support = task.told("created", 299_900), task.enter("Support", 300_000)
    sales = task.enter("Sales", 310_100)
    return [
        created,
        support.entered,
        support.told("task-queue.moved", 310_000),
        sales.entered,
        sales.told("task.canceled", 320_000, TaskCanceledReason="hangup"),
    ]


def agents() -> list[Told]:
    return [
        *(worker("activity.update", i, name, "Available") for i, name in enumerate(AGENTS)),
        worker("activity.update", 211_000, "dan", "Break"),
    ]


STORY = [
    *agents(),
    *rung_by_all_and_transferred(),
    *rung_in_vain_and_hung_up(),
    *transferred_by_a_new_task(),
    *too_old(),
    *moved_and_hung_up(),
]


def translated(story: Sequence[Told], *, as_json: Sequence[bool] = ()) -> list[SourceEvent]:
    """Each by a translator of its own, as if every event came to another process."""
    events = []
    for i, told in enumerate(story):
        streamed = as_json[i % len(as_json)] if as_json else False
        content = told.json if streamed else told.form
        found = Translator(source(), PSEUDONYMS).body(content, is_form=not streamed, now_ms=told.at_ms)
        assert (found.spoiled, found.unknown) == ([], {})
        events += found.events
    return [structs.replace(event, received_ms=event.occurred_ms) for event in events]


def board(events: Sequence[SourceEvent], now_ms: int = OVER_MS) -> tuple[dict[str, QueueRow], SiteRow]:
    config = Config(sites=[SiteConfig(id=SITE)], sources=[source()], from_file=True)
    queues, sites = rows(fold(events, config, now_ms), now_ms)
    return {queue: row for (_, queue), row in queues.items()}, sites[SITE]


@cache
def in_order() -> tuple[dict[str, QueueRow], SiteRow]:
    return board(translated(STORY))


def window(queue: str) -> Window:
    return in_order()[0][queue].windows[WindowName.M15]


def test_every_visit_has_left_as_it_left() -> None:
    support, sales = window("Support"), window("Sales")

    assert (support.offered, support.answered, support.abandoned) == (5, 2, 1)
    assert +Counter(support.left) == {Outcome.TIMEOUT: 1, Outcome.TRANSFERRED: 1}
    assert (sales.offered, sales.answered, sales.abandoned) == (4, 2, 1)
    assert +Counter(sales.left) == {Outcome.TIMEOUT: 1}
    assert (support.waiting, sales.waiting) == (0, 0)


def test_waits_and_handle_times_are_those_of_twilios_instants() -> None:
    support, sales = window("Support"), window("Sales")

    ratios = (support.asa_s, sales.asa_s, support.aht_s, sales.aht_s)
    assert [ratio.denominator for ratio in ratios] == [2, 2, 2, 2]
    assert [ratio.numerator for ratio in ratios] == pytest.approx([10.2, 24.3, 118.6, 105.0])


def test_no_fact_was_told_twice_or_too_late() -> None:
    for queue in ("Support", "Sales"):
        assert (window(queue).duplicates, window(queue).late) == (0, 0)


@pytest.mark.parametrize(
    ("at_ms", "expected"),
    [
        (500, StateCounts(available=4)),
        (2_000, StateCounts(available=2, ringing=2)),
        (7_000, StateCounts(available=3, in_contact=1)),
        (66_000, StateCounts(available=2, in_contact=1, wrap_up=1)),
        (153_000, StateCounts(available=2, wrap_up=1, ringing=1)),
        (330_000, StateCounts(available=3, paused=1)),
    ],
)
def test_agents_ring_talk_wrap_up_and_pause(at_ms: int, expected: StateCounts) -> None:
    now_ms = START_MS + at_ms
    heard = [event for event in translated(STORY) if event.occurred_ms <= now_ms]

    assert board(heard, now_ms)[1].agents == expected


def test_whoever_waits_while_the_first_task_of_the_conversation_ends_goes_on_waiting() -> None:
    now_ms = START_MS + 165_000
    heard = [event for event in translated(STORY) if event.occurred_ms <= now_ms]

    assert board(heard, now_ms)[0]["Sales"].waiting == 1


def figures(board_: tuple[dict[str, QueueRow], SiteRow]) -> dict[str, object]:
    """All that the rows say of the facts; `late` and `duplicates` tell of the way, sums of their order."""
    queues, site = board_
    found: dict[str, object] = {"agents": site.agents}
    for queue, row in queues.items():
        for name, each in row.windows.items():
            ratios = [
                (round(r.numerator, 6), round(r.denominator, 6))
                for r in (each.asa_s, each.aht_s, each.occupancy)
            ]
            plain = (
                each.offered,
                each.answered,
                each.abandoned,
                each.left,
                each.longest_wait_s,
                each.service_level,
            )
            found[f"{queue}/{name}"] = (plain, ratios)
        found[queue] = (row.waiting, row.agents)
    return found


@pytest.mark.parametrize("seed", range(12))
def test_in_any_order_by_either_way_and_twice_the_figures_are_the_same(seed: int) -> None:
    dice = random.Random(seed)
    story = [*STORY, *dice.sample(STORY, 20)]
    dice.shuffle(story)
    ways = [dice.random() < 0.5 for _ in story]

    assert figures(board(translated(story, as_json=ways))) == figures(in_order())


def test_both_ways_at_once_are_one_story() -> None:
    by_form, by_json = translated(STORY), translated(STORY, as_json=[True])

    assert [event.id for event in by_form] == [event.id for event in by_json]


def test_a_lost_entry_costs_less_than_a_second() -> None:
    """No repeat of a lost callback is promised."""
    events = translated([told for told in STORY if told.type != "task-queue.entered"])
    queues, _ = board(events)

    for queue in ("Support", "Sales"):
        found, expected = queues[queue].windows[WindowName.M15], window(queue)
        assert (found.offered, found.answered, found.abandoned, found.left) == (
            expected.offered,
            expected.answered,
            expected.abandoned,
            expected.left,
        )
        assert expected.asa_s.numerator <= found.asa_s.numerator <= expected.asa_s.numerator + 2


def test_a_lost_wrap_up_is_told_by_the_task() -> None:
    lost = {"reservation.wrapup", "reservation.completed"}
    events = translated([told for told in rung_by_all_and_transferred() if told.type not in lost])
    queues, _ = board(events)

    assert queues["Sales"].windows[WindowName.M15].aht_s.numerator == pytest.approx(65.002, abs=0.01)


def without_instant_of_entry(told: Told) -> Told:
    fields = {name: value for name, value in told.fields.items() if name != "TaskQueueEnteredDate"}
    return Told(told.type, told.at_ms, fields)


@pytest.mark.parametrize("seed", range(3))
def test_without_the_instant_of_entry_the_fold_finds_the_visits_by_queue_and_time(seed: int) -> None:
    story = [without_instant_of_entry(told) for told in STORY]
    random.Random(seed).shuffle(story)
    queues, _ = board(translated(story))

    for queue in ("Support", "Sales"):
        found, expected = queues[queue].windows[WindowName.M15], window(queue)
        assert (found.offered, found.answered, found.abandoned, found.left, found.asa_s) == (
            expected.offered,
            expected.answered,
            expected.abandoned,
            expected.left,
            expected.asa_s,
        )
