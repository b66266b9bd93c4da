"""A day of several contact centres in a few minutes, straight into `vigie.events`, at a steady rate.

Contacts with whole lives (entered, offered, answered or not, talk, wrap-up, transfers), agents who
say their state and agents who do not, repeats, facts that come late, out of order, or never. Waits are
seconds long and the limits of `settings()` too, so that wait alerts fire and clear all the time.
One seed gives one sequence of lives; their instants are those at which they are sent.
"""

import asyncio
import heapq
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from msgspec import structs

from schemas import codec, events
from schemas.config import KafkaConfig
from schemas.events import EVERY_SITE, INGEST_SOURCE, AnyEvent, ContactEvent
from schemas.topics import EVENTS, partition_of
from schemas.vocabulary import AgentState, Channel, EndedBy, Outcome, ServiceLevelDefinition, TransferKind
from services.runtime.clock import now_ms

PARTITIONS = KafkaConfig().partitions
SITES = ("paris", "lyon", "lille", "rouen", "nice", "brest", "metz", "dijon")
PHONE_LIMIT_S = 5.0
EMAIL_LIMIT_S = 8.0
LATE = "late-"
"""Ids of events that lie beyond the lateness bound begin so."""

_QUEUES_AT_LEAST, _QUEUES_AT_MOST = 8, 12
_EVENTS_PER_CONTACT = 5.6
_AGENTS = 160
"""Of each site; as many as 1,000 events/s keep busy."""
_HOUR_MS = 3_600_000
_RUSH_EVERY_MS, _RUSH_MS = 40_000, 12_000
_ZONES = ("Europe/Paris", "UTC", "Asia/Kolkata", "America/New_York")


def queues_of(site: str) -> list[str]:
    """8 to 12 by site; the last two take e-mail."""
    count = _QUEUES_AT_LEAST + sum(site.encode()) % (_QUEUES_AT_MOST - _QUEUES_AT_LEAST + 1)
    return [f"mail-{n}" if n >= count - 2 else f"line-{n}" for n in range(count)]


def settings(*, aggregator: str) -> str:
    """`vigie.toml`: limits of seconds, every definition of the service level in use.

    Alerts do not flap, so that every episode is one.
    """
    definitions = list(ServiceLevelDefinition)
    lines = ["[http]", f'aggregator = "{aggregator}"']
    for number, site in enumerate(SITES):
        lines += ["[[sites]]", f'id = "{site}"', f'time_zone = "{_ZONES[number % len(_ZONES)]}"']
        for n, queue in enumerate(queues_of(site)):
            level = (
                f'threshold_s = 2, short_abandon_s = 1, definition = "{definitions[n % len(definitions)]}"'
            )
            lines += [
                "[[queues]]",
                f'id = "{queue}"',
                f'site = "{site}"',
                f'channel = "{_channel(queue)}"',
                f"wait_limit_s = {_limit_s(queue)}",
                f"service_level = {{ {level} }}",
            ]
    lines += ["[flap]", "episodes = 1000000"]
    return "\n".join(lines) + "\n"


@dataclass
class Load:
    """Sends until told to stop; `sent` counts the events that the broker acknowledged.

    `quiet`: nobody calls any more, but ingest is still heard, so that nothing goes stale.
    """

    bootstrap: str
    rate: int
    seed: int
    sites: Sequence[str] = SITES
    quiet: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0

    async def run(self) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, acks="all", enable_idempotence=True, request_timeout_ms=60_000
        )
        await producer.start()
        lives = Lives(random.Random(self.seed), self.sites)
        pending: list[asyncio.Future[object]] = []
        last, beat_ms = time.monotonic(), 0
        try:
            while not self.stop.is_set():
                elapsed, last = time.monotonic() - last, time.monotonic()
                now = now_ms()
                lives.begin(elapsed * self.rate / _EVENTS_PER_CONTACT, now)
                for event in () if self.quiet.is_set() else lives.due(now):
                    key = event.site.encode()
                    pending.append(await self._send(producer, event, partition_of(key, PARTITIONS), key))
                if now - beat_ms >= 2000:
                    beat_ms = now
                    pending += [await self._send(producer, ingest_beat(now), n) for n in range(PARTITIONS)]
                    pending = [each for each in pending if not each.done() or each.exception()]
                await asyncio.sleep(0.01)
            await asyncio.gather(*pending)
            self.sent = lives.told
        finally:
            await producer.stop()

    async def _send(
        self, producer: AIOKafkaProducer, event: AnyEvent, partition: int, key: bytes | None = None
    ) -> "asyncio.Future[object]":
        sent: asyncio.Future[object] = await producer.send(
            EVENTS.name, codec.encode(event), key=key, partition=partition
        )
        return sent


