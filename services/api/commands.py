"""What people do on the board, by way of the log: written to `vigie.events`, answered on `vigie.alerts`.

The api changes no alert itself: one writer, one order (DESIGN.md §2, decision 10). `CommandLog` is
how a command gets into the log (`command_log.py`; a double in the tests).
"""

import asyncio
import uuid
from collections.abc import Callable
from typing import Annotated, Any, Protocol

from msgspec import Meta, Struct

from schemas.board import Alert
from schemas.errors import InvalidMessage
from schemas.events import (
    API_SOURCE,
    AlertAcknowledge,
    AlertCommand,
    AlertResolve,
    AlertSnooze,
    Instant,
    Name,
)

ANSWER_S = 2.0
"""How long a person waits for the log and the worker together before being told: it is on its way."""


class Action(Struct, frozen=True, forbid_unknown_fields=True):
    """What a person says when acting on an alert. `by` left out: the id of their key."""

    by: Name = ""
    note: Annotated[str, Meta(max_length=2000)] | None = None


class Snooze(Action, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The same, with the instant at which the alert is to come back."""

    until_ms: Instant


class CommandLog(Protocol):
    async def write(self, command: AlertCommand) -> None:
        """The log holds the command when this returns. Raises `Unavailable` when it does not answer;
        `detail` says whether the command may be in the log all the same."""


class Commands:
    """Sends commands and hands each answer to the one who waits for it."""

    def __init__(self, log: CommandLog, *, clock: Callable[[], int], answer_s: float = ANSWER_S) -> None:
        self._log = log
        self._clock = clock
        self._answer_s = answer_s
        self._waiting: dict[str, asyncio.Future[Alert]] = {}
        self._writing: set[asyncio.Task[None]] = set()

    async def acknowledge(self, alert: Alert, *, by: str, note: str | None) -> Alert | None:
        """The worker's answer, `accepted` or not; None when log and worker take longer than people wait.

        Raises `Unavailable` when the log does not take the command.
        """
        return await self._send(AlertAcknowledge(by=by, note=note, **self._envelope(alert)))

    async def snooze(self, alert: Alert, *, by: str, note: str | None, until_ms: int) -> Alert | None:
        """As `acknowledge`. Raises `InvalidMessage` when the end lies in the past."""
        if until_ms <= self._clock():
            raise InvalidMessage("until_ms: lies in the past, so the alert would come back at once")
        return await self._send(AlertSnooze(by=by, note=note, until_ms=until_ms, **self._envelope(alert)))

    async def resolve(self, alert: Alert, *, by: str, note: str | None) -> Alert | None:
        """As `acknowledge`."""
        return await self._send(AlertResolve(by=by, note=note, **self._envelope(alert)))

    def answered(self, alert: Alert) -> None:
        """An alert came back on `vigie.alerts`; whoever waits for its `command` gets it."""
        waiting = self._waiting.get(alert.command or "")
        if waiting is not None and not waiting.done():
            waiting.set_result(alert)

    def _envelope(self, alert: Alert) -> dict[str, Any]:
        """What every command on an alert says, but for the person."""
        command, now_ms = str(uuid.uuid4()), self._clock()
        return {
            "id": command,
            "source": API_SOURCE,
            "site": alert.site,
            "occurred_ms": now_ms,
            "received_ms": now_ms,
            "alert_id": alert.alert_id,
            "command": command,
        }

    async def _send(self, command: AlertCommand) -> Alert | None:
        """A write that takes too long goes on by itself: cut off half way, nobody would know what became
        of it. An answer shows that the log has the command, whatever the write says."""
        answer: asyncio.Future[Alert] = asyncio.get_running_loop().create_future()
        self._waiting[command.command] = answer
        writing = asyncio.create_task(self._log.write(command))
        self._writing.add(writing)
        writing.add_done_callback(self._written)
        try:
            async with asyncio.timeout(self._answer_s):
                await asyncio.wait((writing, answer), return_when=asyncio.FIRST_COMPLETED)
                if not answer.done():
                    writing.result()
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._waiting[command.command]

    def _written(self, writing: asyncio.Task[None]) -> None:
        """A failure after the answer has nobody left to hear it; the command log has logged it."""
        self._writing.discard(writing)
        if not writing.cancelled():
            writing.exception()
