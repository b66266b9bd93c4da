"""What is done to the processes: kill -9, stopped for a while, told to end; at random, from a seed."""

import asyncio
import contextlib
import os
import random
import signal

from msgspec import Struct

from tests.end_to_end.running_system import SERVICES, RunningSystem

PROCESSES = (*SERVICES, "kafka")
_WEIGHTS = (3, 4, 2, 3, 2)
_HOW = ("kill", "stop", "end")
_HOW_WEIGHTS = (4, 4, 2)
_STOPPED_S = ((0.2, 2.0), (2.0, 6.0), (6.0, 14.0))
"""Short, long, and longer than a session of a consumer; a Kafka that is silent for a minute is ended."""


class Hurt(Struct, frozen=True):
    """One thing to do. `seconds`: how long it stays stopped."""

    process: str
    how: str
    seconds: float = 0.0

    def __str__(self) -> str:
        words = {"kill": "kill -9", "end": "SIGTERM", "stop": f"SIGSTOP {self.seconds:.1f} s"}
        return f"{words[self.how]} {self.process}"


def choose(rng: random.Random) -> Hurt:
    """The next thing to do. The same seed, the same sequence; when each is done depends on the machine."""
    process = rng.choices(PROCESSES, _WEIGHTS)[0]
    how = rng.choices(_HOW, _HOW_WEIGHTS)[0]
    seconds = rng.uniform(*rng.choices(_STOPPED_S, (5, 3, 1))[0])
    return Hurt(process, how, seconds if how == "stop" else 0.0)


class Hurting:
    """Use it in `async with`: on leaving, whatever was stopped goes on. `done`: what was done so far."""

    def __init__(self, system: RunningSystem, rng: random.Random, *, every_s: tuple[float, float]) -> None:
        self.done: list[Hurt] = []
        self._system = system
        self._rng = rng
        self._every_s = every_s
        self._stopped: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._rng.uniform(*self._every_s))
            self._do(choose(self._rng))

    def _do(self, hurt: Hurt) -> None:
        pid = self._system.pids[hurt.process]
        number = {"kill": signal.SIGKILL, "end": signal.SIGTERM, "stop": signal.SIGSTOP}[hurt.how]
        if not _signal(pid, number):  # it is dead already, and not back yet
            return
        self.done.append(hurt)
        if hurt.how == "stop" and pid not in self._stopped:
            self._stopped[pid] = asyncio.create_task(self._let_go(pid, hurt.seconds))

    async def _let_go(self, pid: int, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        finally:
            _signal(pid, signal.SIGCONT)
            self._stopped.pop(pid, None)

    async def __aenter__(self) -> "Hurting":
        return self

    async def __aexit__(self, *_: object) -> None:
        waiting = list(self._stopped.values())
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def _signal(pid: int, number: signal.Signals) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False
