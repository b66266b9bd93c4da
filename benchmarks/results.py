"""What a section measures, and how a figure is set beside others: median, range, ratio of medians."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Say = Callable[[str], None]
"""Prints a line of progress at once."""


@dataclass(frozen=True)
class Size:
    """How much is measured: whole, or a smoke test that asserts no time."""

    is_smoke: bool = False
    repeats: int = 3
    """Of what can be measured several times in a run: the table shows median and range."""

    def of(self, whole: int, smoke: int) -> int:
        return smoke if self.is_smoke else whole


@dataclass(frozen=True)
class Reach:
    """The figure of DESIGN.md §4. `is_least`: more is better."""

    value: float
    is_least: bool = False

    def __str__(self) -> str:
        return f"{'≥' if self.is_least else '≤'} {number(self.value)}"

    def is_met(self, values: Sequence[float]) -> bool:
        median = statistics.median(values)
        return median >= self.value if self.is_least else median <= self.value


@dataclass(frozen=True)
class Line:
    """One line of the table. `ours` and each of `theirs`: what was measured, once or several times."""

    section: str
    what: str
    unit: str
    ours: Sequence[float]
    theirs: Mapping[str, Sequence[float]] = field(default_factory=dict)
    reach: Reach | None = None


def number(value: float) -> str:
    """Three digits that mean something: 12,300; 4.51; 0.034."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(share * 1000) // 1000) - 1)]


def spread(values: Sequence[float]) -> str:
    """The median, and the range where there are several."""
    middle = number(statistics.median(values))
    return middle if len(values) < 2 else f"{middle} ({number(min(values))} to {number(max(values))})"


def beside(line: Line) -> list[str]:
    """Each alternative with its figure and how many times ours it is."""
    ours = statistics.median(line.ours)
    found = []
    for name, values in line.theirs.items():
        theirs = statistics.median(values)
        ratio = f", × {number(theirs / ours)}" if ours else ""
        found.append(f"{name} {spread(values)}{ratio}")
    return found


def table(lines: Sequence[Line]) -> str:
    """All lines as a table of Markdown, to read as it is or to put into docs/performance.md."""
    rows = [["", "What", "Unit", "Vigie", "Beside it (× ours)", "To reach", "Reached"]]
    for line in lines:
        reach = [str(line.reach), "yes" if line.reach.is_met(line.ours) else "no"] if line.reach else ["", ""]
        rows.append(
            [line.section, line.what, line.unit, spread(line.ours), "; ".join(beside(line)) or "–", *reach]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    text = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)
