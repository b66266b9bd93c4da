"""Sends translated events to ingest by HTTP, at the moments a plan gives them. SEMANTICS.md §2, Replay."""

import asyncio
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

import aiohttp
import msgspec
from msgspec import Struct

from schemas.errors import Unavailable
from schemas.events import SourceEvent
from services.ingest.outgoing import BATCH_TYPE, batch
from services.runtime.clock import now_ms
from services.runtime.own_key import HINT

BATCH = 500
TOGETHER_MS = 50
AWAY_S = 10.0
"""How long ingest may not be reached at all."""
BUSY_S = 300.0
"""How long ingest may ask to wait (429, 503)."""
AFTER_S = 60.0
"""How long the end waits for what timers tell (wrap-up), so that no agent stays as the recording left him."""
SHOWN = 10
"""Rejected events that are named; the others are counted."""


class Plan(Struct, frozen=True, kw_only=True):
    """When to send what. `shift_ms` moves all instants; `speed` None: as fast as ingest takes it."""

    start_ms: int
    shift_ms: int
    first_ms: int
    speed: float | None

    def send_at_ms(self, occurred_ms: int) -> int:
        """When the event that occurred then (unshifted) is to be sent."""
        if self.speed is None:
            return self.start_ms
        return self.start_ms + max(0, round((occurred_ms - self.first_ms) / self.speed))


class Rejected(Struct, frozen=True):
    index: int
    reason: str = ""
    detail: str = ""


class Answer(Struct, frozen=True):
    """What ingest says of a batch. INTERFACE.md §4."""

    accepted: int = 0
    rejected: list[Rejected] = []


def plan(events: Sequence[SourceEvent], *, start_ms: int, speed: float | None, is_shifted: bool) -> Plan:
    """So that the last instant, moved, is the moment at which it is sent: start + duration / speed."""
    first_ms = min((event.occurred_ms for event in events), default=start_ms)
    last_ms = max((event.occurred_ms for event in events), default=start_ms)
    end_ms = start_ms + (round((last_ms - first_ms) / speed) if speed is not None else 0)
    return Plan(
        start_ms=start_ms,
        shift_ms=end_ms - last_ms if is_shifted else 0,
        first_ms=first_ms,
        speed=speed,
    )


class Tally:
    """What became of the events so far; tells rejected ones and progress on standard error."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.count = 0
        self.accepted = 0
        self.rejected = 0
        self._start_s = time.monotonic()

    def add(self, events: Sequence[SourceEvent], answer: Answer) -> None:
        for each in answer.rejected[: max(0, SHOWN - self.rejected)]:
            named = events[each.index].id if 0 <= each.index < len(events) else f"entry {each.index}"
            print(f"vigie replay: rejected {named}: {each.reason}: {each.detail}", file=sys.stderr)
        self.count += len(events)
        self.accepted += answer.accepted
        self.rejected += len(answer.rejected)

    def rate(self) -> float:
        """Events sent per second so far."""
        return self.count / max(time.monotonic() - self._start_s, 1e-3)

    def show(self, to: TextIO, *, end: str = "") -> None:
        if to.isatty():
            print(f"\r{self.count}/{self.total} events, {self.rate():.0f}/s ", end=end, file=to, flush=True)


async def send(
    events: Sequence[SourceEvent],
    after: Sequence[SourceEvent],
    *,
    url: str,
    schedule: Plan,
    headers: dict[str, str] | None = None,
) -> Tally:
    """Posts `events` as planned, then `after`, each when it happens; what happens over `AFTER_S` later, not.

    `headers` show the key, where ingest asks for one. Raises `Unavailable` when ingest does not take them.
    """
    sent = Tally(len(events))
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=30)) as session:

        async def post(parts: Iterable[tuple[int, list[SourceEvent]]]) -> None:
            for due_ms, part in parts:
                await asyncio.sleep(max(0, due_ms - now_ms()) / 1000)
                sent.add(part, await _post(session, url, batch(part, shift_ms=schedule.shift_ms)))
                sent.show(sys.stderr)

        await post(batches(events, schedule))
        soon = within(after, schedule, until_ms=now_ms() + round(AFTER_S * 1000))
        sent.total += len(soon)
        await post(batches(soon, as_it_happens(schedule)))
    sent.show(sys.stderr, end="\n")
    return sent


def within(after: Sequence[SourceEvent], schedule: Plan, *, until_ms: int) -> list[SourceEvent]:
    """Those whose instant, moved, comes until then."""
    return [event for event in after if event.occurred_ms + schedule.shift_ms <= until_ms]


def as_it_happens(schedule: Plan) -> Plan:
    """The same instants, each event to be sent at its own, moved."""
    return msgspec.structs.replace(schedule, start_ms=schedule.shift_ms, first_ms=0, speed=1.0)


def batches(events: Sequence[SourceEvent], schedule: Plan) -> Iterator[tuple[int, list[SourceEvent]]]:
    """Events in their order, and the moment to send each batch: when its last one is due.

    Those due within `TOGETHER_MS` go together, so none is sent before its moment.
    """
    due_ms = begins_ms = 0
    pending: list[SourceEvent] = []
    for event in events:
        next_ms = max(due_ms, schedule.send_at_ms(event.occurred_ms))
        if pending and (next_ms > begins_ms + TOGETHER_MS or len(pending) == BATCH):
            yield due_ms, pending
            pending = []
        begins_ms = begins_ms if pending else next_ms
        due_ms = next_ms
        pending.append(event)
    if pending:
        yield due_ms, pending


async def _post(session: aiohttp.ClientSession, url: str, body: bytes) -> Answer:
    """Posts until ingest takes the batch; ids make it harmless to send it again.

    Raises `Unavailable` when that takes too long, or at an answer that sending again will not change.
    """
    start_s = time.monotonic()
    while True:
        try:
            async with session.post(url, data=body, headers={"Content-Type": BATCH_TYPE}) as response:
                status, text = response.status, await response.read()
                wait_s = _retry_after(response.headers.get("Retry-After"))
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            status, text, wait_s = 0, (str(error) or "no answer in time").encode(), 1.0
        except aiohttp.ClientError as error:
            raise Unavailable(f"{url}: {error}") from error
        if status in (202, 400):
            return _answer(text)
        if status not in (0, 429, 503):
            hint = f"; {HINT}" if status in (401, 403) else ""
            raise Unavailable(f"{url} answers {status}: {_cut(text)}{hint}")
        if time.monotonic() - start_s + wait_s > (BUSY_S if status else AWAY_S):
            raise Unavailable(f"{url} does not take events: {_cut(text)}")
        await asyncio.sleep(wait_s)


def _cut(text: bytes) -> str:
    return text[:200].decode("utf-8", "replace")


def _retry_after(text: str | None) -> float:
    return min(60.0, max(0.1, float(text))) if text is not None and text.isdigit() else 1.0


def _answer(text: bytes) -> Answer:
    try:
        return msgspec.json.decode(text, type=Answer)
    except msgspec.MsgspecError as error:
        raise Unavailable(f"ingest's answer cannot be read: {error}") from error
