"""The section of translation runs, whole but small, and has a line for every adapter. No time is asserted."""

from benchmarks import translation
from services.ingest import sources
from tests.benchmarks.sections import SMOKE, expect_figures


async def test_every_adapter_has_a_line() -> None:
    lines = await translation.measure(SMOKE, lambda _: None)

    expect_figures(lines, len(sources.ADAPTERS))
    assert {line.what.split()[2] for line in lines} == set(sources.ADAPTERS)
