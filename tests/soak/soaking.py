"""One soak, from start to verdict."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
from msgspec import Struct

from services.cli.demo.post import Poster
from tests.doubles.beside import Beside
from tests.doubles.receiver import Arrival, Receiver, Reply
from tests.end_to_end.running_system import RunningSystem, running_system
from tests.soak import verdict, watching
from tests.soak.hurting import Hurting
from tests.soak.load import Operators, RememberingPoster, play_centre, stay_heard
from tests.soak.settings import SECRET, SECRET_NAME, settings
from tests.soak.verdict import Verified
from tests.soak.watching import Watch

Say = Callable[[str], None]

_TELL_S = 10.0
_PATIENCE_S = 600.0
"""Until everything is well and quiet again; on a busy machine everything takes long."""

_REPLIES = (
    Reply(),
    Reply(status=500),
    Reply(status=503),
    Reply(status=None),
    Reply(status=429, headers={"Retry-After": "2"}),
    Reply(delay_s=9.0),
)
_REPLY_WEIGHTS = (88, 3, 3, 3, 2, 1)


class Plan(Struct, frozen=True, kw_only=True):
    """`load`: times the pace of the demo. `every_s`: between two things that are done to the processes.
    `verify_every_s`: how often everything is compared meanwhile.
    """

    seconds: float
    seed: int
    load: float = 5.0
    every_s: tuple[float, float] = (2.0, 10.0)
    verify_every_s: float = 60.0


def soak(plan: Plan, folder: Path, say: Say) -> list[str]:
    """Everything that is not as it should be. Data, settings and logs stay in the folder."""
    with Beside() as beside:
        receiver = Receiver(SECRET)
        beside.run(receiver.open())
        try:
            with _logged_system(folder, settings(receiver.url)) as system:
                return asyncio.run(_Soaking(plan, folder, say, system=system, receiver=receiver).run())
        finally:
            beside.run(receiver.close())


@contextlib.contextmanager
def _logged_system(folder: Path, text: str) -> Iterator[RunningSystem]:
    with running_system(folder, text, env={SECRET_NAME: SECRET}) as system:
        try:
            yield system
        finally:
            _write_log(folder, system)


def _write_log(folder: Path, system: RunningSystem) -> None:
    (folder / "vigie.log").write_text("\n".join(system.started.lines) + "\n", "utf-8")


class _Soaking:
    def __init__(
        self, plan: Plan, folder: Path, say: Say, *, system: RunningSystem, receiver: Receiver
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._say = say
        self._system = system
        self._receiver = receiver
        self._differences: list[str] = []
        self._verified = 0

    async def run(self) -> list[str]:
        plan = self._plan
        async with aiohttp.ClientSession() as http:
            poster = RememberingPoster(http, f"http://{self._system.addresses['ingest']}")
            watch = Watch(lambda: {"up": self._system.started.process.pid, **self._system.pids})
            watching_task = asyncio.create_task(watch.run())
            stop = asyncio.Event()
            playing = asyncio.create_task(play_centre(poster, load=plan.load, seed=plan.seed, stop=stop))
            await self._hurt(poster, playing)
            await self._settle(poster, playing, stop)
            watching_task.cancel()
        self._differences += await verdict.missing_events(self._system.bootstrap, poster.taken)
        records = await verdict.recorded(self._system.bootstrap)
        self._differences += verdict.told_otherwise(records, self._receiver.arrived)
        self._differences += watching.growth(watch.uses)
        self._differences += verdict.exceptions(self._system.started.lines)
        for line in watching.report(watch.uses):
            self._say(line)
        return list(dict.fromkeys(self._differences))

    async def _hurt(self, poster: RememberingPoster, playing: "asyncio.Task[None]") -> None:
        """The time of the soak, and what is done in it."""
        plan, seed = self._plan, self._plan.seed
        replies = random.Random(f"replies {seed}")
        self._receiver.choose = lambda _: replies.choices(_REPLIES, _REPLY_WEIGHTS)[0]
        operators = Operators(self._system, random.Random(f"operators {seed}"))
        rng = random.Random(f"hurts {seed}")
        async with Hurting(self._system, rng, every_s=plan.every_s) as hurting:
            tasks = [
                playing,
                asyncio.create_task(hurting.run()),
                asyncio.create_task(operators.run()),
                asyncio.create_task(self._tell(poster, hurting, operators)),
                asyncio.create_task(self._verify_now_and_then()),
            ]
            try:
                done, _ = await asyncio.wait(tasks, timeout=plan.seconds, return_when=asyncio.FIRST_COMPLETED)
                for each in done:  # none of them ends by itself
                    each.result()
            finally:
                for each in tasks[1:]:
                    each.cancel()
                await asyncio.gather(*tasks[1:], return_exceptions=True)
        self._receiver.choose = lambda _: Reply()

    async def _settle(self, poster: Poster, playing: "asyncio.Task[None]", stop: asyncio.Event) -> None:
        """Everybody is well, the centre closes, and when nothing is under way all is compared."""
        self._say("nothing is done to it any more; it settles")
        end_s = time.monotonic() + _PATIENCE_S
        await self._ready(end_s)
        stop.set()
        await playing
        heard = asyncio.create_task(stay_heard(poster))
        try:
            while True:
                verified = await self._verify()
                if verified.differences or time.monotonic() > end_s:
                    break
                if verified.code == 0 and not verified.is_unfinished:
                    break
                await asyncio.sleep(2)
        finally:
            heard.cancel()
        if verified.code != 0 and not verified.differences:
            self._differences.append(f"vigie verify ended with {verified.code}: {verified.said}")
        if verified.is_unfinished:
            self._differences.append(f"not over at the end: {verified.found}")

    async def _ready(self, end_s: float) -> None:
        while lacking := await self._lacking():
            if time.monotonic() > end_s:
                self._differences.append(f"not ready again: {lacking}")
                return
            await asyncio.sleep(0.5)

    async def _lacking(self) -> dict[str, str]:
        try:
            lacking = await self._system.unready()
            lag = await self._system.lag()
        except (aiohttp.ClientError, OSError) as error:
            return {"a service": repr(error)}
        return lacking or ({"aggregator": f"{lag:g} events behind"} if lag > 100 else {})

    async def _verify_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self._plan.verify_every_s)
            await self._verify()

    async def _verify(self) -> Verified:
        verified = await verdict.verify(self._system.bootstrap, self._folder / "vigie.toml")
        self._verified += 1
        if verified.differences:
            file = self._folder / f"verified-{self._verified}.json"
            file.write_text(verified.as_text(), "utf-8")
            self._say(f"{len(verified.differences)} differences: {file}")
            self._differences += verified.differences
        return verified

    async def _tell(self, poster: RememberingPoster, hurting: Hurting, operators: Operators) -> None:
        end_s, told = time.monotonic() + self._plan.seconds, 0
        while True:
            await asyncio.sleep(min(_TELL_S, self._plan.seconds / 4))
            _write_log(self._folder, self._system)
            done = ", ".join(str(each) for each in hurting.done[told:]) or "nothing done"
            told = len(hurting.done)
            left_s = max(0, round(end_s - time.monotonic()))
            self._say(
                f"{left_s // 60}:{left_s % 60:02} left; {done}; events {len(poster.taken):,}, "
                f"notices {_count(self._receiver.arrived):,}, acts {operators.acted}, "
                f"verified {self._verified} times: {len(self._differences) or 'no'} differences"
            )


def _count(arrived: list[Arrival]) -> int:
    return len({each.delivery_id for each in arrived})
