"""The oracle's figures beside a published row: every difference, in words.

Exact, but for percentiles (within 1 % of the exact order statistic) and floats (within 1e-6).
Not compared: `late`, `duplicates`, `since_ms`, and what is no figure of the facts (labels, freshness).
"""

import math
from collections.abc import Iterable
from typing import Protocol

import msgspec

from schemas.board import Backlog, SiteWindow, StateCounts, Trend, Window
from schemas.vocabulary import Channel, WindowName
from tests.oracle.fold import Figures, SiteFigures

PERCENTILE_TOLERANCE = 0.010001
"""1 %, and a little for the rounding of floats: 1 ms is told as 0.99."""
FLOAT_TOLERANCE = 1e-6
_NOT_COMPARED = ("late", "duplicates", "service_level.since_ms")
_PERCENTILES = ("wait_p50_s", "wait_p90_s")


class Row(Protocol):
    """What a queue's row and the oracle's figures have in common."""

    @property
    def channel(self) -> Channel: ...
    @property
    def waiting(self) -> int: ...
    @property
    def oldest_entered_ms(self) -> int | None: ...
    @property
    def agents(self) -> StateCounts: ...
    @property
    def windows(self) -> dict[WindowName, Window]: ...
    @property
    def trend(self) -> Trend: ...
    @property
    def backlog(self) -> Backlog | None: ...


class AgentsOfSite(Protocol):
    """What a site's row and the oracle's figures have in common."""

    @property
    def agents(self) -> StateCounts: ...
    @property
    def windows(self) -> dict[WindowName, SiteWindow]: ...


def differences(expected: Figures, actual: Row) -> list[str]:
    """One line per figure that differs, `path: expected … got …`; empty when the row is right."""
    found = []
    for name in ("channel", "waiting", "oldest_entered_ms"):
        found += _differences(name, getattr(expected, name), getattr(actual, name))
    found += _differences("agents", _plain(expected.agents), _plain(actual.agents))
    found += _differences("trend", _plain(expected.trend), _plain(actual.trend))
    found += _differences("backlog", _plain(expected.backlog), _plain(actual.backlog))
    for window, figures in expected.windows.items():
        found += _differences(f"windows.{window}", _plain(figures), _plain(actual.windows[window]))
    return found


def site_differences(expected: SiteFigures, actual: AgentsOfSite) -> list[str]:
    """The same for a site's agents and their occupancy."""
    found = _differences("agents", _plain(expected.agents), _plain(actual.agents))
    for window, figures in expected.windows.items():
        found += _differences(f"windows.{window}", _plain(figures), _plain(actual.windows[window]))
    return found


def _plain(value: Window | SiteWindow | Trend | StateCounts | Backlog | None) -> object:
    """The struct as plain values; outcomes that nobody left by are dropped from `left`."""
    if value is None:
        return None
    plain: dict[str, object] = msgspec.to_builtins(value)
    left = plain.get("left")
    if isinstance(left, dict):
        plain["left"] = {outcome: n for outcome, n in left.items() if n}
    return plain


def _differences(path: str, expected: object, actual: object) -> list[str]:
    if path.split(".", 2)[-1] in _NOT_COMPARED:
        return []
    if isinstance(expected, dict) and isinstance(actual, dict):
        return _of_each(
            (f"{path}.{key}", expected.get(key), actual.get(key)) for key in sorted({*expected, *actual})
        )
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = zip(expected, actual, strict=True)
        return _of_each((f"{path}[{n}]", one, other) for n, (one, other) in enumerate(pairs))
    if _is_close(expected, actual, relative=path.endswith(_PERCENTILES)):
        return []
    return [f"{path}: expected {expected!r}, got {actual!r}"]


def _of_each(triples: Iterable[tuple[str, object, object]]) -> list[str]:
    return [line for path, one, other in triples for line in _differences(path, one, other)]


def _is_close(expected: object, actual: object, *, relative: bool) -> bool:
    if isinstance(expected, int | float) and isinstance(actual, int | float):
        tolerance = PERCENTILE_TOLERANCE if relative else 0.0
        return math.isclose(expected, actual, rel_tol=tolerance, abs_tol=FLOAT_TOLERANCE)
    return expected == actual
