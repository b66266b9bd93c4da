"""Starts and kills are measured as they say."""

import pytest

from benchmarks import recovery
from tests.benchmarks.sections import SMOKE, expect_figures

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]


async def test_starts_and_kills_are_measured() -> None:
    found = await recovery.measure(SMOKE, print)

    expect_figures(found, 2 + len(recovery.PROCESSES))
