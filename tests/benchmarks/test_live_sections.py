"""The sections on the running system measure what they say, at a size that says nothing of speed."""

from collections.abc import Sequence

import pytest

from benchmarks import alerts, latency, recovery
from benchmarks.results import Line, Size

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

SMOKE = Size(is_smoke=True, repeats=1)
MAY_BE_ZERO = ("not folded yet", "before their crossing")


async def test_latency_and_alerts_are_measured_on_one_system() -> None:
    async with alerts.centre() as centre:
        found_b = await latency.measure(SMOKE, print, centre.system)
        found_c = await alerts.measure(SMOKE, print, centre)

    expect_figures(found_b, 6 * len(latency.RATES))
    assert [line.what for line in found_b if line.reach] == ["event → frame, p99, at 200 events/s"]
    expect_figures(found_c, 11)
    assert [line.ours for line in found_c if "before" in line.what] == [[0], [0]], "an alert came early"


async def test_starts_and_kills_are_measured() -> None:
    found = await recovery.measure(SMOKE, print)

    expect_figures(found, 2 + len(recovery.PROCESSES))


def expect_figures(found: Sequence[Line], count: int) -> None:
    """So many lines, each with one figure; only what may be nothing is."""
    assert len(found) == count
    for line in found:
        (value,) = line.ours
        assert value > 0 or (value == 0 and any(what in line.what for what in MAY_BE_ZERO)), line
