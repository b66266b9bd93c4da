"""Rolling windows by themselves; against the oracle they stand in test_against_oracle.py."""

import pytest

from schemas.vocabulary import WindowName
from services.aggregator.core.cells import ANSWERED
from services.aggregator.core.windows import BUCKET_MS, KEPT, Windows


@pytest.mark.parametrize("steps", [KEPT - 1, KEPT, KEPT + 1, 3 * KEPT, 100 * KEPT])
def test_a_window_holds_nothing_older_however_long_time_stood_still(steps: int) -> None:
    """A suspended machine: two hours pass between one advance and the next."""
    windows = Windows()
    windows.advance(0)
    windows.add(0, ((ANSWERED, 1),), 1)
    windows.add_longest(0, 30_000, 1)
    now_ms = steps * BUCKET_MS
    windows.advance(now_ms)
    windows.add(now_ms, ((ANSWERED, 1),), 1)
    for name in (WindowName.M5, WindowName.M60):
        assert windows.totals[name].cells[ANSWERED] == 1
        assert windows.longest_ms(windows.totals[name]) is None
