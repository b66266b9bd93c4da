"""The log that ingest writes to, in memory. Passes the contract tests of the real `Publisher`."""

import asyncio
from collections.abc import Sequence

from schemas.board import DeadLetter
from schemas.errors import Unavailable
from schemas.events import SourceEvent
from schemas.sources import SourceStatus
from services.ingest.publisher import Message


class MemoryLog:
    """`is_away`: it does not answer, and has nothing of what is sent meanwhile."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.is_away = False
        self.messages: list[Message] = []

    @property
    def is_connected(self) -> bool:
        return not self.is_away

    async def send(self, messages: Sequence[Message]) -> None:
        if self.is_away and messages:
            raise Unavailable("the log does not answer")
        self.messages += messages
        if messages:
            self.arrived.set()

    @property
    def events(self) -> list[SourceEvent]:
        return [message for message in self.messages if not isinstance(message, DeadLetter | SourceStatus)]

    @property
    def letters(self) -> list[DeadLetter]:
        return [message for message in self.messages if isinstance(message, DeadLetter)]
