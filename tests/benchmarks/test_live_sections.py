"""Latency and alerts are measured as they say, both on one running system."""

import pytest

from benchmarks import alerts, latency
from tests.benchmarks.sections import SMOKE, expect_figures

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]


async def test_latency_and_alerts_are_measured_on_one_system() -> None:
    async with alerts.centre() as centre:
        found_b = await latency.measure(SMOKE, print, centre.system)
        found_c = await alerts.measure(SMOKE, print, centre)

    expect_figures(found_b, 7 * len(latency.RATES))
    assert [line.what for line in found_b if line.reach] == ["event → frame, p99, at 200 events/s"]
    expect_figures(found_c, 12)
    assert [line.ours for line in found_c if "before" in line.what] == [[0], [0]], "an alert came early"
