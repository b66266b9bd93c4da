"""Events that a rule of EventBridge put into a queue: received, stored, and only then deleted.

Two ingest processes share the queue: each message goes to one of them, and to the other when the first dies
before it is stored. What cannot be read becomes a dead letter and is deleted too, for it would come again
for ever.
"""

from typing import Any, NoReturn

from schemas.config import SourceConfig
from services.ingest.adapters.amazon_connect.aws import asking
from services.ingest.adapters.amazon_connect.pace import Pace
from services.ingest.adapters.amazon_connect.translate import Translator
from services.ingest.handover import messages_of, store
from services.ingest.tools import Tools
from services.ingest.translated import Translated

AT_ONCE = 10
"""The most that Amazon gives at once."""


class Queue:
    """One queue, by an open client."""

    def __init__(
        self,
        client: Any,
        source: SourceConfig,
        tools: Tools,
        *,
        translator: Translator,
        pace: Pace,
    ) -> None:
        self._client = client
        self._url = source.queue_url
        self._tools = tools
        self._translator = translator
        self._pace = pace

    async def check(self) -> None:
        """The queue is there and lets us in. Raises `Lost`."""
        async with asking("sqs"):
            await self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])

    async def run(self) -> NoReturn:
        """Takes what comes until the client raises `Lost`."""
        while True:
            messages = await self._receive()
            if messages:
                await self._take(messages)

    async def _receive(self) -> list[dict[str, Any]]:
        async with asking("sqs"):
            answer = await self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=AT_ONCE,
                WaitTimeSeconds=self._pace.wait_s,
                VisibilityTimeout=self._pace.hidden_s,
            )
        return list(answer.get("Messages", ()))

    async def _take(self, messages: list[dict[str, Any]]) -> None:
        found, now_ms = Translated(), self._tools.clock()
        for message in messages:
            found.add(self._translator.take_any(message["Body"].encode("utf-8", "replace"), now_ms))
        told = messages_of(found, report=self._tools.report, now_ms=now_ms)
        await store(told, send=self._tools.send, report=self._tools.report)
        entries = [
            {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(messages)
        ]
        async with asking("sqs"):  # one that is not deleted comes again, and changes nothing
            await self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)
