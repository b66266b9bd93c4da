"""Section g runs and says something; how much anything takes is no matter here."""

import pytest

from benchmarks.memory import PROCESSES, measure
from benchmarks.results import Size


@pytest.mark.broker
@pytest.mark.timeout(300)
async def test_memory_of_each_process_is_measured() -> None:
    said: list[str] = []
    lines = {line.what: line for line in await measure(Size(is_smoke=True, repeats=1), said.append)}

    assert set(lines) == {f"5 queues: {what} of {name}" for what in ("memory", "CPU") for name in PROCESSES}
    for line in lines.values():
        assert line.ours[0] > (0 if line.what.startswith("5 queues: memory") else -1), line
    assert len(said) == 2
