"""A log of commands in memory, with a worker that answers as told."""

import asyncio
from collections.abc import Callable

from schemas.board import Alert
from schemas.errors import Unavailable
from schemas.events import AlertCommand

Worker = Callable[[AlertCommand], Alert | None]
"""What the worker answers to a command; None: not yet."""


class MemoryCommandLog:
    """Keeps `written`; `worker` answers by way of `answered`, as `vigie.alerts` would.

    While `is_quick` is cleared, a write takes for ever.
    """

    def __init__(self, worker: Worker = lambda command: None) -> None:
        self.written: list[AlertCommand] = []
        self.is_there = True
        self.is_quick = asyncio.Event()
        self.is_quick.set()
        self.worker = worker
        self.answered: Callable[[Alert], None] = lambda alert: None

    async def write(self, command: AlertCommand) -> None:
        await self.is_quick.wait()
        if not self.is_there:
            raise Unavailable("the log does not answer; nothing was saved")
        self.written.append(command)
        answer = self.worker(command)
        if answer is not None:
            self.answered(answer)
