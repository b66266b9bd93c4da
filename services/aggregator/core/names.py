"""One string of each name that is told again and again: sources, queues and agents are kept for hours.

Bounded, because names come from outside and need not come again.
"""

from functools import lru_cache


@lru_cache(maxsize=65_536)
def one(name: str) -> str:
    """The one string that says this."""
    return name


@lru_cache(maxsize=4096)
def one_set(queues: tuple[str, ...]) -> tuple[str, ...]:
    """The one tuple of queues that many agents have, and say again and again."""
    return queues
