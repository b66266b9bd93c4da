"""Every state and every step of an alert: the table of SEMANTICS.md §8, pair by pair."""

import pytest

from schemas.vocabulary import OPEN_ALERT_STATES, AlertState, Notice
from services.aggregator.core.transitions import NOTICES, Standing, Step, after

FIRING, ACKNOWLEDGED, SNOOZED = AlertState.FIRING, AlertState.ACKNOWLEDGED, AlertState.SNOOZED
SUPPRESSED, RESOLVED, WITHDRAWN = AlertState.SUPPRESSED, AlertState.RESOLVED, AlertState.WITHDRAWN

STEPS = (
    Step.ACKNOWLEDGE,
    Step.SNOOZE,
    Step.SNOOZE_ENDS,
    Step.CLEAR,
    Step.RESOLVE,
    Step.STALE,
    Step.LIVE,
    Step.GONE,
)
"""The columns of the table. None below: nothing happens, and a command is answered with 409."""

TABLE: dict[AlertState, tuple[AlertState | None, ...]] = {
    FIRING: (ACKNOWLEDGED, SNOOZED, None, RESOLVED, RESOLVED, SUPPRESSED, None, WITHDRAWN),
    ACKNOWLEDGED: (None, SNOOZED, None, RESOLVED, RESOLVED, SUPPRESSED, None, WITHDRAWN),
    SNOOZED: (ACKNOWLEDGED, SNOOZED, FIRING, RESOLVED, RESOLVED, SUPPRESSED, None, WITHDRAWN),
    SUPPRESSED: (None, None, SUPPRESSED, None, RESOLVED, None, SNOOZED, WITHDRAWN),
    RESOLVED: (None,) * 8,
    WITHDRAWN: (None,) * 8,
}
"""A snoozed one was firing before; a suppressed one was snoozed before, and firing before that."""

BEFORE = {
    SNOOZED: Standing(SNOOZED, before_snooze=FIRING),
    SUPPRESSED: Standing(SUPPRESSED, before_snooze=FIRING, before=SNOOZED),
}

PAIRS = [
    (state, step, following)
    for state, row in TABLE.items()
    for step, following in zip(STEPS, row, strict=True)
]


def test_the_table_has_every_pair() -> None:
    assert set(TABLE) == set(AlertState)
    assert set(STEPS) == set(Step)
    assert len(PAIRS) == len(AlertState) * len(Step)


@pytest.mark.parametrize(("state", "step", "following"), PAIRS)
def test_a_step_leads_where_the_table_says(
    state: AlertState, step: Step, following: AlertState | None
) -> None:
    found = after(BEFORE.get(state, Standing(state)), step)
    assert (found and found.state) == following


@pytest.mark.parametrize("state", sorted(OPEN_ALERT_STATES - {SUPPRESSED}))
def test_suppressed_and_live_again_it_is_what_it_was(state: AlertState) -> None:
    before = BEFORE.get(state, Standing(state))
    suppressed = after(before, Step.STALE)
    assert suppressed is not None
    assert after(suppressed, Step.LIVE) == before


@pytest.mark.parametrize("state", [FIRING, ACKNOWLEDGED])
def test_snoozed_until_it_ends_it_is_what_it_was_however_often(state: AlertState) -> None:
    once = after(Standing(state), Step.SNOOZE)
    assert once is not None
    assert after(once, Step.SNOOZE) == once
    assert after(once, Step.SNOOZE_ENDS) == Standing(state)


@pytest.mark.parametrize("state", [FIRING, ACKNOWLEDGED])
def test_a_snooze_that_ends_while_suppressed_is_over_when_the_source_is_heard_again(
    state: AlertState,
) -> None:
    standing = Standing(SUPPRESSED, before_snooze=state, before=SNOOZED)
    ended = after(standing, Step.SNOOZE_ENDS)
    assert ended == Standing(SUPPRESSED, before=state)
    assert after(ended, Step.SNOOZE_ENDS) is None
    assert after(ended, Step.LIVE) == Standing(state)


@pytest.mark.parametrize("state", [FIRING, ACKNOWLEDGED])
def test_no_snooze_ends_where_none_was(state: AlertState) -> None:
    assert after(Standing(SUPPRESSED, before=state), Step.SNOOZE_ENDS) is None


def test_every_step_has_a_notice_and_only_the_firing_has_none_here() -> None:
    assert set(NOTICES) == set(Step)
    assert set(Notice) - set(NOTICES.values()) == {Notice.FIRED}
