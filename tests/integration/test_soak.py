"""`make soak` in short: half a minute of kills, stops and ends, and everything is right afterwards."""

from pathlib import Path

import pytest

from tests.soak.soaking import Plan, soak

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]


def test_hurt_at_random_the_system_loses_nothing_and_tells_nothing_twice(tmp_path: Path) -> None:
    plan = Plan(seconds=25, seed=7, load=0.5, every_s=(1.0, 4.0))

    assert soak(plan, tmp_path, print) == []
