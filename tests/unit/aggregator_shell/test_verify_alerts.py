"""What `vigie verify` says of alerts: told twice, never, early, otherwise, corrected."""

from collections.abc import Collection, Sequence
from typing import Any

import pytest
from msgspec import structs

from schemas.board import Alert
from schemas.config import Config, QueueConfig, RuleConfig
from schemas.vocabulary import AlertState, Channel, Notice, Severity
from services.aggregator.verify.alerts import FLAPPING, HISTORY, LATE_FACTS, Entry, Evidence, collect, judge
from services.aggregator.verify.findings import Findings
from services.aggregator.verify.reach import Reach

CROSSED_MS = 1_795_600_000_000
END_MS = CROSSED_MS + 600_000
FIRING, RESOLVED, WITHDRAWN = AlertState.FIRING, AlertState.RESOLVED, AlertState.WITHDRAWN


def alert(**changes: Any) -> Alert:
    """A wait alert of the default rule on a queue with its default limit, 120 s."""
    given: dict[str, Any] = {
        "alert_id": "a1",
        "rule": "wait_over_two_minutes",
        "severity": Severity.CRITICAL,
        "site": "main",
        "queue": "support",
        "channel": Channel.PHONE,
        "team": None,
        "state": FIRING,
        "metric": "longest_wait_s",
        "value": 120.0,
        "threshold": 120.0,
        "clear": 90.0,
        "crossed_ms": CROSSED_MS,
        "fired_ms": CROSSED_MS + 20,
        "updated_ms": CROSSED_MS + 20,
    }
    return Alert(**{**given, **changes})


def ended(first: Alert, **changes: Any) -> Alert:
    """Its next version: resolved after a minute."""
    given: dict[str, Any] = {
        "state": RESOLVED,
        "version": first.version + 1,
        "resolved_ms": CROSSED_MS + 60_000,
        "updated_ms": CROSSED_MS + 60_010,
    }
    return structs.replace(first, **{**given, **changes})


def verdict(
    told: Sequence[Alert],
    *,
    by_log: Sequence[Alert] = (),
    by_log_at_state: Sequence[Alert] | None = None,
    stored: Sequence[Alert] | None = None,
    board: Sequence[Alert] = (),
    config: Config | None = None,
    since_ms: int | None = None,
    skew_ms: int = 0,
    entries: Collection[Entry] = (),
    flapped: Collection[str] = (),
) -> Findings:
    """`stored` left out: the last version of each that was told."""
    findings, known = Findings(), collect(told)
    at_state = by_log if by_log_at_state is None else by_log_at_state
    evidence = Evidence(
        told=known,
        stored=[each.last for each in known.values()] if stored is None else stored,
        board=board,
        as_of_state={a.alert_id: a for a in at_state},
        as_of_end={a.alert_id: a for a in by_log},
        state_ms=END_MS,
        end_ms=END_MS,
        config=config or Config(),
        reach=Reach(since_ms),
        skew_ms=skew_ms,
        entries=entries,
        flapped=flapped,
    )
    judge(evidence, findings)
    return findings


def details(findings: Findings) -> list[str]:
    return [each.detail for each in findings.differences]


def test_what_was_told_once_or_again_as_the_log_has_it_is_right() -> None:
    first = alert()
    over = ended(first)

    found = verdict([first, over, over], by_log=[over], board=[over])

    assert details(found) == []
    assert found.compared["wait episodes with their ends"] == 1
    assert found.compared["records of alerts sent again"] == 1


def test_when_it_fired_and_what_it_said_then_may_differ_from_the_fold() -> None:
    first = alert(value=121.3, waiting=4, late=True, fired_ms=CROSSED_MS + 5000)

    assert details(verdict([first], by_log=[alert(value=120.0, waiting=1)])) == []


def test_two_contents_of_one_version_are_found() -> None:
    found = verdict([alert(), alert(waiting=3)], by_log=[alert()])

    assert details(found) == ["version 1 has two contents: waiting None and 3"]


def test_answers_to_commands_are_the_version_they_answer() -> None:
    first = alert()
    taken = structs.replace(first, state=AlertState.ACKNOWLEDGED, version=2)
    yes = structs.replace(taken, command="c1", accepted=True)
    no = structs.replace(taken, command="c2", accepted=False)

    assert details(verdict([first, yes, no], by_log=[taken])) == []


