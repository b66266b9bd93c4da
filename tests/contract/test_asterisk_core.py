"""A real Asterisk, recorded: translated, folded by the real core, beside what it counted and logged."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from statistics import fmean

import pytest
from msgspec import structs

from schemas.board import QueueRow, Ratio, StateCounts, Window
from schemas.config import Config, QueueConfig, ServiceLevelConfig, SiteConfig
from schemas.events import AgentStateChanged, SourceEvent, SourceHeartbeat, WrapEnd
from schemas.vocabulary import Outcome, ServiceLevelDefinition, WindowName
from services.ingest.adapters.asterisk_ami.frames import Frame, FrameReader
from services.ingest.adapters.asterisk_ami.recording import LONGEST_TIMER_MS, read
from services.ingest.adapters.asterisk_ami.translate import Translator
from services.ingest.adapters.asterisk_ami.wire import instant_us
from tests.data import asterisk
from tests.doubles.ami_frames import PSEUDONYMS, source
from tests.oracle import queue_log
from tests.oracle.compare import differences
from tests.oracle.fold import figures
from tests.unit.aggregator.core.folding import fold, rows

SITE = "paris"
ANSWERED_ONLY = ServiceLevelDefinition.ANSWERED_ONLY
WITH_ABANDONS = ServiceLevelDefinition.ABANDONS_WITHIN_T_COUNT_AS_MET
QUEUES = ("support", "sales")
WHOLE = (WindowName.M15, WindowName.M30, WindowName.M60, WindowName.TODAY)
"""The windows that hold the whole run of 11 minutes."""


@cache
def frames() -> tuple[Frame, ...]:
    return tuple(FrameReader().feed(asterisk.capture()))


@cache
def events() -> tuple[SourceEvent, ...]:
    """All that the run tells, its last wrap-up included."""
    recording = read([asterisk.capture()], source(wrap_up_s=asterisk.WRAP_UP_S), PSEUDONYMS)
    assert recording.fault is None
    return tuple(heard_at_once([*recording.events, *recording.after]))


def heard_at_once(told: Iterable[SourceEvent]) -> list[SourceEvent]:
    return [structs.replace(event, received_ms=event.occurred_ms) for event in told]


def just_after_ms() -> int:
    """An instant at which all is over, and 15 minutes hold the whole run."""
    return max(event.occurred_ms for event in events()) + 1_000


def config(definition: ServiceLevelDefinition = ANSWERED_ONLY) -> Config:
    level = ServiceLevelConfig(threshold_s=asterisk.THRESHOLD_S, definition=definition)
    return Config(
        sites=[SiteConfig(id=SITE, time_zone="Europe/Paris")],
        queues=[QueueConfig(id=queue, site=SITE, service_level=level) for queue in QUEUES],
        sources=[source()],
        from_file=True,
    )


def folded(
    told: Sequence[SourceEvent], definition: ServiceLevelDefinition = ANSWERED_ONLY
) -> dict[str, QueueRow]:
    """The row of each queue just after the run."""
    now_ms = just_after_ms()
    found, _ = rows(fold(told, config(definition), now_ms), now_ms)
    return {queue: found[SITE, queue] for queue in QUEUES}


@cache
def board(definition: ServiceLevelDefinition = ANSWERED_ONLY) -> dict[str, QueueRow]:
    return folded(events(), definition)


@cache
def logged() -> tuple[queue_log.Contact, ...]:
    return tuple(queue_log.fold(asterisk.QUEUE_LOG.read_text("utf-8").splitlines()))


# --- beside Asterisk's own counters ---


@pytest.mark.parametrize("queue", QUEUES)
@pytest.mark.parametrize("window", WHOLE)
def test_counts_are_those_of_asterisk_itself(queue: str, window: WindowName) -> None:
    row, own = board()[queue].windows[window], asterisk.own_counters()[queue]

    assert row.offered == asterisk.OFFERED[queue]
    assert row.answered == own.answered
    assert row.abandoned + row.left.get(Outcome.TIMEOUT, 0) == own.abandoned
    assert row.offered == row.answered + row.abandoned + sum(row.left.values())
    assert (row.late, row.duplicates, row.waiting, board()[queue].waiting) == (0, 0, 0, 0)


@pytest.mark.parametrize("queue", QUEUES)
@pytest.mark.parametrize("window", WHOLE)
def test_answered_only_is_asterisks_service_level_but_for_truncated_waits(
    queue: str, window: WindowName
) -> None:
    own = asterisk.own_counters()[queue]
    level = board()[queue].windows[window].service_level
    truncated = sum(where == queue for _, where in asterisk.TRUNCATED_ANSWERED)

    assert level.denominator == own.answered
    assert level.value == level.numerator / level.denominator
    assert round(100 * (level.numerator + truncated) / level.denominator, 1) == own.service_level


@pytest.mark.parametrize("queue", QUEUES)
@pytest.mark.parametrize("window", WHOLE)
def test_abandons_within_t_as_met_is_its_second_one_but_for_truncated_waits(
    queue: str, window: WindowName
) -> None:
    own = asterisk.own_counters()[queue]
    level = board(WITH_ABANDONS)[queue].windows[window].service_level
    truncated = sum(where == queue for _, where in asterisk.TRUNCATED)

    assert level.denominator == own.answered + own.abandoned
    assert level.value == level.numerator / level.denominator
    assert round(100 * (level.numerator + truncated) / level.denominator, 1) == own.service_level_2


@pytest.mark.parametrize("queue", QUEUES)
def test_speed_of_answer_is_the_mean_of_its_hold_times(queue: str) -> None:
    """It subtracts two instants that are each cut to whole seconds: off by less than one, either way."""
    holds = [c.wait_s or 0 for c in logged() if c.queue == queue and c.outcome == "answered"]
    asa = board()[queue].windows[WindowName.M15].asa_s

    assert asa.denominator == len(holds)
    assert asa.value == pytest.approx(fmean(holds), abs=0.25)


@pytest.mark.parametrize("queue", QUEUES)
def test_handle_time_is_the_mean_of_its_talk_times_and_the_wrap_up(queue: str) -> None:
    """A wrap-up lasts as configured, or until the agent takes the next call."""
    talks = [c.talk_s for c in logged() if c.queue == queue and c.talk_s is not None]
    wraps = [event for event in events() if isinstance(event, WrapEnd) and f"/{queue}/" in event.id]
    aht = board()[queue].windows[WindowName.M15].aht_s

    assert aht.denominator == len(talks) == len(wraps)
    assert aht.value == pytest.approx(fmean(talks) + asterisk.WRAP_UP_S[queue], abs=0.25)


# --- beside its log, contact by contact ---


def test_each_contact_alone_gives_the_row_that_the_log_tells() -> None:
    """AMI cannot tell the one time-out from an abandon in this capture."""
    by_contact: dict[str, list[SourceEvent]] = defaultdict(list)
    for event in events():
        if not isinstance(event, AgentStateChanged | SourceHeartbeat):
            by_contact[event.contact].append(event)
    log = {contact.callid: contact for contact in logged()}

    assert by_contact.keys() == log.keys()
    for callid, told in by_contact.items():
        row = folded(told)[log[callid].queue].windows[WindowName.M15]
        is_answered = log[callid].outcome == "answered"
        counts = (row.offered, row.answered, row.abandoned, sum(row.left.values()))
        assert counts == (1, int(is_answered), int(not is_answered), 0), callid
        assert row.longest_wait_s == pytest.approx(log[callid].wait_s, abs=1.001), callid
        assert row.asa_s.value == (row.longest_wait_s if is_answered else None), callid
        talk_s, wrap_s = log[callid].talk_s, asterisk.WRAP_UP_S[log[callid].queue]
        assert row.aht_s.denominator == int(is_answered), callid
        if talk_s is not None:
            assert row.aht_s.value == pytest.approx(talk_s + wrap_s, abs=1.1), callid


# --- agents ---


def test_agents_are_at_the_end_as_asterisk_shows_them() -> None:
    """Status 1, not paused, in no call, wrap-up over: available, all four."""
    now_ms = just_after_ms()
    partition = fold(events(), config(), now_ms)
    queue_rows, site_rows = rows(partition, now_ms)

    members = asterisk.own_members()
    assert sorted(members) == ["Alice", "Bruno", "Chloe", "David"]
    assert {(m["Status"], m["Paused"], m["InCall"]) for m in members.values()} == {("1", "0", "0")}
    for queue in QUEUES:
        own = sum(member["Queue"] == queue for member in members.values())
        assert queue_rows[SITE, queue].agents == StateCounts(available=own)
    assert site_rows[SITE].agents == StateCounts(available=len(members))


def test_who_was_busy_was_so_for_its_talks_and_wrap_ups() -> None:
    """Occupancy counts the same seconds as handle time does; an agent here has one contact at a time."""
    for queue, row in board().items():
        window = row.windows[WindowName.M15]
        assert window.occupancy.numerator == pytest.approx(window.aht_s.numerator, abs=0.5), queue
        assert window.occupancy.numerator < window.occupancy.denominator < 2 * 15 * 60


# --- the same, however it comes ---


@pytest.mark.parametrize("definition", [ANSWERED_ONLY, WITH_ABANDONS])
def test_every_figure_is_that_of_the_slow_fold(definition: ServiceLevelDefinition) -> None:
    expected = figures(events(), config(definition), now_ms=just_after_ms())
    for queue, row in board(definition).items():
        assert differences(expected[SITE, queue], row) == []


def through(translator: Translator, heard: Iterable[Frame], clock_ms: int = 0) -> list[SourceEvent]:
    """What a source says of these frames, timers included; `clock_ms`: where its clock stands."""
    told: list[SourceEvent] = []
    for frame in heard:
        at_us = instant_us(frame)
        clock_ms = max(clock_ms, at_us // 1000) if at_us is not None else clock_ms
        told += translator.frame(frame, clock_ms)
    return heard_at_once([*told, *translator.due(clock_ms + LONGEST_TIMER_MS)])


def manager(**settings: object) -> Translator:
    return Translator(source(wrap_up_s=asterisk.WRAP_UP_S, **settings), PSEUDONYMS)


FIRST_MS = 1_795_321_195_437


def cut_and_reconnected(seed: int) -> list[SourceEvent]:
    """Cut five times in mid-frame; after each, the frame that was cut comes again, whole."""
    data, dice = asterisk.capture(), random.Random(seed)
    translator, told, start, clock_ms = manager(), list[SourceEvent](), 0, FIRST_MS
    for cut in [*sorted(dice.sample(range(1000, len(data)), 5)), len(data)]:
        for frame in FrameReader().feed(data[start:cut]):
            at_us = instant_us(frame)
            clock_ms = max(clock_ms, at_us // 1000) if at_us is not None else clock_ms
            told += translator.frame(frame, clock_ms)
        translator.reconnected()
        start = data.rfind(b"\r\n\r\n", 0, cut) + 4
    return heard_at_once([*told, *translator.due(clock_ms + LONGEST_TIMER_MS)])


def sent_twice() -> list[SourceEvent]:
    """The whole of it again, once it was over."""
    return [*events(), *events()]


def frames_twice_in_one_session() -> list[SourceEvent]:
    return through(manager(), [*frames(), *frames()], FIRST_MS)


def two_managers() -> list[SourceEvent]:
    """Two sessions of one source, each with its own translator; what they tell comes interleaved."""
    one, other = through(manager(), frames(), FIRST_MS), cut_and_reconnected(7)
    pairs = [(n, 0, event) for n, event in enumerate(one)]
    pairs += [(n + 300, 1, event) for n, event in enumerate(other)]
    return [event for _, _, event in sorted(pairs, key=lambda pair: pair[:2])]


def two_configured_sources() -> list[SourceEvent]:
    """The same Asterisk under two ids: other identities of events, the same contacts and segments."""
    return [*events(), *through(manager(id="pbx2"), frames(), FIRST_MS)]


def in_any_order() -> list[SourceEvent]:
    told = [*events(), *events()]
    random.Random(3).shuffle(told)
    return told


WAYS: dict[str, Callable[[], list[SourceEvent]]] = {
    "cut 0": lambda: cut_and_reconnected(0),
    "cut 1": lambda: cut_and_reconnected(1),
    "sent twice": sent_twice,
    "frames twice": frames_twice_in_one_session,
    "two managers": two_managers,
    "two sources": two_configured_sources,
    "any order": in_any_order,
}


@pytest.mark.parametrize("way", WAYS)
def test_however_it_comes_the_row_is_the_same(way: str) -> None:
    found = folded(WAYS[way]())
    for queue in QUEUES:
        assert plain(found[queue]) == plain(board()[queue]), queue


def plain(row: QueueRow) -> tuple[dict[WindowName, Window], StateCounts, object, int]:
    """What the row says of the facts; `late` and `duplicates` tell of the way."""
    windows = {
        name: structs.replace(
            window,
            late=0,
            duplicates=0,
            asa_s=rounded(window.asa_s),
            aht_s=rounded(window.aht_s),
            occupancy=rounded(window.occupancy),
        )
        for name, window in row.windows.items()
    }
    return windows, row.agents, row.trend, row.waiting


def rounded(ratio: Ratio) -> Ratio:
    """Sums of floats depend on their order in the last digits."""
    value = None if ratio.value is None else round(ratio.value, 9)
    return Ratio(value=value, numerator=round(ratio.numerator, 6), denominator=round(ratio.denominator, 6))


def test_repeats_are_counted() -> None:
    once, twice = board()["support"], folded(sent_twice())["support"]

    assert once.windows[WindowName.M15].duplicates == 0
    assert twice.windows[WindowName.M15].duplicates > asterisk.OFFERED["support"]
