"""The comparison sees each kind of difference, and forgives what it says it forgives."""

import msgspec
import pytest

from schemas.board import Window
from schemas.vocabulary import WindowName
from tests.oracle.compare import differences
from tests.oracle.fold import Figures, figures
from tests.strategies import big_history


@pytest.fixture(scope="module")
def row() -> Figures:
    history = big_history(5, 200)
    return figures(history.events, history.config, now_ms=history.now_ms)["paris", "support"]


def with_window(row: Figures, **changes: object) -> Figures:
    window: Window = msgspec.structs.replace(row.windows[WindowName.M60], **changes)
    return msgspec.structs.replace(row, windows=row.windows | {WindowName.M60: window})


@pytest.mark.parametrize("name", ["offered", "answered", "waiting_past_threshold", "from_ms"])
def test_a_count_that_differs_by_one_is_seen(row: Figures, name: str) -> None:
    changed = with_window(row, **{name: getattr(row.windows[WindowName.M60], name) + 1})
    assert len(differences(row, changed)) == 1


def test_percentiles_are_forgiven_one_percent(row: Figures) -> None:
    exact = row.windows[WindowName.M60].wait_p90_s
    assert exact is not None
    assert differences(row, with_window(row, wait_p90_s=exact * 1.0099)) == []
    assert len(differences(row, with_window(row, wait_p90_s=exact * 1.02))) == 1
    assert len(differences(row, with_window(row, wait_p90_s=None))) == 1


def test_outcomes_that_nobody_left_by_may_stand_or_not(row: Figures) -> None:
    left = row.windows[WindowName.M60].left
    assert "answered" not in left
    assert differences(row, with_window(row, left=left | {"answered": 0})) == []
    assert len(differences(row, with_window(row, left=left | {"answered": 1}))) == 1


def test_what_tells_of_the_way_is_not_compared(row: Figures) -> None:
    level = msgspec.structs.replace(row.windows[WindowName.M60].service_level, since_ms=9)
    assert differences(row, with_window(row, late=3, duplicates=4, service_level=level)) == []


def test_parts_of_figures_are_seen_by_name(row: Figures) -> None:
    level = msgspec.structs.replace(row.windows[WindowName.M60].service_level, numerator=-1)
    found = differences(row, with_window(row, service_level=level, abandonment=None))
    assert [line.split(":")[0] for line in found] == [
        "windows.60m.abandonment",
        "windows.60m.service_level.numerator",
    ]
    trend = msgspec.structs.replace(row.trend, offered=[-1, *row.trend.offered[1:]])
    found = differences(row, msgspec.structs.replace(row, trend=trend))
    assert [line.split(":")[0] for line in found] == ["trend.offered[0]"]
