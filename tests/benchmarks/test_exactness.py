"""The section of exactness runs, whole but small: one kill of ours, one of the Faust table."""

import pytest

from benchmarks import exactness
from benchmarks.results import Size

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]


async def test_a_killed_worker_counts_nothing_wrong() -> None:
    said: list[str] = []

    (line,) = await exactness.measure(Size(is_smoke=True, repeats=1), said.append)

    assert line.unit == "wrong counts"
    assert list(line.ours) == [0], said
    ((beside, (wrong,)),) = line.theirs.items()
    assert beside.startswith("Faust table, 1 × kill -9")
    assert wrong >= 0
    assert any(" events sent" in text for text in said)
