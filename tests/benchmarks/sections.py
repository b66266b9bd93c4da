"""What is expected of the lines of a section, at a size that says nothing of speed."""

from collections.abc import Sequence

from benchmarks.results import Line, Size

SMOKE = Size(is_smoke=True, repeats=1)
_MAY_BE_ZERO = ("not folded yet", "before their crossing")


def expect_figures(found: Sequence[Line], count: int) -> None:
    """So many lines, each with one figure; only what may be nothing is."""
    assert len(found) == count
    for line in found:
        (value,) = line.ours
        assert value > 0 or (value == 0 and any(what in line.what for what in _MAY_BE_ZERO)), line
