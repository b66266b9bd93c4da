"""Calls of a Genesys Cloud, folded by the real core: the same figures, whichever way and order they come."""

import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from msgspec import structs

from schemas.board import QueueRow
from schemas.config import Config, SiteConfig, SourceConfig
from schemas.events import AgentAccepted, SourceEvent, TalkEnded
from schemas.vocabulary import WindowName
from services.ingest.adapters.genesys_cloud.recording import read
from services.ingest.adapters.genesys_cloud.translate import Translator
from services.ingest.payloads import json_payloads
from tests.doubles.genesys_calls import QUEUE, START_MS, source
from tests.doubles.running_source import PSEUDONYMS
from tests.oracle.compare import differences
from tests.oracle.fold import figures
from tests.unit.aggregator.core.folding import fold, rows

DATA = Path(__file__).parents[1] / "data" / "genesys-cloud"
FRAMES, EVENTS, MORNING = (
    DATA / name
    for name in (
        "03_composed_notification_frames_call.jsonl",
        "04_composed_eventbridge_detail_events_call.jsonl",
        "06_composed_eventbridge_morning.jsonl",
    )
)
M15 = WindowName.M15
NOW_MS = START_MS + 300_000


def config(*sources: SourceConfig) -> Config:
    site = SiteConfig(id="paris", time_zone="Europe/Paris")
    return Config(sites=[site], sources=list(sources or [source()]), from_file=True)


def heard(told: Sequence[SourceEvent]) -> list[SourceEvent]:
    return [structs.replace(each, received_ms=each.occurred_ms) for each in told]


def through(payloads: Sequence[bytes], *, processes: int = 1, seed: int = 0) -> list[SourceEvent]:
    """What so many processes tell of them, each of which hears a part."""
    drawn = random.Random(seed)
    translators = [Translator(source(), PSEUDONYMS) for _ in range(processes)]
    return heard([e for each in payloads for e in drawn.choice(translators).take(each, 0).events])


def board(told: Sequence[SourceEvent], *sources: SourceConfig) -> dict[str, QueueRow]:
    """Queues, without how often a fact was told and when it was heard."""
    found, _ = rows(fold(told, config(*sources), NOW_MS), NOW_MS)
    return {
        queue: structs.replace(
            row,
            heard_ms=None,
            stale_at_ms=None,
            sources=[],
            windows={name: structs.replace(each, late=0, duplicates=0) for name, each in row.windows.items()},
        )
        for (_, queue), row in found.items()
    }


@cache
def morning() -> tuple[bytes, ...]:
    return tuple(json_payloads(MORNING.read_bytes()))


def test_the_figures_are_those_of_the_morning() -> None:
    found = board(through(morning()))
    support, sales = found["support"].windows[M15], found["sales"].windows[M15]

    assert (support.offered, support.answered, support.abandoned) == (4, 1, 1)
    assert {str(outcome): n for outcome, n in support.left.items() if n} == {"callback": 1}
    assert (support.asa_s.numerator, support.aht_s.numerator) == (29.0, 60.0 + 10.0)
    assert found["support"].waiting == 1
    assert (sales.offered, sales.answered) == (1, 0)
    assert {str(outcome): n for outcome, n in sales.left.items() if n} == {"transferred": 1}


def test_every_figure_is_that_of_the_slow_fold() -> None:
    told = through(morning())
    expected = figures(told, config(), now_ms=NOW_MS)

    found, _ = rows(fold(told, config(), NOW_MS), NOW_MS)
    for key, row in found.items():
        assert differences(expected[key], row) == []


@pytest.mark.parametrize("file", [EVENTS, MORNING])
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("seed", range(6))
def test_detail_events_in_any_order_to_any_process_give_the_same_figures(
    file: Path, processes: int, seed: int
) -> None:
    payloads = json_payloads(file.read_bytes())
    expected = board(through(payloads))
    drawn = random.Random(seed)
    shuffled = drawn.sample(payloads, len(payloads))
    again = [*shuffled, *drawn.sample(payloads, 5)]

    assert board(through(again, processes=processes, seed=seed)) == expected


def frames() -> list[bytes]:
    """The notifications of the call's conversation, without its agent's own words."""
    return [each for each in json_payloads(FRAMES.read_bytes()) if b".conversations." in each]


@pytest.mark.parametrize("seed", range(6))
def test_notifications_in_any_order_give_the_same_figures(seed: int) -> None:
    """Several channels may tell of one conversation."""
    shuffled = random.Random(seed).sample(frames(), len(frames()))

    assert board(through(shuffled)) == board(through(frames()))


def visits(told: Sequence[SourceEvent]) -> set[tuple[object, ...]]:
    """What every fact says; of the end of a hold notifications do not say when it was."""
    names = ("contact", "segment", "queue", "outcome", "agent", "customer", "channel")
    return {
        (each.__struct_config__.tag, each.occurred_ms, *(getattr(each, name, None) for name in names))
        for each in told
        if str(each.__struct_config__.tag) != "hold.end"
    }


def test_the_same_call_both_ways_has_the_same_facts() -> None:
    by_channel, by_eventbridge = (
        heard(read([b"".join(parts)], source(), PSEUDONYMS).events)
        for parts in ([b"\n".join(frames())], [EVENTS.read_bytes()])
    )

    assert visits(by_channel) == visits(by_eventbridge)
    assert {each.id for each in by_channel} < {each.id for each in by_eventbridge}
    assert board(by_channel) == board(by_eventbridge)
    window = board(by_channel)["support"].windows[M15]
    assert (window.offered, window.answered, window.asa_s.numerator) == (1, 1, 11.0)
    assert window.aht_s.numerator == 224.9 + 19.2


def test_a_site_that_has_both_ways_counts_each_call_once() -> None:
    """Two sources of one system, each telling all of it."""
    second = source(id="genesys-events")
    one = heard(read([b"\n".join(frames())], source(), PSEUDONYMS).events)
    other = heard(read([EVENTS.read_bytes()], second, PSEUDONYMS).events)

    both = board([*one, *other], source(), second)

    assert both == board(one)


def test_a_queue_has_one_name_whichever_way_it_is_told() -> None:
    plain = source(map={})
    for content in (b"\n".join(frames()), EVENTS.read_bytes()):
        told = read([content], plain, PSEUDONYMS).events
        queues = {e.queue for e in told if isinstance(e, AgentAccepted | TalkEnded)}
        assert queues == {QUEUE}
