"""A real Asterisk's queue_log: alone, and beside the AMI of the same run, folded by the real core."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache

import pytest
from msgspec import structs

from schemas.board import QueueRow, StateCounts
from schemas.config import Config, QueueConfig, ServiceLevelConfig, SiteConfig
from schemas.events import AgentStateChanged, ContactEvent, QueueEntered, QueueLeft, SourceEvent
from schemas.vocabulary import Outcome, ServiceLevelDefinition, WindowName
from services.aggregator.core.contacts import fact_of
from services.aggregator.core.facts import Fact
from services.aggregator.core.visits import Visit, tell
from services.ingest.adapters.asterisk_ami import recording as ami
from services.ingest.adapters.asterisk_queue_log.recording import LONGEST_TIMER_MS, read
from services.ingest.adapters.asterisk_queue_log.translate import Translator
from tests.data import asterisk
from tests.doubles import ami_frames
from tests.doubles.running_source import PSEUDONYMS
from tests.oracle import queue_log
from tests.oracle.compare import differences
from tests.oracle.fold import figures
from tests.unit.aggregator.core.folding import fold, rows
from tests.unit.ingest.adapters.asterisk_queue_log.telling import source

SITE = "paris"
QUEUES = ("support", "sales")
LOG = source(wrap_up_s=asterisk.WRAP_UP_S)
AMI = ami_frames.source(wrap_up_s=asterisk.WRAP_UP_S)
TIMED_OUT = {"sales": 0, "support": 1}


def heard(events: Iterable[SourceEvent]) -> list[SourceEvent]:
    return [structs.replace(event, received_ms=event.occurred_ms) for event in events]


@cache
def by_log() -> tuple[SourceEvent, ...]:
    """All that the log tells where it is alone."""
    found = read([asterisk.QUEUE_LOG.read_bytes()], LOG, PSEUDONYMS)
    assert (found.payloads, found.spoiled, found.unknown, found.fault) == (592, [], Counter(), None)
    return tuple(heard([*found.events, *found.after]))


@cache
def by_log_beside_ami() -> tuple[SourceEvent, ...]:
    translator = Translator(LOG, PSEUDONYMS, tells_agents=False)
    raw = asterisk.QUEUE_LOG.read_bytes().splitlines()
    events = [event for line in raw for event in translator.line(line, 2_000_000_000_000)]
    return tuple(heard([*events, *translator.rest(2_000_000_000_000 + LONGEST_TIMER_MS)]))


@cache
def by_ami() -> tuple[SourceEvent, ...]:
    found = ami.read([asterisk.capture()], AMI, PSEUDONYMS)
    return tuple(heard([*found.events, *found.after]))


@cache
def logged() -> tuple[queue_log.Contact, ...]:
    return tuple(queue_log.fold(asterisk.QUEUE_LOG.read_text("utf-8").splitlines()))


def config() -> Config:
    level = ServiceLevelConfig(
        threshold_s=asterisk.THRESHOLD_S, definition=ServiceLevelDefinition.ANSWERED_ONLY
    )
    return Config(
        sites=[SiteConfig(id=SITE, time_zone="Europe/Paris")],
        queues=[QueueConfig(id=queue, site=SITE, service_level=level) for queue in QUEUES],
        sources=[LOG, AMI],
        from_file=True,
    )


def just_after_ms() -> int:
    return max(event.occurred_ms for event in [*by_log(), *by_ami()]) + 1_000


def folded(told: Sequence[SourceEvent]) -> dict[str, QueueRow]:
    now_ms = just_after_ms()
    found, _ = rows(fold(told, config(), now_ms), now_ms)
    return {queue: found[SITE, queue] for queue in QUEUES}


# --- the log alone ---


@pytest.mark.parametrize("queue", QUEUES)
def test_alone_it_counts_exactly_what_asterisk_counted(queue: str) -> None:
    """Asterisk counts the one time-out as abandoned."""
    row, own = folded(by_log())[queue], asterisk.own_counters()[queue]
    window = row.windows[WindowName.M15]

    assert window.offered == asterisk.OFFERED[queue]
    assert window.answered == own.answered
    assert window.left.get(Outcome.TIMEOUT, 0) == TIMED_OUT[queue]
    assert window.abandoned + TIMED_OUT[queue] == own.abandoned
    assert (row.waiting, window.late, window.duplicates) == (0, 0, 0)
    assert window.offered == window.answered + window.abandoned + sum(window.left.values())
    level = window.service_level
    assert round(100 * level.numerator / level.denominator, 1) == own.service_level


def visits(told: Iterable[SourceEvent]) -> dict[tuple[str, str], Visit]:
    """What the core makes of each contact, by contact and segment."""
    facts: dict[str, list[Fact]] = {}
    for event in told:
        if isinstance(event, ContactEvent) and (fact := fact_of(event)) is not None:
            facts.setdefault(event.contact, []).append(fact)
    found = [each for name, own in facts.items() for each in tell(name, own, lambda *_: None, {}).visits]
    assert len({visit.key for visit in found}) == len(found)
    return {visit.key: visit for visit in found}


def test_alone_each_contact_is_that_of_an_independent_reader() -> None:
    mine = {(contact, visit.queue): visit for (contact, _), visit in visits(by_log()).items()}
    theirs = {(each.callid, each.queue): each for each in logged()}

    assert mine.keys() == theirs.keys()
    for key, visit in mine.items():
        own = theirs[key]
        assert (visit.outcome, visit.agent, visit.entered_ms) == (
            own.outcome,
            own.agent,
            own.entered_s * 1000,
        )
        assert visit.wait_ms / 1000 == pytest.approx(own.wait_s, abs=1.0)
        if own.talk_s is not None:
            assert visit.handle_ms / 1000 - asterisk.WRAP_UP_S[visit.queue] == pytest.approx(
                own.talk_s, abs=1.0
            )
    assert Counter(visit.outcome for visit in mine.values()) == {
        "answered": 133,
        "abandoned": 50,
        "timeout": 1,
    }


def test_alone_every_figure_is_that_of_the_slow_fold() -> None:
    expected = figures(by_log(), config(), now_ms=just_after_ms())
    for queue, row in folded(by_log()).items():
        assert differences(expected[SITE, queue], row) == []


def test_alone_agents_are_at_the_end_as_asterisk_shows_them() -> None:
    members = asterisk.own_members()
    for queue, row in folded(by_log()).items():
        assert row.agents == StateCounts(available=sum(each["Queue"] == queue for each in members.values()))


def test_alone_agents_are_busy_for_as_long_as_by_ami() -> None:
    """Whole seconds against microseconds: over 11 minutes the cuts are as often early as late."""
    alone, by_frames = folded(by_log()), folded(by_ami())
    for queue in QUEUES:
        mine, theirs = (each[queue].windows[WindowName.M15].occupancy for each in (alone, by_frames))
        assert mine.value is not None
        assert mine.value == pytest.approx(theirs.value, abs=0.02), queue


def test_alone_it_tells_every_attempt_that_it_can_know_of() -> None:
    """Of 183 rung, 19 lost races stand nowhere in the log."""
    kinds = Counter(event.__struct_config__.tag for event in by_log())

    assert kinds["agent.offered"] == 183 - 19
    assert (kinds["agent.no_answer"], kinds["agent.offer_ended"], kinds["agent.accepted"]) == (24, 7, 133)


# --- the log and AMI on one site ---


def ami_then_log() -> list[SourceEvent]:
    return [*by_ami(), *by_log_beside_ami()]


def log_then_ami() -> list[SourceEvent]:
    return [*by_log_beside_ami(), *by_ami()]


def as_it_happened() -> list[SourceEvent]:
    return sorted(ami_then_log(), key=lambda event: event.occurred_ms)


def in_any_order() -> list[SourceEvent]:
    told = [*ami_then_log(), *by_log_beside_ami()]
    random.Random(5).shuffle(told)
    return told


ORDERS: dict[str, Callable[[], list[SourceEvent]]] = {
    "AMI, then the log": ami_then_log,
    "the log, then AMI": log_then_ami,
    "as it happened": as_it_happened,
    "any order, the log twice": in_any_order,
}


def test_both_give_contacts_and_segments_the_same_names() -> None:
    def named(told: Iterable[SourceEvent]) -> set[tuple[str, str | None, str]]:
        entered = (event for event in told if isinstance(event, QueueEntered))
        return {(event.contact, event.segment, event.queue) for event in entered}

    assert named(by_ami()) == named(by_log_beside_ami())
    assert len(named(by_ami())) == 184


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("queue", QUEUES)
def test_together_each_contact_counts_once(order: str, queue: str) -> None:
    row, own = folded(ORDERS[order]())[queue], asterisk.own_counters()[queue]
    window = row.windows[WindowName.M15]

    assert window.offered == asterisk.OFFERED[queue]
    assert window.answered == own.answered
    assert window.abandoned == own.abandoned - TIMED_OUT[queue]
    assert {outcome: n for outcome, n in window.left.items() if n} == (
        {Outcome.TIMEOUT: 1} if TIMED_OUT[queue] else {}
    )
    assert (row.waiting, window.late) == (0, 0)


@pytest.mark.parametrize("order", ORDERS)
def test_together_outcomes_are_the_log_s_and_instants_are_ami_s(order: str) -> None:
    together, frames = visits(ORDERS[order]()), visits(by_ami())
    outcomes = {(each.callid, each.queue): each.outcome for each in logged()}

    assert together.keys() == frames.keys()
    for key, visit in together.items():
        assert visit.outcome == outcomes[visit.key[0], visit.queue]
        assert (visit.entered_ms, visit.ended_ms) == (frames[key].entered_ms, frames[key].ended_ms)
        assert (visit.wait_ms, visit.agent) == (frames[key].wait_ms, frames[key].agent)
        assert (visit.talk_ended_ms, visit.handle_ms) == (frames[key].talk_ended_ms, frames[key].handle_ms)
    unlike = {key for key, visit in together.items() if visit.outcome != frames[key].outcome}
    assert [together[key].outcome for key in unlike] == ["timeout"]
    assert [frames[key].outcome for key in unlike] == ["abandoned"]


@pytest.mark.parametrize("order", ORDERS)
def test_together_every_figure_but_the_outcome_is_that_of_ami(order: str) -> None:
    together, frames = folded(ORDERS[order]()), folded(by_ami())
    for queue in QUEUES:
        mine, theirs = (each[queue].windows[WindowName.M15] for each in (together, frames))
        for name in ("service_level", "asa_s", "aht_s", "occupancy"):
            assert getattr(mine, name).numerator == pytest.approx(getattr(theirs, name).numerator), name
            assert getattr(mine, name).denominator == pytest.approx(getattr(theirs, name).denominator), name
        assert (mine.wait_p50_s, mine.longest_wait_s) == (theirs.wait_p50_s, theirs.longest_wait_s)
        assert together[queue].agents == frames[queue].agents


@pytest.mark.parametrize("order", ORDERS)
def test_together_the_slow_fold_says_the_same(order: str) -> None:
    told = ORDERS[order]()
    expected = figures(told, config(), now_ms=just_after_ms())
    for queue, row in folded(told).items():
        assert differences(expected[SITE, queue], row) == []


def test_beside_ami_it_says_nothing_of_agents_and_ringing() -> None:
    assert not [event for event in by_log_beside_ami() if isinstance(event, AgentStateChanged)]
    assert {event.__struct_config__.tag for event in by_log_beside_ami()} == {
        "contact.created",
        "queue.entered",
        "queue.left",
        "agent.accepted",
        "talk.ended",
        "wrap.start",
        "wrap.end",
    }
    assert {event.rank for event in by_log_beside_ami() if isinstance(event, QueueLeft)} == {1}
