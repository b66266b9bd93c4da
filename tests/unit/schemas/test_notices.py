"""Which transition a version of an alert tells: every pair of states, and what looks like one and is none."""

import pytest
from msgspec.structs import replace

from schemas.notices import notice_of
from schemas.vocabulary import AlertState, Notice
from tests.unit.api.rows import alert

F, A, Z, S, R, W = (
    AlertState.FIRING,
    AlertState.ACKNOWLEDGED,
    AlertState.SNOOZED,
    AlertState.SUPPRESSED,
    AlertState.RESOLVED,
    AlertState.WITHDRAWN,
)
PAIRS: dict[tuple[AlertState | None, AlertState], Notice | None] = {
    (None, F): Notice.FIRED,
    (None, A): Notice.ACKNOWLEDGED,
    (None, Z): Notice.SNOOZED,
    (None, S): Notice.SUPPRESSED,
    (None, R): None,
    (None, W): None,
    (F, F): None,
    (F, A): Notice.ACKNOWLEDGED,
    (F, Z): Notice.SNOOZED,
    (F, S): Notice.SUPPRESSED,
    (F, R): Notice.RESOLVED,
    (F, W): Notice.WITHDRAWN,
    (A, F): Notice.RESUMED,
    (A, A): None,
    (A, Z): Notice.SNOOZED,
    (A, S): Notice.SUPPRESSED,
    (A, R): Notice.RESOLVED,
    (A, W): Notice.WITHDRAWN,
    (Z, F): Notice.RESUMED,
    (Z, A): Notice.RESUMED,
    (Z, Z): None,
    (Z, S): Notice.SUPPRESSED,
    (Z, R): Notice.RESOLVED,
    (Z, W): Notice.WITHDRAWN,
    (S, F): Notice.RESUMED,
    (S, A): Notice.RESUMED,
    (S, Z): Notice.RESUMED,
    (S, S): None,
    (S, R): Notice.RESOLVED,
    (S, W): Notice.WITHDRAWN,
    **{(R, state): None for state in (R, W)},
    **{(W, state): None for state in (R, W)},
    (R, F): Notice.FIRED,  # it was resolved as `corrected` and turned out to be due
    (R, A): Notice.ACKNOWLEDGED,
    (R, Z): Notice.SNOOZED,
    (R, S): Notice.SUPPRESSED,
    (W, F): Notice.FIRED,
    (W, A): Notice.ACKNOWLEDGED,
    (W, Z): Notice.SNOOZED,
    (W, S): Notice.SUPPRESSED,
}


def test_every_pair_is_in_the_table() -> None:
    assert set(PAIRS) == {(before, now) for before in (None, *AlertState) for now in AlertState}


@pytest.mark.parametrize(("pair", "notice"), PAIRS.items(), ids=str)
def test_a_transition_is_told_as_what_it_is(
    pair: tuple[AlertState | None, AlertState], notice: Notice | None
) -> None:
    before = None if pair[0] is None else alert(state=pair[0])
    version = 1 if before is None else 2

    assert notice_of(before, alert(state=pair[1], version=version)) is notice


@pytest.mark.parametrize("says", [None, Notice.RESUMED, Notice.FIRED])
def test_read_from_its_middle_on_an_alert_says_itself_what_it_tells(says: Notice | None) -> None:
    assert notice_of(None, alert(state=F, version=2, notice=says)) is says


def test_taking_a_snoozed_alert_is_not_the_end_of_its_snooze() -> None:
    before = alert(state=Z, acknowledged_ms=1)

    assert notice_of(before, replace(before, state=A, acknowledged_ms=2)) is Notice.ACKNOWLEDGED
    assert notice_of(before, replace(before, state=A)) is Notice.RESUMED


def test_a_snooze_set_anew_is_told() -> None:
    before = alert(state=Z, snoozed_until_ms=1)

    assert notice_of(before, replace(before, snoozed_until_ms=2)) is Notice.SNOOZED
