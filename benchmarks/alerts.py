"""c. A wait crosses 120 s: until the alert is in `vigie.alerts`, and until a lead's receiver has the notice.

Nobody waits two minutes for it: events may be old, so a contact is told of three seconds before its
wait crosses the limit. Each crossing is in a queue of its own. All clocks are that of this machine.
"""

import asyncio
import base64
import contextlib
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
from msgspec import Struct

from benchmarks.load import WARM_UP_S, loading
from benchmarks.results import Line, Reach, Say, Size, percentile
from benchmarks.running import SITE_SETTINGS, SITES, event, system
from schemas.config import DEFAULT_RULE
from services.runtime.clock import now_ms
from tests.doubles.receiver import Receiver, receiving
from tests.doubles.started import PATIENCE_S
from tests.end_to_end.running_system import STRUCTURED, AlertLog, RunningSystem

LIMIT_MS = 120_000
RATE, BATCH = 2000, 20
"""Of the load, when there is one: events per second, events per post."""

_CROSSINGS = 100
_QUEUES_PER_SITE = 5
_TOLD_BEFORE_MS = 3000
_GAP_MS = 150
_LOAD_AFTER_S = 3
_ENV = "BENCHMARK_SECRET"
_SECRET = "whsec_" + base64.b64encode(b"benchmarks-of-vigie-32-bytes-ok!").decode()


class Crossing(Struct, frozen=True):
    """A contact whose wait reaches the limit at an instant."""

    site: str
    queue: str
    contact: str
    at_ms: int

    @property
    def key(self) -> tuple[str, str, int]:
        return (self.site, self.queue, self.at_ms)


@dataclass
class Found:
    """A value for each repeat: milliseconds after the crossing; how many came before it."""

    log_p50: list[float] = field(default_factory=list)
    log_p99: list[float] = field(default_factory=list)
    lead_p50: list[float] = field(default_factory=list)
    lead_p99: list[float] = field(default_factory=list)
    early: list[float] = field(default_factory=list)
    accepted: list[float] = field(default_factory=list)
    behind: list[float] = field(default_factory=list)


async def measure(size: Size, say: Say, among: "Centre | None" = None) -> list[Line]:
    """`among`: a system that is running; else one is started."""
    if among is None:
        async with centre() as started:
            return await measure(size, say, started)
    rest, load, rate = Found(), Found(), size.of(RATE, 200)
    async with among.system.alerts() as log, aiohttp.ClientSession() as http:
        for _ in range(size.repeats):
            await _cross(among, log, http, size, rest)
            say(f"   at rest: {_said(rest)}")
        for _ in range(size.repeats):
            await _cross(among, log, http, size, load, rate=rate)
            say(f"   at {rate} events/s: {_said(load)}; {load.behind[-1]:,.0f} events not folded yet")
    at = f"at {rate:,} events/s"
    return [
        *_lines("at rest", rest),
        *_lines(at, load),
        Line("c", f"accepted, {at}", "events/s", load.accepted),
        Line("c", f"accepted and not folded yet at the end, {at}", "events", load.behind),
    ]


@dataclass(frozen=True)
class Centre:
    """A system whose queues `late-…` have a lead, and the lead's receiver."""

    system: RunningSystem
    receiver: Receiver


@contextlib.asynccontextmanager
async def centre() -> AsyncIterator[Centre]:
    async with (
        receiving(_SECRET) as receiver,
        system(_settings(receiver.url), env={_ENV: _SECRET}) as started,
    ):
        yield Centre(started, receiver)


def _settings(url: str) -> str:
    """No alert flaps: every episode is told."""
    queues = "".join(
        f'\n[[queues]]\nid = "late-{number}"\nsite = "{site}"\nteam = "leads"\n'
        for site in SITES
        for number in range(_QUEUES_PER_SITE)
    )
    return f"""{SITE_SETTINGS}{queues}
[[teams]]
id = "leads"
leads = ["lead"]
[[people]]
id = "lead"
channels = [{{ kind = "webhook", url = "{url}", secret_env = "{_ENV}" }}]
[egress]
allow = ["127.0.0.1/32"]
[flap]
episodes = 1000000
"""


