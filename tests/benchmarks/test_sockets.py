"""Section f runs and says something; how much time anything takes is no matter here."""

import math

import pytest

from benchmarks.results import Size
from benchmarks.sockets import PLAIN, measure


@pytest.mark.broker
@pytest.mark.timeout(300)
async def test_sockets_are_measured_beside_a_plain_loop() -> None:
    said: list[str] = []
    lines = {line.what: line for line in await measure(Size(is_smoke=True, repeats=1), said.append)}

    small = (
        "memory for each socket",
        "CPU for each second told to a socket",
        "all cut: CPU for each that came back",
    )
    for what in small:  # may be too small to be seen with so few
        line = lines.pop(f"20 sockets: {what}")
        assert all(math.isfinite(value) for value in (*line.ours, *line.theirs[PLAIN]))
    assert set(lines) == {
        f"20 sockets: {what}"
        for what in (
            "row made → frame there, p50",
            "row made → frame there, p99",
            "seconds of which a socket heard",
            "all cut → first snapshot, median",
            "all cut → all have a snapshot",
        )
    }
    for line in lines.values():
        assert all(value > 0 for value in (*line.ours, *line.theirs[PLAIN])), line
    assert len(said) == 2
