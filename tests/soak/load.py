"""What the system is told: the demo's centre, people who act on alerts; and what was taken of it."""

import asyncio
import contextlib
import random
from collections.abc import Sequence

import aiohttp

from schemas.errors import Unavailable
from services.cli.demo.__main__ import HEARTBEAT_S, Show, heartbeat, play
from services.cli.demo.post import Poster
from services.cli.demo.profile import CONTACTS_PER_MIN, SITE
from services.cli.demo.timeline import CloudEvent
from services.runtime.clock import now_ms
from tests.end_to_end.running_system import RunningSystem

_TIMEOUT = aiohttp.ClientTimeout(total=15)
_ACT_EVERY_S = (4.0, 12.0)


class RememberingPoster(Poster):
    """Remembers every event that ingest has answered for, as (source, id): from then on it is Vigie's."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        super().__init__(session, url)
        self.taken: set[tuple[str, str]] = set()

    async def try_once(self, events: Sequence[CloudEvent]) -> None:
        await super().try_once(events)
        self.taken.update((each.source, each.id) for each in events)


async def play_centre(poster: Poster, *, load: float, seed: int, stop: asyncio.Event) -> None:
    """The demo at `load` times its pace, until `stop`; then it closes, and nobody is left waiting."""
    show = Show(ingest="", rate=load * CONTACTS_PER_MIN, seed=seed, site=SITE, start_ms=None)
    await play(show, poster, stop)


async def stay_heard(poster: Poster) -> None:
    """A heartbeat of the closed centre now and then, until cancelled: nobody calls it silent."""
    while True:
        with contextlib.suppress(Unavailable):
            await poster.try_once([heartbeat(SITE, now_ms())])
        await asyncio.sleep(HEARTBEAT_S)


class Operators:
    """People who take, put off and close alerts, until cancelled. `acted`: how often the api said yes."""

    def __init__(self, system: RunningSystem, rng: random.Random) -> None:
        self.acted = 0
        self._api = f"http://{system.addresses['api']}/api/v1/alerts"
        self._rng = rng

    async def run(self) -> None:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
            while True:
                await asyncio.sleep(self._rng.uniform(*_ACT_EVERY_S))
                with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                    await self._act(http)

    async def _act(self, http: aiohttp.ClientSession) -> None:
        async with http.get(self._api) as answer:
            if answer.status != 200:
                return
            found = (await answer.json())["alerts"]
        open_ones = [each["alert_id"] for each in found if each["resolved_ms"] is None]
        if not open_ones:
            return
        action = self._rng.choices(("acknowledge", "snooze", "resolve"), (5, 3, 2))[0]
        said: dict[str, object] = {"by": "soak"}
        if action == "snooze":
            said["until_ms"] = now_ms() + self._rng.randint(6_000, 40_000)
        async with http.post(f"{self._api}/{self._rng.choice(open_ones)}/{action}", json=said) as answer:
            self.acted += answer.status in (200, 202)
