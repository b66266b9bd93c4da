"""The real api with scripted rows: a stage for the pictures and the browser tests.

`python -m tests.end_to_end.wallboard_server SCENE` serves one scene on a free port until Ctrl-C.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from msgspec.structs import replace

from schemas.board import Alert
from schemas.config import Config
from schemas.events import AlertAcknowledge, AlertCommand, AlertResolve, AlertSnooze
from schemas.vocabulary import OPEN_ALERT_STATES, AlertState
from tests.doubles.served import ServedApi
from tests.end_to_end.wallboard_rows import START_MS, Scene
from tests.end_to_end.wallboard_scenes import SCENES


def clock_from(start_ms: int) -> Callable[[], int]:
    """A clock that shows `start_ms` now and runs."""
    begun = time.monotonic()
    return lambda: start_ms + round((time.monotonic() - begun) * 1000)


class Stage:
    """A scene that is played: every half second its rows are written as a worker would.

    `scene` may be replaced while it runs; alerts that were acknowledged stay so.
    """

    def __init__(
        self, scene: Scene, *, start_ms: int = START_MS - 3000, config: Config | None = None
    ) -> None:
        self.scene = scene
        self.clock = clock_from(start_ms)
        self.api = ServedApi(clock=self.clock, config=config)
        self.api.log.worker = self._answer
        self.is_playing = True

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """The address of the page."""
        self.play()
        worker = asyncio.create_task(self._work())
        try:
            async with self.api.running() as address:
                yield f"http://{address}/"
        finally:
            worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await worker

    def play(self) -> None:
        """Writes the rows of this instant."""
        now_ms = self.clock()
        rows = self.scene.rows(now_ms)
        known = {alert.alert_id: alert for alert in self.api.board.alerts.values()}
        site = rows[0]
        newest = [_newest(alert, known.get(alert.alert_id)) for alert in self.scene.alerts]
        self.api.put(replace(site, alerts=newest), *rows[1:])

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            if self.is_playing:
                self.play()

    def _answer(self, command: AlertCommand) -> Alert | None:
        """What the worker says, as far as the pages need it: what is over is refused."""
        alert = self.api.board.alerts[command.alert_id]
        changes: dict[str, Any] | None = None
        match command:
            case AlertAcknowledge() if alert.state in (AlertState.FIRING, AlertState.SNOOZED):
                changes = {"state": AlertState.ACKNOWLEDGED, "acknowledged_by": command.by}
                changes |= {"acknowledged_ms": self.clock(), "snoozed_until_ms": None, "snoozed_by": None}
            case AlertSnooze() if alert.state in OPEN_ALERT_STATES:
                changes = {"state": AlertState.SNOOZED, "snoozed_by": command.by}
                changes["snoozed_until_ms"] = command.until_ms
            case AlertResolve() if alert.state in OPEN_ALERT_STATES:
                changes = {"state": AlertState.RESOLVED, "resolved_by": command.by}
                changes |= {"resolved_ms": self.clock(), "reason": "by_hand"}
        if changes is None:
            return replace(alert, command=command.command, accepted=False)
        return replace(alert, **changes, version=alert.version + 1, command=command.command, accepted=True)


def _newest(told: Alert, known: Alert | None) -> Alert:
    return known if known is not None and known.version > told.version else told


async def _serve(name: str) -> None:
    async with Stage(SCENES[name]()).running() as address:
        print(address, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(sys.argv[1] if len(sys.argv) > 1 else "alert"))
