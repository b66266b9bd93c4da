"""The contract of every adapter, one file: whatever the source, the same promises.

What it must know of each lies in tests/contract/adapters. Samples of other people are not copied here
(needs ../shared/samples); then those that are ours, or composed, are all there is to try.
"""

import importlib
import json
import pkgutil
import random
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from msgspec import structs
from prometheus_client import CollectorRegistry, generate_latest
from structlog.testing import capture_logs

from schemas import codec
from schemas.board import QueueRow, Window
from schemas.config import Config, SiteConfig
from schemas.events import SourceEvent
from schemas.vocabulary import WindowName
from services.ingest import checking, sources
from services.ingest.handover import hand_over
from services.ingest.metrics import Metrics
from services.ingest.report import Report
from services.ingest.translated import Translated
from tests.contract import adapters
from tests.contract.adapters import AdapterCase
from tests.doubles.running_source import PSEUDONYMS, Heard
from tests.unit.aggregator.core.folding import fold, rows


def cases() -> list[AdapterCase]:
    found = []
    for module in pkgutil.iter_modules(adapters.__path__):
        told = importlib.import_module(f"{adapters.__name__}.{module.name}")
        found.append(told.CASE)
    return found


LATE_MS = 30 * 60_000
"""What is an hour behind its source is late (SEMANTICS.md §1): so far nothing is moved."""

CASES = {case.kind: case for case in cases()}
SAMPLES = [(kind, path) for kind, case in CASES.items() for path in case.samples]
each_adapter = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
each_sample = pytest.mark.parametrize(
    ("case", "sample"),
    [(CASES[kind], path) for kind, path in SAMPLES],
    ids=[f"{kind}/{path.name}" for kind, path in SAMPLES],
)


def told_of(case: AdapterCase, sample: Path) -> Translated:
    return case.takes(case.payloads(sample))


@cache
def all_told(kind: str) -> tuple[SourceEvent, ...]:
    """All that the samples of an adapter tell, each by a fresh translator."""
    case = CASES[kind]
    return tuple(event for sample in case.samples for event in told_of(case, sample).events)


def figures(case: AdapterCase, events: Sequence[SourceEvent]) -> dict[tuple[str, str], QueueRow]:
    """The rows of the queues once everything is over; receipts do not matter to them, nor does how often a
    fact was told: a repeat that names no queue is counted where its contact is known to be by then.
    """
    now_ms = max((event.occurred_ms for event in events), default=0) + 1000
    heard = [structs.replace(event, received_ms=event.occurred_ms) for event in events]
    config = Config(sites=[SiteConfig(id=case.source.site)], sources=[case.source], from_file=True)
    found, _ = rows(fold(heard, config, now_ms), now_ms)
    return {
        key: structs.replace(row, heard_ms=None, stale_at_ms=None, windows=_of_facts(row))
        for key, row in found.items()
    }


def _of_facts(row: QueueRow) -> dict[WindowName, Window]:
    return {name: structs.replace(window, late=0, duplicates=0) for name, window in row.windows.items()}


def test_every_adapter_has_a_case() -> None:
    assert set(CASES) == set(sources.ADAPTERS)


@each_adapter
def test_every_adapter_has_samples_of_its_own_here(case: AdapterCase) -> None:
    assert [path for path in case.samples if adapters.SHARED not in path.parents]


@each_sample
def test_any_sample_translates(case: AdapterCase, sample: Path) -> None:
    told = told_of(case, sample)

    assert told.events or told.types or told.unknown or told.spoiled or told.dropped


@each_sample
def test_what_is_told_can_stand_in_the_log(case: AdapterCase, sample: Path) -> None:
    for event in told_of(case, sample).events:
        assert checking.refuse(event, now_ms=event.occurred_ms) is None
        assert codec.decode_event(codec.encode(event)) == event
        assert (event.source, event.site) == (case.source.id, case.source.site)


@each_sample
def test_any_sample_can_be_replayed(case: AdapterCase, sample: Path) -> None:
    read = sources.ADAPTERS[case.kind].read  # type: ignore[index] # its kind is one of them
    assert read is not None
    with sample.open("rb") as file:
        whole = read(iter(lambda: file.read(7919), b""), case.source, PSEUDONYMS)

    assert whole.payloads > 0


@each_adapter
def test_the_samples_tell_something(case: AdapterCase) -> None:
    assert all_told(case.kind)


@each_adapter
def test_an_unknown_type_is_counted_and_dropped(case: AdapterCase) -> None:
    told = case.takes([case.unknown])

    assert told.unknown.total() == 1
    assert (told.events, told.spoiled) == ([], [])


@each_adapter
def test_a_known_type_that_cannot_be_read_is_a_dead_letter_with_a_reason(case: AdapterCase) -> None:
    told = case.takes([case.broken])

    assert [bool(each.detail) and each.size > 0 for each in told.spoiled] == [True]
    assert told.events == []


@each_adapter
def test_a_bad_one_spoils_no_other(case: AdapterCase) -> None:
    for sample in case.samples:
        payloads = case.payloads(sample)
        bad = [case.broken, case.unknown] if case.promise == "any" else [case.unknown]
        with_bad = case.takes([*bad, *payloads, *bad])
        assert Counter(map(type, with_bad.events)) == Counter(map(type, told_of(case, sample).events))


@each_sample
def test_a_repeat_gives_the_same_ids(case: AdapterCase, sample: Path) -> None:
    payloads = case.payloads(sample)
    once = [event.id for event in case.takes(payloads).events]
    again = [event.id for event in case.takes(payloads).events]
    each_twice = [event.id for event in case.takes([p for p in payloads for _ in range(2)]).events]

    assert once == again
    assert set(each_twice) == set(once)


@each_sample
def test_a_shuffle_within_the_source_s_promise_gives_the_same_figures(
    case: AdapterCase, sample: Path
) -> None:
    payloads = case.payloads(sample)
    expected = figures(case, case.takes(payloads).events)
    for seed in range(5):
        drawn = random.Random(seed)
        if case.promise == "any":
            events = case.takes(drawn.sample(payloads, len(payloads))).events
        else:
            events = sorted(
                case.takes(payloads).events, key=lambda e: (e.occurred_ms // LATE_MS, drawn.random())
            )
        assert figures(case, events) == expected


@each_adapter
async def test_nothing_personal_comes_out_anywhere(case: AdapterCase) -> None:
    """Neither into the log of events, nor dead letters, our own log, metrics, the source panel."""
    metrics = Metrics(CollectorRegistry(), sources=[case.source.id])
    report = Report(case.source, metrics=metrics, clock=lambda: 4_000_000_000_000)
    heard = Heard()
    with capture_logs() as logs:
        for sample in case.samples:
            for payloads in ([*case.payloads(sample)], [case.payloads(sample)[0][:-9]]):
                told = case.takes(payloads)
                await hand_over(told, put=heard.put, report=report, clock=lambda: 4_000_000_000_000)
    out = [codec.encode(message).decode() for message in heard.messages]
    out += [json.dumps(logs, default=str), generate_latest(metrics.registry).decode()]
    out += [codec.encode(report.status("ingest")).decode()]

    raw = b"\n".join(payload for sample in case.samples for payload in case.payloads(sample))
    assert heard.messages
    for word in case.personal:
        assert word.encode() in raw, f"{word} is in no sample: the case proves nothing"
        assert not any(word in text for text in out), word
