"""The agent event stream: each shard in its order, what was read is stored before it counts as read.

A shard that is closed is followed by its children (`shards.py`). An iterator lives five minutes: it is
asked for again from the last number. Two ingest processes read all of the stream, each with its own mark.
"""

import asyncio
import contextlib
import random
import time
from datetime import UTC, datetime
from typing import Any, NoReturn

from services.ingest.adapters.amazon_connect import checkpoint
from services.ingest.adapters.amazon_connect.aws import THROTTLED, asking, code_of
from services.ingest.adapters.amazon_connect.pace import Pace
from services.ingest.adapters.amazon_connect.shards import READ_TO_END, Progress, Shard, ready
from services.ingest.adapters.amazon_connect.translate import Translator
from services.ingest.handover import messages_of, store
from services.ingest.line import Lost, Patience, delay_s
from services.ingest.marks import Mark
from services.ingest.tools import Tools
from services.ingest.translated import Translated

AT_ONCE = 1_000
MAX_THROTTLED = 10
"""So often in a row one question is put off; then the source is lost, which is said."""


class Stream:
    """One stream, by an open client. `progress` outlives the connection."""

    def __init__(
        self,
        client: Any,
        tools: Tools,
        *,
        translator: Translator,
        progress: Progress,
        mark: Mark,
        pace: Pace,
        patience: Patience,
    ) -> None:
        self._client = client
        self._tools = tools
        self._translator = translator
        self._progress = progress
        self._mark = mark
        self._pace = pace
        self._patience = patience
        self._named = {"StreamARN" if _is_arn(progress.stream) else "StreamName": progress.stream}
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._ended_s: dict[str, float] = {}
        self._changed = asyncio.Event()
        self._saving = asyncio.Lock()
        self._shards: list[Shard] = []

    def is_read_to_its_end(self) -> bool:
        """Whether all that the stream held a moment ago is told."""
        fresh_s = time.monotonic() - self._pace.fresh_s
        return bool(self._reading) and all(self._ended_s.get(each, 0) > fresh_s for each in self._reading)

    async def check(self) -> None:
        """The stream is there and lets us in. Raises `Lost`."""
        self._shards = await self._list()

    async def run(self) -> None:
        """Reads every shard whose turn has come, until the client raises `Lost`."""
        lost: list[Lost] = []
        try:
            await self._run()
        except* Lost as several:
            lost += _each(several)
        raise lost[0]

    async def _run(self) -> NoReturn:
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._changed.clear()
                self._progress.keep_only([shard.id for shard in self._shards])
                for shard in ready(self._shards, self._progress, self._reading):
                    self._reading[shard] = tasks.create_task(self._read(shard))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pace.list_s):
                        await self._changed.wait()
                self._shards = await self._list()

    async def _list(self) -> list[Shard]:
        found: list[Shard] = []
        ask: dict[str, str] = dict(self._named)
        while ask:
            answer = await self._ask("list_shards", **ask)
            found += [_shard(each) for each in answer["Shards"]]
            token = answer.get("NextToken")
            ask = {"NextToken": token} if token else {}
        return found

    async def _read(self, shard: str) -> None:
        """Until the shard is closed and read to its end."""
        iterator: str | None = await self._iterator(shard)
        while iterator is not None:
            answer = await self._ask("get_records", ShardIterator=iterator, Limit=AT_ONCE)
            if answer is None:
                iterator = await self._iterator(shard)
                continue
            await self._take(shard, answer["Records"])
            iterator = answer.get("NextShardIterator")
            is_behind = answer.get("MillisBehindLatest", 0) > 0
            if not is_behind:
                self._ended_s[shard] = time.monotonic()
            if iterator is not None:
                await asyncio.sleep(self._pace.hurry_s if is_behind else self._pace.poll_s)
        await self._keep(shard, READ_TO_END)
        del self._reading[shard]
        self._changed.set()

    async def _take(self, shard: str, records: list[dict[str, Any]]) -> None:
        if not records:
            return
        found, now_ms = Translated(), self._tools.clock()
        for record in records:
            found.add(self._translator.take_any(record["Data"], now_ms))
        messages = messages_of(found, report=self._tools.report, now_ms=now_ms)
        await store(messages, send=self._tools.send, report=self._tools.report)
        await self._keep(shard, records[-1]["SequenceNumber"])

    async def _keep(self, shard: str, number: str) -> None:
        self._progress.read[shard] = number
        async with self._saving:
            text = checkpoint.text_of(self._progress)
            try:
                await asyncio.to_thread(self._mark.write, text)
            except OSError as error:
                raise Lost(f"how far the stream was read cannot be kept: {error.strerror}") from error

    async def _iterator(self, shard: str) -> str:
        """After the last number that was stored; from `since_ms` on where there is none, or it is gone."""
        number = self._progress.read.get(shard)
        if number is not None:
            answer = await self._ask(
                "get_shard_iterator",
                **self._named,
                ShardId=shard,
                ShardIteratorType="AFTER_SEQUENCE_NUMBER",
                StartingSequenceNumber=number,
            )
            if answer is not None:
                return str(answer["ShardIterator"])
            del self._progress.read[shard]
        since = datetime.fromtimestamp(self._progress.since_ms / 1000, UTC)
        answer = await self._ask(
            "get_shard_iterator",
            **self._named,
            ShardId=shard,
            ShardIteratorType="AT_TIMESTAMP",
            Timestamp=since,
        )
        return str(answer["ShardIterator"])

    async def _ask(self, what: str, **fields: Any) -> Any:
        """The answer; None where what was named has passed: an iterator, a number. Raises `Lost`.

        What is too much for now is asked again after a wait.
        """
        from botocore.exceptions import ClientError

        attempt = 1
        while True:
            async with asking("kinesis"):
                try:
                    return await getattr(self._client, what)(**fields)
                except ClientError as error:
                    code = code_of(error)
                    if _has_passed(code, fields):
                        return None
                    if code not in THROTTLED or attempt >= MAX_THROTTLED:
                        raise
            await asyncio.sleep(delay_s(attempt, patience=self._patience, draw=random.random()))
            attempt += 1


def _has_passed(code: str, fields: dict[str, Any]) -> bool:
    if code == "ExpiredIteratorException":
        return True
    return code == "InvalidArgumentException" and "StartingSequenceNumber" in fields


def _each(group: BaseExceptionGroup[Lost]) -> list[Lost]:
    """The losses in it, however deep."""
    found: list[Lost] = []
    for error in group.exceptions:
        found += _each(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def _is_arn(stream: str) -> bool:
    return stream.startswith("arn:")


def _shard(told: dict[str, Any]) -> Shard:
    parents = (told.get("ParentShardId"), told.get("AdjacentParentShardId"))
    return Shard(told["ShardId"], tuple(parent for parent in parents if parent))
