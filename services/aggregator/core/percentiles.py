"""Waits in logarithmic boundaries, so that percentiles of parts add up to those of the whole.

DDSketch's mapping (Masson, Rim, Lee 2019) with a relative accuracy of 1 %: each value is known
within 1 % of itself, whatever is added, taken back or merged. Values are whole milliseconds.
"""

from collections.abc import Mapping
from math import ceil, log

ACCURACY = 0.01
GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GAMMA = log(GAMMA)
ZERO = -1_000_000
"""The boundary of 0 ms, below every other."""


def boundary(value_ms: int) -> int:
    """The number of the boundary that holds the value: ceil(log_gamma(value)); 0 has its own."""
    return ceil(log(value_ms) / _LOG_GAMMA) if value_ms > 0 else ZERO


def value_of(number: int) -> float:
    """The value, in ms, that stands for all those of a boundary."""
    return 0.0 if number == ZERO else float(2 * GAMMA**number / (GAMMA + 1))


def quantiles(counts: Mapping[int, int], *shares: float) -> list[float | None]:
    """The order statistics of rank floor(share * (n - 1)), in ms; None each when nothing was counted.

    `shares` rise.
    """
    n = sum(counts.values())
    if n <= 0:
        return [None for _ in shares]
    ranks = [int(share * (n - 1)) for share in shares]
    found: list[float | None] = []
    below = 0
    for number in sorted(counts):
        below += counts[number]
        while len(found) < len(ranks) and below > ranks[len(found)]:
            found.append(value_of(number))
        if len(found) == len(ranks):
            break
    return found
