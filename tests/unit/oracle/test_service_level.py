"""The eight definitions on one worked cohort, and the attribution of deferred channels."""

import pytest

from schemas.board import Window
from schemas.config import Config, QueueConfig, ServiceLevelConfig
from schemas.events import AgentAccepted, QueueEntered, QueueLeft
from schemas.vocabulary import Attribution, Channel, Outcome, ServiceLevelDefinition, WindowName
from tests.oracle.fold import Figures, figures
from tests.oracle.telling import Log

NOW_MS = 1_795_000_000_000 + 12_345
MINUTE_MS = 60_000
D = ServiceLevelDefinition

# T = 20 s, short = 5 s, in milliseconds of wait:
WORKED_COHORT: list[tuple[int, Outcome | None]] = [
    (0, Outcome.ANSWERED),  # A, A_T
    (10_000, Outcome.ANSWERED),  # A, A_T
    (20_000, Outcome.ANSWERED),  # A, A_T: exactly T is met
    (20_001, Outcome.ANSWERED),  # A
    (4_999, Outcome.ABANDONED),  # B, B_T, S
    (5_000, Outcome.ABANDONED),  # B, B_T: exactly short is not short
    (20_000, Outcome.ABANDONED),  # B, B_T
    (20_001, Outcome.ABANDONED),  # B
    (30_000, Outcome.TIMEOUT),  # D, D_all
    (10_000, Outcome.TRANSFERRED),  # D_all only
    (20_000, Outcome.CALLBACK),  # C_T, D_all
    (20_001, Outcome.CALLBACK),  # D, D_all
    (20_000, None),  # waiting exactly T: nowhere yet
    (20_001, None),  # waiting: D, D_all
]


def told(cohort: list[tuple[int, Outcome | None]], *, now_ms: int = NOW_MS) -> Log:
    """The ended ones entered three minutes ago, the waiting ones so long ago as they have waited."""
    log = Log("main")
    for n, (wait_ms, outcome) in enumerate(cohort):
        entered_ms = now_ms - (wait_ms if outcome is None else 3 * MINUTE_MS)
        named = {"contact": f"c{n}", "queue": "q", "segment": f"c{n}/1"}
        log.add(QueueEntered, entered_ms, **named)
        if outcome is Outcome.ANSWERED:
            log.add(AgentAccepted, entered_ms + wait_ms, agent="lea", **named)
        elif outcome is not None:
            log.add(QueueLeft, entered_ms + wait_ms, outcome=outcome, **named)
    return log


def figures_of(log: Log, settings: QueueConfig, *, now_ms: int = NOW_MS) -> Figures:
    return figures(log.events, Config(queues=[settings]), now_ms=now_ms)["main", "q"]


def five_minutes(log: Log, settings: QueueConfig, *, now_ms: int = NOW_MS) -> Window:
    return figures_of(log, settings, now_ms=now_ms).windows[WindowName.M5]


def phone(definition: ServiceLevelDefinition) -> QueueConfig:
    level = ServiceLevelConfig(threshold_s=20, short_abandon_s=5, definition=definition)
    return QueueConfig(id="q", channel=Channel.PHONE, service_level=level)


@pytest.mark.parametrize(
    ("definition", "numerator", "denominator"),
    [
        (D.ALL_ABANDONS_COUNT_AGAINST, 3, 4 + 4 + 3),
        (D.ANSWERED_ONLY, 3, 4),
        (D.ABANDONS_WITHIN_T_COUNT_AS_MET, 3 + 3, 4 + 4 + 3),
        (D.ABANDONS_WITHIN_T_EXCLUDED, 3, 4 + 4 - 3 + 3),
        (D.SHORT_ABANDONS_COUNT_AS_MET, 3 + 1, 4 + 4 + 3),
        (D.SHORT_ABANDONS_EXCLUDED, 3, 4 + 4 - 1 + 3),
        (D.REMOVED_FROM_QUEUE, 3 + 3 + 1, 4 + 4 + 3 + 1),
        (D.WITH_FLOW_OUTS, 3, 4 + 4 + 5),
    ],
)
def test_each_definition_on_the_worked_cohort(
    definition: ServiceLevelDefinition, numerator: int, denominator: int
) -> None:
    level = five_minutes(told(WORKED_COHORT), phone(definition)).service_level
    assert (level.numerator, level.denominator) == (numerator, denominator)
    assert level.value == numerator / denominator
    assert (level.threshold_s, level.attribution) == (20, Attribution.OFFER)