def ingest_beat(now: int) -> AnyEvent:
    """What ingest says to each partition every few seconds, so that nobody takes us for silent."""
    return events.SourceHeartbeat(
        id=f"beat-{now}", source=INGEST_SOURCE, site=EVERY_SITE, occurred_ms=now, received_ms=now
    )


class Lives:
    """What is still to be told, by instant. Each thing told is an event of its own."""

    def __init__(self, rng: random.Random, sites: Sequence[str] = SITES) -> None:
        self.told = 0
        self._sites = sites
        self._rng = rng
        self._coming: list[tuple[int, int, AnyEvent]] = []
        self._made = self._contacts = 0
        self._owed = 0.0
        self._agents_ms = 0
        self._now = 0

    def begin(self, contacts: float, now: int) -> None:
        """Lets so many contacts begin now; agents speak now and then."""
        self._now = now
        self._owed += min(contacts, 200.0)
        while self._owed >= 1:
            self._owed -= 1
            self._contact(now)
        if now - self._agents_ms >= 1000:
            self._agents(now)
            self._agents_ms = now

    def due(self, now: int) -> Iterator[AnyEvent]:
        """Everything whose instant has come, stamped with the instant of receipt."""
        while self._coming and self._coming[0][0] <= now:
            _, _, event = heapq.heappop(self._coming)
            self.told += 1
            yield _received(event, now)

    def _contact(self, now: int) -> None:
        rng = self._rng
        self._contacts += 1
        site = rng.choice(self._sites)
        queue = rng.choice(queues_of(site))
        contact = f"c{self._contacts}"
        if (
            self._contacts > 1000 and rng.random() < 0.002
        ):  # beyond the lateness bound: counted, folded nowhere
            self._tell(
                events.QueueEntered, now - 2 * _HOUR_MS, site, contact, queue=queue, id_prefix=LATE, at=now
            )
            return
        segment = f"{contact}-1" if rng.random() < 0.7 else None
        self._visit(now, site, queue, contact, segment)

    def _visit(self, start: int, site: str, queue: str, contact: str, segment: str | None) -> None:
        rng = self._rng
        named: dict[str, Any] = {"queue": queue, "segment": segment}
        self._tell(events.QueueEntered, start, site, contact, channel=_channel(queue), **named)
        left = start + self._wait_ms(site, queue, start)
        way = rng.random()
        if way < 0.74:
            self._answered(start, left, site, contact, named)
        elif way < 0.90:
            self._tell(events.QueueLeft, left, site, contact, outcome=Outcome.ABANDONED, **named)
            if rng.random() < 0.2:
                self._tell(events.ContactEnded, left + 5, site, contact)
        elif way < 0.94:
            self._tell(events.QueueLeft, left, site, contact, outcome=Outcome.TIMEOUT, **named)
        elif way < 0.97:
            other = rng.choice(queues_of(site))
            kind = TransferKind.QUEUE
            self._tell(events.Transfer, left, site, contact, kind=kind, from_queue=queue, to_queue=other)
            self._tell(events.QueueEntered, left, site, contact, queue=other, segment=f"{contact}-2")
            self._tell(
                events.QueueLeft, left + 900, site, contact, segment=f"{contact}-2", outcome=Outcome.ABANDONED
            )
        elif way < 0.985:
            self._tell(events.ContactEnded, left, site, contact)
        # else: nobody ever tells how it ended

    def _answered(self, start: int, left: int, site: str, contact: str, named: dict[str, Any]) -> None:
        rng = self._rng
        agent = f"agent-{rng.randrange(_AGENTS)}"
        first = start + (left - start) // 2
        if rng.random() < 0.15:
            missed = f"agent-{rng.randrange(_AGENTS)}"
            self._tell(events.AgentOffered, first, site, contact, agent=missed, **named)
            self._tell(events.AgentNoAnswer, (first + left) // 2, site, contact, agent=missed, **named)
        self._tell(events.AgentOffered, (first + left) // 2, site, contact, agent=agent, **named)
        self._tell(events.AgentAccepted, left, site, contact, agent=agent, **named)
        if rng.random() < 0.3:
            self._tell(events.QueueLeft, left, site, contact, outcome=Outcome.ANSWERED, agent=agent, **named)
        if rng.random() < 0.02:  # another source took it for an abandon
            self._tell(events.QueueLeft, left - 1, site, contact, outcome=Outcome.ABANDONED, **named)
        end = left + rng.randrange(500, 9000)
        self._tell(events.TalkEnded, end, site, contact, agent=agent, by=rng.choice(list(EndedBy)), **named)
        segment = named["segment"]
        wrapped = end + rng.randrange(200, 3000)
        self._tell(events.WrapStart, end, site, contact, segment=segment, agent=agent)
        self._tell(events.WrapEnd, wrapped, site, contact, segment=segment, agent=agent)

    def _wait_ms(self, site: str, queue: str, start: int) -> int:
        """Mostly below the limit; in a rush, which each queue has in its turn, up to twice the limit."""
        limit = _limit_s(queue) * 1000
        turn = (start + 7063 * sum(site.encode()) + 3301 * int(queue.split("-")[1])) % _RUSH_EVERY_MS
        share = self._rng.uniform(0.5, 2.0) if turn < _RUSH_MS else self._rng.uniform(0.02, 0.7)
        return round(limit * share)

    def _agents(self, now: int) -> None:
        """Of each site, the first half of the agents say their state, the others never do."""
        rng = self._rng
        for site in self._sites:
            agent = f"agent-{rng.randrange(_AGENTS // 2)}"
            own = rng.sample(queues_of(site), 3)
            self._push(
                now,
                events.AgentStateChanged(
                    id=self._id(),
                    source=f"pbx-{site}",
                    site=site,
                    occurred_ms=now,
                    received_ms=now,
                    agent=agent,
                    state=rng.choice(list(AgentState)),
                    queues=tuple(own),
                ),
            )
            if site in self._sites[::2]:  # these sources can be asked for their clock
                beat = events.SourceHeartbeat(
                    id=self._id(),
                    source=f"pbx-{site}",
                    site=site,
                    occurred_ms=now,
                    received_ms=now,
                    clock_ms=now,
                )
                self._push(now, beat)

    def _tell(
        self,
        make: type[ContactEvent],
        occurred: int,
        site: str,
        contact: str,
        *,
        id_prefix: str = "",
        at: int | None = None,
        **data: Any,
    ) -> None:
        rng = self._rng
        event = make(
            id=id_prefix + self._id(),
            source=f"pbx-{site}",
            site=site,
            occurred_ms=occurred,
            received_ms=occurred,
            contact=contact,
            **{name: value for name, value in data.items() if value is not None},
        )
        when = occurred if at is None else at
        if rng.random() < 0.02:
            when += rng.randrange(50, 1500)
        self._push(when, event)
        if rng.random() < 0.01:
            self._push(when + rng.randrange(0, 3000), event)

    def _push(self, when: int, event: AnyEvent) -> None:
        heapq.heappush(self._coming, (max(when, self._now), self._made, event))
        self._made += 1

    def _id(self) -> str:
        return f"e{self._made}-{self._rng.randrange(1 << 30)}"


def _channel(queue: str) -> Channel:
    return Channel.EMAIL if queue.startswith("mail") else Channel.PHONE


def _limit_s(queue: str) -> float:
    return EMAIL_LIMIT_S if queue.startswith("mail") else PHONE_LIMIT_S


def _received(event: AnyEvent, now: int) -> AnyEvent:
    if isinstance(event, events.SourceHeartbeat):
        return structs.replace(event, occurred_ms=now, received_ms=now, clock_ms=now)
    return structs.replace(event, received_ms=now)
