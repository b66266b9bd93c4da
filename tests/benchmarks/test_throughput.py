"""The section of throughput runs, whole but small. No time is asserted."""

import pytest

from benchmarks import throughput
from benchmarks.results import Size

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]


async def test_every_line_of_the_throughput_has_figures() -> None:
    said: list[str] = []

    lines = await throughput.measure(Size(is_smoke=True, repeats=1), said.append)

    assert [(line.what, line.unit) for line in lines] == [
        ("backlog, one worker", "events/s"),
        ("backlog, one worker", "µs CPU per event"),
        ("the core alone, without Kafka", "µs CPU per event"),
        ("backlog, 2 workers", "events/s"),
        ("the core alone, 5 sites, 50 queues", "µs CPU per event"),
        ("the core alone, 80 sites, 800 queues", "µs CPU per event"),
        ("1,000 events/s, one worker", "% of a core"),
        ("1,000 events/s, one worker", "MB resident"),
        ("1,000 events/s, received until flushed, p99", "ms"),
    ]
    assert {name for line in lines for name in line.theirs} == {
        "Faust table", "Faust hopping 5 min by 10 s", "Quix hopping 5 min by 10 s", "one worker"
    }  # fmt: skip
    figures = [value for line in lines for values in (line.ours, *line.theirs.values()) for value in values]
    assert all(value > 0 for value in figures)