def test_volumes_of_the_worked_cohort() -> None:
    window = five_minutes(told(WORKED_COHORT), phone(D.ALL_ABANDONS_COUNT_AGAINST))
    assert (window.offered, window.answered, window.abandoned, window.waiting) == (14, 4, 4, 2)
    assert window.left == {"timeout": 1, "transferred": 1, "callback": 2}
    assert (window.short_abandoned, window.left_past_threshold, window.waiting_past_threshold) == (1, 2, 1)
    assert window.longest_wait_s == 30.0


def test_answer_waits_of_the_worked_cohort() -> None:
    window = five_minutes(told(WORKED_COHORT), phone(D.ALL_ABANDONS_COUNT_AGAINST))
    assert (window.asa_s.numerator, window.asa_s.denominator) == (50.001, 4)
    assert window.wait_p50_s == 10.0  # rank floor(0.5 · 3) = 1
    assert window.wait_p90_s == 20.0  # rank floor(0.9 · 3) = 2


@pytest.mark.parametrize("definition", list(D))
def test_short_abandons_leave_the_abandonment_of_one_definition_only(definition: D) -> None:
    ratio = five_minutes(told(WORKED_COHORT), phone(definition)).abandonment
    assert ratio is not None
    short = 1 if definition is D.SHORT_ABANDONS_EXCLUDED else 0
    assert (ratio.numerator, ratio.denominator) == (4 - short, 14 - short)


def test_nothing_offered_is_no_value() -> None:
    window = five_minutes(Log("main"), phone(D.ALL_ABANDONS_COUNT_AGAINST))
    assert window.abandonment is not None
    values = (window.service_level, window.abandonment, window.asa_s, window.aht_s, window.occupancy)
    assert [v.value for v in values] == [None] * 5
    assert (window.wait_p50_s, window.wait_p90_s, window.longest_wait_s) == (None, None, None)


def mail(threshold_s: float = 600) -> QueueConfig:
    return QueueConfig(
        id="q", channel=Channel.EMAIL, service_level=ServiceLevelConfig(threshold_s=threshold_s)
    )


def test_a_deferred_contact_counts_in_its_service_level_when_it_is_answered() -> None:
    log = Log("main")
    log.add(QueueEntered, NOW_MS - 8 * MINUTE_MS, contact="c", queue="q")
    log.add(AgentAccepted, NOW_MS - MINUTE_MS, contact="c", queue="q", agent="lea")
    window = five_minutes(log, mail())
    assert (window.offered, window.answered) == (0, 0)
    assert (window.service_level.numerator, window.service_level.denominator) == (1, 1)
    assert window.asa_s.denominator == 1
    assert window.service_level.attribution is Attribution.DECISION
    assert window.abandonment is None


def test_a_deferred_contact_that_waits_past_the_threshold_is_missed_at_that_instant() -> None:
    log = Log("main")
    log.add(QueueEntered, NOW_MS - 10 * MINUTE_MS, contact="c", queue="q")
    at_threshold = five_minutes(log, mail())
    assert at_threshold.service_level.denominator == 0
    past = five_minutes(log, mail(), now_ms=NOW_MS + 1)
    assert (past.service_level.numerator, past.service_level.denominator) == (0, 1)
    assert past.waiting_past_threshold == 1
    later = figures_of(log, mail(), now_ms=NOW_MS + 6 * MINUTE_MS).windows
    assert later[WindowName.M5].service_level.denominator == 0
    assert later[WindowName.M15].service_level.denominator == 1


def test_a_deferred_contact_answered_late_is_missed_where_it_passed_the_threshold() -> None:
    log = Log("main")
    log.add(QueueEntered, NOW_MS - 20 * MINUTE_MS, contact="c", queue="q")
    log.add(AgentAccepted, NOW_MS - MINUTE_MS, contact="c", queue="q", agent="lea")
    windows = figures_of(log, mail()).windows
    assert windows[WindowName.M5].service_level.denominator == 0
    assert windows[WindowName.M15].service_level.denominator == 1
    assert windows[WindowName.M15].service_level.numerator == 0
