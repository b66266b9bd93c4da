"""When a supervised process is started again. Pure: states, and what each happening makes of them.

Seconds are of a clock that never goes back; who calls hands them in.
"""

import signal
from enum import StrEnum

from msgspec import Struct, structs

MAX_BACK_OFF_S = 2.0
"""SEMANTICS.md §11: a dead process is back within this time."""

_FIRST_BACK_OFF_S = 0.1
_STEADY_S = 10.0
"""Whoever has lived so long died of something new: the back-off starts anew."""


class State(StrEnum):
    WAITING = "waiting"
    """To be started at `due_s`."""
    RUNNING = "running"
    STOPPING = "stopping"
    """Told to end."""
    ENDED = "ended"
    """Not to be started again."""


class Life(Struct, frozen=True, kw_only=True):
    """One process over its restarts. `deaths`: in a row, without a steady life between."""

    state: State = State.WAITING
    due_s: float = 0.0
    started_s: float = 0.0
    starts: int = 0
    deaths: int = 0


def started(life: Life, now_s: float) -> Life:
    """It runs now. Only a waiting process is started."""
    if life.state is not State.WAITING:
        return life
    return structs.replace(life, state=State.RUNNING, started_s=now_s, starts=life.starts + 1)


def died(life: Life, now_s: float) -> Life:
    """It is gone: to be started again after a back-off, unless it was told to end."""
    if life.state is State.STOPPING:
        return structs.replace(life, state=State.ENDED)
    if life.state is not State.RUNNING:
        return life
    deaths = 1 if now_s - life.started_s >= _STEADY_S else life.deaths + 1
    return structs.replace(life, state=State.WAITING, deaths=deaths, due_s=now_s + back_off_s(deaths))


def told_to_end(life: Life) -> Life:
    """It shall not run any more: the process that runs must now be told; one that waits has ended."""
    after = {State.RUNNING: State.STOPPING, State.WAITING: State.ENDED}
    return structs.replace(life, state=after.get(life.state, life.state))


def back_off_s(deaths: int) -> float:
    """Seconds between the n-th death in a row and the next start: 0.1, 0.2, 0.4 … 2."""
    return float(min(MAX_BACK_OFF_S, _FIRST_BACK_OFF_S * 2 ** min(deaths - 1, 10)))


def cause_of(code: int) -> str:
    """Why a process ended, by its return code: `exit code 1`, `signal SIGKILL`."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
