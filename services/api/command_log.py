"""Writes commands to `vigie.events`: key and partition of the site, acknowledged by the broker."""

import asyncio

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas import codec
from schemas.errors import Unavailable
from schemas.events import AlertCommand
from schemas.topics import EVENTS, partition_of
from services.runtime.kafka import Kafka, client

WRITE_S = 4.0
"""A command the log has not taken by then is given up: nobody wants it to arrive much later."""

log = structlog.get_logger()


class KafkaCommandLog:
    """Connects with the first command and again after each failure; `close` ends it."""

    def __init__(self, kafka: Kafka, *, write_s: float = WRITE_S) -> None:
        self._kafka = kafka
        self._write_s = write_s
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()

    async def write(self, command: AlertCommand) -> None:
        """The broker has the command. Raises `Unavailable` otherwise; what was sent may have arrived."""
        is_sent = False
        try:
            async with asyncio.timeout(self._write_s + 1):
                producer = await self._connected()
                key = command.site.encode()
                partitions = await producer.partitions_for(EVENTS.name)
                place = partition_of(key, len(partitions))
                is_sent = True
                await producer.send_and_wait(EVENTS.name, codec.encode(command), key=key, partition=place)
        except (KafkaError, OSError, TimeoutError, Unavailable) as error:
            log.warning(
                "command_not_written", command=command.command, detail=str(error) or type(error).__name__
            )
            await self.close()
            outcome = "this may not have been saved" if is_sent else "nothing was saved"
            raise Unavailable(f"the log does not answer; {outcome}") from error

    async def close(self) -> None:
        """Gives the connection up. May be called twice."""
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                async with asyncio.timeout(2.0):
                    await producer.stop()
            except (KafkaError, OSError, TimeoutError) as error:
                log.info("command_log_not_closed", detail=str(error) or type(error).__name__)

    async def _connected(self) -> AIOKafkaProducer:
        async with self._lock:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **client(self._kafka),
                    client_id="vigie-api",
                    acks="all",
                    request_timeout_ms=round(self._write_s * 1000),
                )
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer
