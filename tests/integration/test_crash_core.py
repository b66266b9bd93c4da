"""The production aggregator killed under load, joined and left by a second: every row as one fold gives it.

The long version, with a freeze and a broker that dies: `python -m tests.integration.crash_core`.
"""

from pathlib import Path

import pytest

from services.cli.broker import EmbeddedBroker
from tests.integration.crash_core import Scene

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]


async def test_figures_and_alerts_are_those_of_one_fold_whoever_is_killed(
    own_broker: EmbeddedBroker, tmp_path: Path
) -> None:
    scene = Scene(own_broker, tmp_path, rate=200, seed=7)
    verdict = await scene.play(seconds=12, steps=["kill", "join", "kill", "leave", "kill", "kill"])
    assert verdict.faults == []
    assert verdict.rows > 50
    assert verdict.oracle_rows > 10
    assert verdict.episodes > 10