def test_a_missing_version_is_found() -> None:
    first = alert()
    third = ended(first, version=3)

    assert details(verdict([first, third], by_log=[third])) == ["a version is missing, there are [1, 3]"]


def test_a_lost_alert_is_found() -> None:
    assert details(verdict([], by_log=[alert()])) == [f"never told; crossed at {CROSSED_MS}"]


def test_what_the_state_does_not_know_yet_is_not_lost() -> None:
    assert details(verdict([], by_log=[alert()], by_log_at_state=[])) == []
    assert details(verdict([], by_log=[alert(crossed_ms=END_MS + 1, fired_ms=END_MS + 1)])) == []


def test_an_early_alert_is_found() -> None:
    early = alert(fired_ms=CROSSED_MS - 1)

    assert details(verdict([early], by_log=[alert()])) == ["fired 1 ms before its crossing"]


def test_a_crossing_is_told_by_the_clock_of_its_source() -> None:
    early = alert(fired_ms=CROSSED_MS - 5000)

    assert details(verdict([early], by_log=[early], skew_ms=5000)) == []


@pytest.mark.parametrize("by_log", [[], [ended(alert(), reason="corrected")]])
def test_corrected_is_allowed_whatever_the_fold_made_of_it(by_log: list[Alert]) -> None:
    first = alert()

    assert details(verdict([first, ended(first, reason="corrected")], by_log=by_log)) == []


def test_a_correction_that_nobody_needed_to_hear_is_not_lost() -> None:
    assert details(verdict([], by_log=[ended(alert(), reason="corrected")])) == []


def test_an_alert_that_no_wait_explains_is_found() -> None:
    first = alert()

    found = verdict([first, ended(first)], by_log=[])

    assert details(found) == ["told as resolved, and no such wait is in the log"]


def test_another_end_is_found() -> None:
    first = alert()

    found = verdict([first, ended(first, resolved_ms=CROSSED_MS + 61_000)], by_log=[ended(first)])

    assert details(found) == [
        f"resolved at {CROSSED_MS + 61_000}, and by the log resolved at {CROSSED_MS + 60_000}"
    ]


def test_an_end_that_was_not_told_is_found_once_the_state_knows_it() -> None:
    first = alert()

    assert len(details(verdict([first], by_log=[ended(first)]))) == 1
    assert details(verdict([first], by_log=[ended(first)], by_log_at_state=[first])) == []


def test_open_for_the_listeners_and_not_in_the_state_is_found() -> None:
    found = verdict([alert()], by_log=[alert()], stored=[])

    assert details(found) == ["told as firing, and not open in the state"]


def test_what_state_and_board_say_must_have_been_told() -> None:
    other = alert(waiting=9)

    found = verdict([alert()], by_log=[alert()], stored=[other], board=[ended(alert())])

    assert details(found) == [
        "version 1 in the state: waiting None and 9",
        "version 2 in the board: that version was never told",
    ]


def test_by_other_limits_than_those_in_force_nothing_can_be_said() -> None:
    older = alert(threshold=60.0, clear=45.0)

    found = verdict([older], by_log=[])

    assert details(found) == []
    assert found.omitted["wait alerts by other limits than those in the file"] == 1


def test_of_waits_before_the_log_nothing_can_be_said() -> None:
    found = verdict([alert()], by_log=[], since_ms=CROSSED_MS - 1000)

    assert details(found) == []
    assert found.omitted["wait alerts whose facts are no longer all in the log"] == 1


def test_withdrawn_alerts_have_an_end_of_their_own() -> None:
    first = alert()
    found = verdict([first, ended(first, state=WITHDRAWN)], by_log=[ended(first)])

    assert details(found) == []
    assert found.omitted["ends of wait alerts that were withdrawn, flapping or suspended"] == 1


FIGURES = Config(
    queues=[QueueConfig(id="support")],
    rules=[RuleConfig(id="sl", metric="service_level", fire="< service_level.target", clear=">= 0.85")],
)


def low(**changes: Any) -> Alert:
    given = {"rule": "sl", "metric": "service_level", "value": 0.79, "threshold": 0.8, "clear": 0.85}
    return alert(**{**given, **changes})


