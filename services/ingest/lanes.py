"""One connection to Kafka, and per partition one line of records that wait for it.

A lane has one RecordBatch on its way; what arrives meanwhile makes up the next one. So order holds, and
a rush pays for one batch instead of for each event.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping, Sequence

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from schemas.errors import Unavailable
from services.runtime.kafka import Kafka
from services.runtime.kafka import client as client_of
from services.runtime.kafka_trouble import reason

BATCH_BYTES = 900_000
"""Of one RecordBatch, below the broker's usual `message.max.bytes` (1 MiB)."""

REQUEST_MS = 5_000
"""How long one request to the broker may take before aiokafka tries again."""

STALL_S = 8.0
"""A batch that the broker has not acknowledged by then ends the session, and a new one is tried."""

LINGER_S = 0.003
"""What a batch waits for company: a batch costs as much as 20 events, and a wall shows no 3 ms."""

ABANDON_S = 1.0
"""How long the end of a session is waited for; a broker that hangs may take longer, behind our back."""

Record = tuple[bytes, bytes]
"""Key, value."""

_At = tuple[str, int]
"""Topic, partition."""

log = structlog.get_logger()


class Parcel:
    """Records of one caller for one partition; `done` says they are in the log, or why not."""

    __slots__ = ("done", "records", "sent")

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records
        self.sent = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Session:
    """A started producer and its lanes. `lost` is set once, when the broker does not answer any more.

    aiokafka's idempotent producer never gives a batch up; whoever cannot wait ends the session
    (`abandon`), and what was on its way may or may not be in the log: send it again, ids make it harmless.
    """

    def __init__(self, producer: AIOKafkaProducer, *, partitions: dict[str, int]) -> None:
        self.partitions = partitions
        self.lost = asyncio.Event()
        self._producer = producer
        self._lanes: dict[_At, deque[Parcel]] = {}
        self._running: dict[_At, asyncio.Task[None]] = {}
        self._asked: dict[_At, float] = {}

    def waited_s(self) -> float:
        """How long the broker has owed us the answer that is the longest due; 0 when it owes none."""
        return asyncio.get_running_loop().time() - min(self._asked.values()) if self._asked else 0.0

    async def deliver(self, lines: Mapping[_At, Sequence[Record]]) -> None:
        """All of the records are in the log when this returns, each partition's in their order.

        Raises `Unavailable` when the session is lost. Cancelled, it takes back what is not on its way.
        """
        parcels = {at: self._add(at, records) for at, records in lines.items()}
        try:
            for parcel in parcels.values():
                await parcel.done
        except BaseException:
            for at, parcel in parcels.items():
                self._drop(at, parcel)
            raise

    async def flush(self) -> None:
        """Returns once no lane has anything left."""
        while self._running:
            await asyncio.wait(self._running.values())

    async def abandon(self) -> None:
        """Ends the producer, in a stated time, whatever the broker does."""
        ending = asyncio.create_task(_end(self._producer))
        await asyncio.wait({ending}, timeout=ABANDON_S)

    def _add(self, at: _At, records: Sequence[Record]) -> Parcel:
        if self.lost.is_set():
            raise Unavailable("the log does not answer")
        parcel = Parcel(records)
        self._lanes.setdefault(at, deque()).append(parcel)
        if at not in self._running:
            self._running[at] = asyncio.create_task(self._run(at))
        return parcel

    def _drop(self, at: _At, parcel: Parcel) -> None:
        parcel.done.cancel()
        lane = self._lanes[at]
        if parcel.sent == 0 and parcel in lane:
            lane.remove(parcel)

    async def _run(self, at: _At) -> None:
        """Empties one lane, batch by batch, then ends."""
        lane = self._lanes[at]
        try:
            while lane and not self.lost.is_set():
                await asyncio.sleep(LINGER_S)
                batch = self._producer.create_batch()
                finished = _fill(batch, lane)
                try:
                    await self._write(at, batch)
                except BaseException:
                    lane.extendleft(reversed(finished))  # so that their callers are told with the others
                    raise
                for parcel in finished:
                    if not parcel.done.done():
                        parcel.done.set_result(None)
        except Exception as error:  # outermost loop of the lane: whatever it is, this session is over
            if not self.lost.is_set():
                log.warning("write_failed", topic=at[0], partition=at[1], error=repr(error))
            self._lose()
        finally:
            del self._running[at]

    async def _write(self, at: _At, batch: BatchBuilder) -> None:
        """The batch is in the log. Raises `TimeoutError` or what aiokafka raises."""
        self._asked[at] = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(STALL_S):
                await (await self._producer.send_batch(batch, at[0], partition=at[1]))
        finally:
            del self._asked[at]

    def _lose(self) -> None:
        self.lost.set()
        for lane in self._lanes.values():
            for parcel in lane:
                if not parcel.done.done():
                    parcel.done.set_exception(Unavailable("the log does not answer"))
                    parcel.done.exception()  # a caller who has gone is not owed a warning
            lane.clear()


def _fill(batch: BatchBuilder, lane: deque[Parcel]) -> list[Parcel]:
    """Moves records from the lane's head into the batch until it is full; gives the parcels it completes."""
    finished: list[Parcel] = []
    while lane:
        parcel = lane[0]
        while parcel.sent < len(parcel.records):
            key, value = parcel.records[parcel.sent]
            if batch.append(key=key, value=value, timestamp=None) is None:
                return finished
            parcel.sent += 1
        finished.append(lane.popleft())
    return finished


async def _end(producer: AIOKafkaProducer) -> None:
    """aiokafka can only stop after its batches, which it never gives up while the broker is away.

    So its sender is ended first, the batches it leaves are failed, and `stop()` has nothing to wait for.
    """
    with contextlib.suppress(KafkaError, OSError):
        await producer._sender.close()
    batches = producer._message_accumulator._pending_batches
    for left in producer._message_accumulator._batches.values():
        batches.update(left)  # among those on their way, as each takes itself off there
    for batch in list(batches):
        batch.failure(exception=KafkaError("the session was ended"))
        for future in (batch.future, batch._drain_waiter):
            future.exception()  # who waited has been told, or has gone
    await producer.stop()


async def connect(kafka: Kafka, *, topics: Sequence[str], client: str) -> Session:
    """A session that may write to `topics`. Raises `Unavailable` when Kafka or a topic is not there."""
    producer = AIOKafkaProducer(
        **client_of(kafka),
        client_id=client,
        acks="all",
        enable_idempotence=True,
        max_batch_size=BATCH_BYTES,
        request_timeout_ms=REQUEST_MS,
        retry_backoff_ms=100,
        metadata_max_age_ms=30_000,
    )
    try:
        async with asyncio.timeout(STALL_S):
            await producer.start()
            partitions = {topic: len(await producer.partitions_for(topic)) for topic in topics}
    except BaseException as error:
        await Session(producer, partitions={}).abandon()
        if isinstance(error, KafkaError | TimeoutError | OSError):
            raise Unavailable(await reason(kafka, error)) from error
        raise
    return Session(producer, partitions=partitions)
