"""What sources told before, read back from a real log: all of it, in order, within its bounds."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
from aiokafka import AIOKafkaProducer
from structlog.testing import capture_logs

from schemas import codec
from schemas.events import AnyEvent, SourceEvent
from schemas.topics import EVENTS, partition_of
from services.cli.broker import EmbeddedBroker
from services.ingest import past
from services.runtime.clock import now_ms
from tests.unit.ingest.posts import entered, taken

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]


def event(id_: str, *, site: str, source: str = "pbx1") -> SourceEvent:
    return taken(entered(id=id_, site=site, source=source)).event


class Log:
    """Writes to `vigie.events`."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def write(self, *events: SourceEvent) -> None:
        for each in events:
            await self.write_bytes(each.site, codec.encode(each))

    async def write_bytes(self, site: str, value: bytes) -> None:
        count = len(await self._producer.partitions_for(EVENTS.name))
        partition = partition_of(site.encode(), count)
        await self._producer.send_and_wait(EVENTS.name, value, partition=partition)


@contextlib.asynccontextmanager
async def writing(bootstrap: str) -> AsyncIterator[Log]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        yield Log(producer)
    finally:
        await producer.stop()


async def ids(
    bootstrap: str,
    site: str,
    *sources: str,
    most: int = past.MAX_RECORDS,
    clock: Callable[[], int] = now_ms,
) -> tuple[list[str], list[dict[str, object]]]:
    """What is given, by id, and what is logged."""
    given: list[AnyEvent] = []
    with capture_logs() as logs:
        await past.read(
            given.append,
            kafka=bootstrap,
            site=site,
            sources=sources or ("pbx1",),
            clock=clock,
            max_records=most,
        )
    return [each.id for each in given], [dict(entry) for entry in logs]


async def test_everything_of_the_site_and_its_sources_is_given_in_order(broker: str) -> None:
    async with writing(broker) as log:
        for number in range(20):
            await log.write(event(f"a{number}", site="past-1"))
            await log.write(event(f"b{number}", site="past-1", source="pbx2"))
            await log.write(event(f"c{number}", site="past-1", source="pbx1/other"))
        await log.write(*(event("d", site=f"elsewhere-{number}") for number in range(8)))

    given, (entry,) = await ids(broker, "past-1", "pbx1", "pbx2")
    assert given == [f"{kind}{number}" for number in range(20) for kind in "ab"]
    assert (entry["event"], entry["events"], entry["unreadable"]) == ("past_read", 40, 0)
    assert (await ids(broker, "past-1", 'quoted"and"source":"pbx1'))[0] == []


async def test_a_site_of_which_nothing_was_told_has_no_past(broker: str) -> None:
    given, (entry,) = await ids(broker, "past-never")

    assert (given, entry["events"]) == ([], 0)


async def test_what_is_older_than_a_day_is_left_out(broker: str) -> None:
    """The log's own instants of append count, so here it is our clock that is a day later."""
    async with writing(broker) as log:
        await log.write(event("old", site="past-2"))
        await asyncio.sleep(0.5)
        between_ms = now_ms() - 250
        await log.write(event("new", site="past-2"))

    given, _ = await ids(broker, "past-2", clock=lambda: between_ms + past.REACH_MS)
    assert given == ["new"]


async def test_of_too_many_records_the_newest_are_read(broker: str) -> None:
    async with writing(broker) as log:
        await log.write(*(event(f"{number}", site="past-3") for number in range(30)))

    given, (entry,) = await ids(broker, "past-3", most=10)
    assert given == [f"{number}" for number in range(20, 30)]
    assert entry["records"] == 10


async def test_while_kafka_is_away_it_is_tried_again_and_said_once(own_broker: EmbeddedBroker) -> None:
    """And what cannot be read is counted."""
    async with writing(own_broker.bootstrap) as log:
        await log.write_bytes("past-4", b'{"source":"pbx1", broken')
        await log.write(event("1", site="past-4"))
    await asyncio.to_thread(own_broker.stop)
    reading = asyncio.create_task(ids(own_broker.bootstrap, "past-4"))
    await asyncio.sleep(1.0)
    assert not reading.done()
    await asyncio.to_thread(own_broker.start)
    given, logs = await reading

    assert given == ["1"]
    assert [entry["event"] for entry in logs] == ["past_not_read", "past_read"]
    assert (logs[-1]["events"], logs[-1]["unreadable"]) == (1, 1)