@pytest.mark.parametrize(
    ("fired", "resolved", "said"),
    [
        (0.79, 0.85, []),
        (0.8, 0.9, ["fired with 0.8, not < 0.8"]),
        (None, 0.9, ["fired with None, not < 0.8"]),
        (0.79, 0.84, ["resolved with 0.84, not >= 0.85"]),
        (0.79, None, ["resolved with None, not >= 0.85"]),
    ],
)
def test_of_a_rule_on_a_figure_value_and_limit_justify_each_step(
    fired: float | None, resolved: float | None, said: list[str]
) -> None:
    first = low(value=fired)

    assert details(verdict([first, ended(first, value=resolved)], config=FIGURES)) == said


def test_resolved_by_hand_needs_no_value() -> None:
    first = low()

    assert details(verdict([first, ended(first, value=0.1, reason="by_hand")], config=FIGURES)) == []


LATE_MS = CROSSED_MS + 60_000
"""When the facts of an episode came, a minute late."""


def known_late(**changes: Any) -> Alert:
    """An episode of the log that was over when its facts came."""
    return alert(
        **{"state": RESOLVED, "fired_ms": LATE_MS, "resolved_ms": CROSSED_MS + 5000, "late": True, **changes}
    )


def test_which_of_overlapping_waits_was_told_is_open_when_their_facts_came_late() -> None:
    told = known_late(alert_id="a2", crossed_ms=CROSSED_MS + 3000)

    found = verdict([told], by_log=[known_late()])

    assert details(found) == []
    assert found.omitted[LATE_FACTS] == 2


def test_another_end_is_open_when_the_facts_came_late() -> None:
    found = verdict([known_late(resolved_ms=CROSSED_MS + 4000)], by_log=[known_late()])

    assert details(found) == []
    assert found.omitted[LATE_FACTS] == 1


@pytest.mark.parametrize(
    "told",
    [
        known_late(alert_id="a2", crossed_ms=CROSSED_MS + 5001, resolved_ms=CROSSED_MS + 6000),
        known_late(alert_id="a2", crossed_ms=CROSSED_MS + 3000, queue="sales"),
    ],
)
def test_late_facts_explain_nothing_at_another_time_or_place(told: Alert) -> None:
    assert len(details(verdict([told], by_log=[known_late()]))) == 2


def test_facts_in_time_explain_no_other_alert() -> None:
    told = known_late(alert_id="a2", crossed_ms=CROSSED_MS + 3000)
    known = known_late(fired_ms=CROSSED_MS + 1000)

    assert len(details(verdict([told], by_log=[known]))) == 2


def test_what_was_over_for_an_hour_when_its_facts_came_may_be_told_or_not() -> None:
    old = known_late(fired_ms=CROSSED_MS + 4_200_000, notice=Notice.RESOLVED)
    entry = ("main", "support", CROSSED_MS - 120_000)
    told = verdict([old], by_log=[], entries={entry})
    untold = verdict([], by_log=[structs.replace(old, notice=None)])

    assert details(told) == details(untold) == []
    assert told.omitted[HISTORY] == untold.omitted[HISTORY] == 1
    assert len(details(verdict([old], by_log=[]))) == 1
    assert len(details(verdict([structs.replace(old, state=FIRING)], by_log=[], entries={entry}))) == 1


def test_an_episode_within_one_that_flapped_may_be_a_part_of_it() -> None:
    flapping = alert(alert_id="a1", flapping=True)
    over = ended(flapping, flapping=False)
    other = alert(alert_id="a2", crossed_ms=CROSSED_MS + 30_000, fired_ms=CROSSED_MS + 30_020)
    later = alert(alert_id="a2", crossed_ms=CROSSED_MS + 90_000, fired_ms=CROSSED_MS + 90_020)

    for told, by_log in (([flapping, over], [over, other]), ([flapping, over, other], [over])):
        found = verdict(told, by_log=by_log, flapped={"a1"})
        assert details(found) == []
        assert found.omitted[FLAPPING] == 1
    assert len(details(verdict([flapping, over], by_log=[over, later], flapped={"a1"}))) == 1
    assert len(details(verdict([flapping, over, later], by_log=[over], flapped={"a1"}))) == 1
    assert len(details(verdict([alert(), ended(alert())], by_log=[ended(alert()), other]))) == 1


@pytest.mark.parametrize(("later_ms", "differences"), [(0, 0), (1500, 0), (5000, 1), (-1, 1)])
def test_who_closes_what_has_just_ended_is_refused_or_not(later_ms: int, differences: int) -> None:
    over = ended(alert())
    closed = ended(alert(), resolved_ms=CROSSED_MS + 60_000 + later_ms, reason="by_hand")

    assert len(details(verdict([alert(), over], by_log=[closed]))) == differences
