"""What the aggregator calls a version of an alert is what the notifier reads in it, step after step."""

from itertools import product
from typing import Any

import pytest

from schemas.board import Alert
from schemas.notices import notice_of
from schemas.vocabulary import AlertState, Notice
from services.aggregator.core.alerts import AlertBook
from services.aggregator.core.transitions import Step
from tests.unit.api.rows import NOW, alert

_LENGTH = 3


def test_the_first_version_fires() -> None:
    fired = _fired()
    assert notice_of(None, fired) is fired.notice is Notice.FIRED


@pytest.mark.parametrize("first", Step)
def test_both_call_each_version_the_same(first: Step) -> None:
    for rest in product(Step, repeat=_LENGTH - 1):
        book, now = AlertBook("paris"), _fired()
        book.begin(now)
        for number, step in enumerate((first, *rest)):
            at_ms = NOW + number * 1000
            moved = book.step(now, step, at_ms, **_said(step, at_ms))
            if moved is None or moved.version == now.version:
                continue
            assert notice_of(now, moved) is moved.notice, (first, *rest, number)
            now = moved


def test_figures_brought_up_to_date_are_told_to_nobody() -> None:
    book, fired = AlertBook("paris"), _fired()
    book.begin(fired)
    book.amend(fired, NOW + 1000, value=130.0)
    amended = book.stored.outbox[-1]
    assert amended.version == fired.version + 1
    assert notice_of(fired, amended) is amended.notice is None


def _fired() -> Alert:
    return alert(state=AlertState.FIRING, notice=Notice.FIRED)


def _said(step: Step, at_ms: int) -> dict[str, Any]:
    """What comes with a step, as the aggregator fills it in."""
    match step:
        case Step.ACKNOWLEDGE:
            return {"acknowledged_by": "lea", "acknowledged_ms": at_ms}
        case Step.SNOOZE:
            return {"snoozed_by": "lea", "snoozed_until_ms": at_ms + 600_000}
        case Step.CLEAR | Step.RESOLVE | Step.GONE:
            return {"resolved_ms": at_ms}
    return {}
