"""The wall clock: the one place that reads it. Everybody else is handed `now_ms`."""

import time


def now_ms() -> int:
    """Epoch milliseconds, UTC."""
    return time.time_ns() // 1_000_000