async def _cross(
    among: Centre, log: AlertLog, http: aiohttp.ClientSession, size: Size, found: Found, *, rate: int = 0
) -> None:
    """Lets waits cross, one after the other, each told before it is due; then all of them end.

    The load, if there is a rate, ends after the last crossing: a worker that is behind lets its rules wait.
    """
    ingest = among.system.addresses["ingest"]
    url = f"http://{ingest}/v1/events"
    async with contextlib.AsyncExitStack() as stack:
        if rate:
            warm_up_s = size.of(WARM_UP_S, 1)
            load = await stack.enter_async_context(
                loading(ingest, rate=rate, batch=BATCH, warm_up_s=warm_up_s)
            )
            before = load.told
        told_before_ms = size.of(_TOLD_BEFORE_MS, 1000)
        crossings = _planned(size.of(_CROSSINGS, 3), now_ms() + told_before_ms + 200)
        for crossing in crossings:
            await asyncio.sleep((crossing.at_ms - told_before_ms - now_ms()) / 1000)
            await _tell(http, url, crossing, "queue.entered", crossing.at_ms - LIMIT_MS)
        await asyncio.sleep((crossings[-1].at_ms - now_ms()) / 1000 + size.of(_LOAD_AFTER_S, 1))
        if rate:
            found.accepted.append(await load.rate_since(before))
            found.behind.append(await among.system.lag())
    in_log, at_lead = await _told(crossings, log, among.receiver)
    for crossing in crossings:
        await _tell(http, url, crossing, "queue.left", now_ms(), outcome="abandoned")
    after_log = [in_log[each.key] - each.at_ms for each in crossings]
    after_lead = [at_lead[each.key] - each.at_ms for each in crossings]
    found.log_p50.append(percentile(after_log, 0.5))
    found.log_p99.append(percentile(after_log, 0.99))
    found.lead_p50.append(percentile(after_lead, 0.5))
    found.lead_p99.append(percentile(after_lead, 0.99))
    found.early.append(sum(after < 0 for after in after_log))


def _planned(count: int, start_ms: int) -> list[Crossing]:
    """Each in another queue, at uneven instants."""
    queues = [(site, f"late-{number}") for number in range(_QUEUES_PER_SITE) for site in SITES]
    return [
        Crossing(site, queue, f"late-{start_ms}-{n}", start_ms + n * _GAP_MS + random.randrange(_GAP_MS))
        for n, (site, queue) in enumerate(queues[:count])
    ]


async def _told(
    crossings: list[Crossing], log: AlertLog, receiver: Receiver
) -> tuple[dict[tuple[str, str, int], int], dict[tuple[str, str, int], int]]:
    """When each crossing was first read from the log, and when the lead had it."""
    wanted = {each.key for each in crossings}
    end_s = time.monotonic() + PATIENCE_S
    while True:
        in_log = {
            (a.alert.site, a.alert.queue, a.alert.crossed_ms): a.at_ms
            for a in reversed(log.arrived)
            if a.alert.rule == DEFAULT_RULE.id
        }
        at_lead = {
            (a.data["site"], a.data["queue"], a.data["crossed_ms"]): a.at_ms
            for a in reversed(receiver.arrived)
            if a.type == "alert.fired"
        }
        if wanted <= in_log.keys() and wanted <= at_lead.keys():
            return in_log, at_lead
        if time.monotonic() > end_s:
            not_in_log, not_told = sorted(wanted - in_log.keys()), sorted(wanted - at_lead.keys())
            raise RuntimeError(f"no alert of {not_in_log}; the lead was not told of {not_told}")
        await asyncio.sleep(0.5)


async def _tell(
    http: aiohttp.ClientSession, url: str, crossing: Crossing, name: str, at_ms: int, **more: str
) -> None:
    data = {"contact": crossing.contact, "queue": crossing.queue, **more}
    content = event(f"{crossing.contact}-{name}", name, site=crossing.site, at_ms=at_ms, data=data)
    async with http.post(url, data=content, headers={"content-type": STRUCTURED}) as answer:
        if answer.status != 202:
            raise RuntimeError(f"ingest answers {answer.status}: {await answer.text()}")


def _said(found: Found) -> str:
    return (
        f"in the log p99 {found.log_p99[-1]:.0f} ms, at the lead p99 {found.lead_p99[-1]:.0f} ms "
        f"after the crossing; {sum(found.early):.0f} early"
    )


def _lines(when: str, found: Found) -> list[Line]:
    return [
        Line("c", f"crossing → `vigie.alerts`, p50, {when}", "ms", found.log_p50),
        Line("c", f"crossing → `vigie.alerts`, p99, {when}", "ms", found.log_p99, reach=Reach(250)),
        Line("c", f"alerts before their crossing, {when}", "", found.early, reach=Reach(0)),
        Line("c", f"crossing → the lead's receiver, p50, {when}", "ms", found.lead_p50),
        Line("c", f"crossing → the lead's receiver, p99, {when}", "ms", found.lead_p99),
    ]
