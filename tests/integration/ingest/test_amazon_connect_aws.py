"""A queue and a stream of Amazon, over real sockets: what is taken, kept, lost, found again."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from schemas.config import SourceConfig
from schemas.errors import Misconfigured, Unavailable
from schemas.events import AgentStateChanged, QueueEntered, QueueLeft, SourceEvent
from schemas.sources import SourceState
from services.ingest.adapters.amazon_connect import agents
from services.ingest.adapters.amazon_connect.connect import run
from services.ingest.adapters.amazon_connect.pace import Pace
from services.ingest.line import Patience
from services.ingest.publisher import Message
from services.ingest.tools import Tools
from tests.doubles.aws_server import ENVIRONMENT, REGION, Aws, client_of, moto, serving
from tests.doubles.connect_events import START_MS, agent_event, body, contact_event, snapshot, source
from tests.doubles.running_source import Running, until

PACE = Pace(wait_s=1, hidden_s=30, poll_s=0.02, hurry_s=0.01, look_s=0.02, list_s=0.2, fresh_s=5)
PATIENCE = Patience(first_s=0.02, most_s=0.05, refused_s=0.05)
FREE = snapshot()


async def work(config: SourceConfig, tools: Tools) -> None:
    await run(config, tools, pace=PACE, patience=PATIENCE)


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with moto() as url:
        yield url


@pytest.fixture
async def aws(upstream: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Aws]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    async with serving(upstream) as aws:
        yield aws


class Box:
    """A queue of SQS, from the side of who fills it."""

    def __init__(self, client: Any, url: str) -> None:
        self.client = client
        self.url = url

    async def put(self, *payloads: object) -> None:
        for payload in payloads:
            text = payload if isinstance(payload, str) else json.dumps(payload)
            await self.client.send_message(QueueUrl=self.url, MessageBody=text)

    async def size(self) -> int:
        """Messages that are there, hidden or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = await self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    async def is_emptied(self) -> None:
        while await self.size():  # noqa: ASYNC110 - another process empties it
            await asyncio.sleep(0.02)


@pytest.fixture
async def box(aws: Aws) -> AsyncIterator[Box]:
    async with client_of(aws, "sqs") as client:
        made = await client.create_queue(QueueName="connect")
        yield Box(client, aws.url + "/" + made["QueueUrl"].split("/", 3)[3])


def queue_source(aws: Aws, box: Box, **more: object) -> SourceConfig:
    return source(queue_url=box.url, url=aws.url, region=REGION, **more)


def stream_source(aws: Aws, **more: object) -> SourceConfig:
    return source(stream="agents", url=aws.url, region=REGION, **more)


# --- the queue ---


async def test_a_message_is_stored_and_then_deleted(aws: Aws, box: Box) -> None:
    await box.put(contact_event("QUEUED", queue="support"))
    async with Running(queue_source(aws, box), work).ending() as it:
        await until(lambda: it.heard.of(QueueEntered))
        await box.is_emptied()

    assert [event.id for event in it.heard.events] == ["aws/c1/c1/entered"]
    assert it.value("vigie_events_total", outcome="accepted") == 1


async def test_while_the_log_is_away_nothing_is_deleted(aws: Aws, box: Box) -> None:
    away, tries = asyncio.Event(), 0

    async def send(messages: Sequence[Message]) -> None:
        nonlocal tries
        tries += 1
        if not away.is_set():
            raise Unavailable("the log does not answer")
        await it.heard.put(messages)

    await box.put(contact_event("QUEUED", queue="support"))
    async with Running(queue_source(aws, box), work, send=send).ending() as it:
        await until(lambda: tries >= 3)
        held = (len(it.heard.events), await box.size(), aws.asked["DeleteMessageBatch"])
        away.set()
        await until(lambda: it.heard.events)
        await box.is_emptied()

    assert held == (0, 1, 0)
    assert [event.id for event in it.heard.events] == ["aws/c1/c1/entered"]


async def test_what_cannot_be_read_is_a_dead_letter_and_does_not_come_again(aws: Aws, box: Box) -> None:
    broken = contact_event("QUEUED", queue="support", initiationTimestamp="yesterday")
    await box.put("no JSON", broken, contact_event("RESCHEDULED"), contact_event("QUEUED", queue="support"))
    async with Running(queue_source(aws, box), work).ending() as it:
        await until(lambda: it.heard.events and len(it.heard.letters) == 2)
        await box.is_emptied()

    assert sorted(letter.detail.partition(" ")[0] for letter in it.heard.letters) == ["QUEUED:", "body:"]
    assert it.report.status("i").unknown == {"RESCHEDULED": 1}


async def test_who_left_alone_is_decided_by_the_clock(aws: Aws, box: Box) -> None:
    await box.put(contact_event("DISCONNECTED", queue="support", hung=30))
    async with Running(queue_source(aws, box, abandon_after_s=0.1), work).ending() as it:
        await until(lambda: len(it.heard.of(QueueLeft)) == 2)

    assert [event.outcome for event in it.heard.events if isinstance(event, QueueLeft)] == [
        "unknown",
        "abandoned",
    ]


async def test_a_connection_that_is_cut_is_made_again(aws: Aws, box: Box) -> None:
    async with Running(queue_source(aws, box), work).ending() as it:
        await until(it.is_up)
        aws.is_cut = True
        await until(lambda: it.report.status("i").state is SourceState.LOST)
        reason = it.report.status("i").reason
        aws.is_cut = False
        await until(it.is_up)
        await box.put(contact_event("QUEUED", queue="support"))
        await until(lambda: it.heard.events)

    assert reason is not None
    assert "sqs of AWS cannot be reached" in reason
    assert it.value("vigie_source_reconnects_total") >= 1


async def test_two_processes_share_a_queue(aws: Aws, box: Box) -> None:
    await box.put(*(contact_event("QUEUED", f"c{n}", queue="support") for n in range(30)))
    async with (
        Running(queue_source(aws, box), work).ending() as one,
        Running(queue_source(aws, box), work).ending() as other,
    ):
        await until(lambda: len(one.heard.events) + len(other.heard.events) >= 30)
        await box.is_emptied()

    ids = [event.id for it in (one, other) for event in it.heard.events]
    assert sorted(ids) == sorted(f"aws/c{n}/c{n}/entered" for n in range(30))


async def test_a_trial_takes_nothing_out_of_the_queue(aws: Aws, box: Box) -> None:
    async def trying(config: SourceConfig, tools: Tools) -> None:
        await work(config, structs.replace(tools, is_trial=True))

    await box.put(contact_event("QUEUED", queue="support"))
    async with Running(queue_source(aws, box), trying).ending() as it:
        await until(it.is_up)

    assert (it.heard.events, aws.asked["ReceiveMessage"], await box.size()) == ([], 0, 1)


# --- who does not let us in, and says why ---


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "AccessDenied",
            "allow sqs:ReceiveMessage, sqs:DeleteMessage and sqs:GetQueueAttributes on",
        ),
        ("InvalidClientTokenId", "AWS does not accept the credentials (InvalidClientTokenId)"),
        ("AWS.SimpleQueueService.NonExistentQueue", "queue_url: there is no such sqs resource"),
        ("KMS.AccessDeniedException", "kms:Decrypt"),
    ],
)
async def test_a_refusal_says_what_to_change(aws: Aws, box: Box, code: str, said: str) -> None:
    aws.refusing["GetQueueAttributes"] = [code] * 1_000
    async with Running(queue_source(aws, box), work).ending() as it:
        await until(lambda: it.report.status("i").state is SourceState.REFUSED)
        reason = it.report.status("i").reason

    assert reason is not None
    assert said in reason
    assert ENVIRONMENT["AWS_SECRET_ACCESS_KEY"] not in reason


async def test_trouble_of_amazons_own_is_a_loss(aws: Aws, box: Box) -> None:
    aws.refusing["GetQueueAttributes"] = ["InternalError"]
    async with Running(queue_source(aws, box), work).ending() as it:
        await until(it.is_up)

    assert it.value("vigie_source_reconnects_total") == 1


async def test_without_credentials_it_is_said_what_is_missing(
    aws: Aws, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    async with Running(queue_source(aws, box), work).ending() as it:
        await until(lambda: it.report.status("i").state is SourceState.REFUSED)
        reason = it.report.status("i").reason

    assert reason is not None
    assert "no AWS credentials were found" in reason


async def test_a_stream_that_is_not_there_is_said(aws: Aws) -> None:
    async with Running(stream_source(aws), work).ending() as it:
        await until(lambda: it.report.status("i").state is SourceState.REFUSED)
        reason = it.report.status("i").reason

    assert reason is not None
    assert "stream: there is no such kinesis resource" in reason


async def test_a_region_that_nobody_knows_is_said(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    async with Running(structs.replace(stream_source(aws), region=None), work).ending() as it:
        await until(lambda: it.report.status("i").state is SourceState.REFUSED)
        reason = it.report.status("i").reason

    assert reason is not None
    assert "set region" in reason


async def test_without_the_library_the_source_refuses_to_start(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "aiobotocore.session", None)
    it = Running(stream_source(aws), work)
    with pytest.raises(Misconfigured, match=r"pip install 'vigie\[aws\]'"):
        await it.task
    assert "pip install 'vigie[aws]'" in (it.report.status("i").reason or "")


# --- the stream ---


class River:
    """A stream of Kinesis, from the side of who fills it."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def put(self, *events: dict[str, object], key: str = "alice") -> None:
        for event in events:
            await self.client.put_record(StreamName="agents", Data=body(event), PartitionKey=key)

    async def shards(self) -> list[dict[str, Any]]:
        answer = await self.client.list_shards(StreamName="agents")
        return list(answer["Shards"])

    async def split(self) -> None:
        """The one open shard becomes two."""
        (whole,) = [
            each for each in await self.shards() if "EndingSequenceNumber" not in each["SequenceNumberRange"]
        ]
        await self.client.split_shard(
            StreamName="agents", ShardToSplit=whole["ShardId"], NewStartingHashKey=str(2**127)
        )

    async def merge(self) -> None:
        """The two open shards become one."""
        left, right = [
            each for each in await self.shards() if "EndingSequenceNumber" not in each["SequenceNumberRange"]
        ]
        await self.client.merge_shards(
            StreamName="agents", ShardToMerge=left["ShardId"], AdjacentShardToMerge=right["ShardId"]
        )


@pytest.fixture
async def river(aws: Aws) -> AsyncIterator[River]:
    async with client_of(aws, "kinesis") as client:
        await client.create_stream(StreamName="agents", ShardCount=1)
        yield River(client)


def login(n: int, agent: str = "alice") -> dict[str, object]:
    return agent_event("LOGIN", n, FREE, agent=agent)


def seconds(events: Sequence[SourceEvent]) -> list[float]:
    return [(event.occurred_ms - START_MS) / 1000 for event in events]


async def test_the_stream_is_read_in_its_order_from_before_we_came(aws: Aws, river: River) -> None:
    await river.put(login(1), login(2))
    async with Running(stream_source(aws), work).ending() as it:
        await until(lambda: len(it.heard.events) == 2)
        await river.put(login(3))
        await until(lambda: len(it.heard.events) == 3)

    assert seconds(it.heard.of(AgentStateChanged)) == [1, 2, 3]


async def test_after_a_restart_it_goes_on_where_it_was(aws: Aws, river: River, tmp_path: Path) -> None:
    await river.put(login(1), login(2))
    async with Running(stream_source(aws), work, folder=tmp_path / "sources").ending() as it:
        await until(lambda: len(it.heard.events) == 2)
        await until(lambda: list((tmp_path / "sources").glob("*.mark")))
    await river.put(login(3))
    async with Running(stream_source(aws), work, folder=tmp_path / "sources").ending() as again:
        await until(lambda: again.heard.events)

    assert seconds(again.heard.events) == [3]


async def test_what_was_not_stored_is_read_again(aws: Aws, river: River, tmp_path: Path) -> None:
    await river.put(login(1))
    it = Running(stream_source(aws), work, folder=tmp_path)
    it.heard.open.clear()
    await until(lambda: it.heard.calls)
    it.stop.set()  # it dies while the log does not take it
    await it.task
    async with Running(stream_source(aws), work, folder=tmp_path).ending() as again:
        await until(lambda: again.heard.events)

    assert it.heard.events == []
    assert seconds(again.heard.events) == [1]


async def test_a_stream_that_is_split_and_merged_is_read_on_in_order(
    aws: Aws, river: River, tmp_path: Path
) -> None:
    async with Running(stream_source(aws), work, folder=tmp_path).ending() as it:
        for n, change in enumerate((river.split, river.merge, river.split)):
            await river.put(login(10 * n + 1), login(10 * n + 2))
            await change()
            await river.put(login(10 * n + 3), login(10 * n + 4, "bruno"))
        await until(lambda: len(it.heard.events) == 12)

    of_alice = [e for e in it.heard.events if isinstance(e, AgentStateChanged) and e.agent == "alice"]
    assert seconds(of_alice) == [1, 2, 3, 11, 12, 13, 21, 22, 23]


async def test_a_stream_that_was_split_while_we_were_away_is_read_whole(
    aws: Aws, river: River, tmp_path: Path
) -> None:
    await river.put(login(1))
    async with Running(stream_source(aws), work, folder=tmp_path).ending() as it:
        await until(lambda: it.heard.events)
        await until(lambda: list(tmp_path.glob("*.mark")))
    await river.put(login(2))
    await river.split()
    await river.put(login(3))
    async with Running(stream_source(aws), work, folder=tmp_path).ending() as again:
        await until(lambda: len(again.heard.events) == 2)

    assert seconds(again.heard.events) == [2, 3]


@pytest.mark.parametrize(
    ("operation", "codes"),
    [
        ("GetRecords", ["ExpiredIteratorException"]),
        ("GetRecords", ["ProvisionedThroughputExceededException"] * 3),
        ("GetShardIterator", ["ProvisionedThroughputExceededException"] * 2),
        ("ListShards", ["LimitExceededException"] * 2),
    ],
)
async def test_what_passes_and_what_is_too_much_loses_nothing(
    aws: Aws, river: River, operation: str, codes: list[str]
) -> None:
    async with Running(stream_source(aws), work).ending() as it:
        await river.put(login(1))
        await until(lambda: it.heard.events)
        aws.refusing[operation] = list(codes)
        await river.put(login(2))
        await until(lambda: len(it.heard.events) == 2)
        if operation != "GetShardIterator":  # asked for again only when one has expired
            await until(lambda: not aws.refusing[operation])
        assert it.is_up()

    assert seconds(it.heard.events) == [1, 2]
    assert it.value("vigie_source_reconnects_total") == 0


async def test_a_number_that_the_stream_does_not_know_is_forgotten(
    aws: Aws, river: River, tmp_path: Path
) -> None:
    """As of a stream that was deleted and made again under its name."""
    await river.put(login(1))
    async with Running(stream_source(aws), work, folder=tmp_path).ending() as it:
        await until(lambda: it.heard.events)
        await until(lambda: list(tmp_path.glob("*.mark")))
    aws.refusing["GetShardIterator"] = ["InvalidArgumentException"]
    async with Running(stream_source(aws), work, folder=tmp_path).ending() as again:
        await until(lambda: again.heard.events)

    assert seconds(again.heard.events) == [1]


async def test_a_folder_that_cannot_be_written_is_said(aws: Aws, river: River, tmp_path: Path) -> None:
    (tmp_path / "sources").write_text("a file, not a folder")
    await river.put(login(1))
    async with Running(stream_source(aws), work, folder=tmp_path / "sources").ending() as it:
        await until(lambda: "cannot be kept" in (it.report.status("i").reason or ""))


async def test_an_agent_of_whom_nothing_more_comes_is_closed(
    aws: Aws, river: River, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents, "SILENT_S", 0.3)
    await river.put(login(1))
    async with Running(stream_source(aws), work).ending() as it:
        await until(lambda: len(it.heard.events) == 2)

    told = [event for event in it.heard.events if isinstance(event, AgentStateChanged)]
    assert [(event.state, event.inferred) for event in told] == [("available", False), ("offline", True)]


async def test_nobody_is_closed_while_the_stream_does_not_answer(
    aws: Aws, river: River, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents, "SILENT_S", 0.5)
    await river.put(login(1))
    async with Running(stream_source(aws), work).ending() as it:
        await until(lambda: it.heard.events)
        aws.is_cut = True
        await until(lambda: it.report.status("i").reconnects > 20)
        closed = len(it.heard.events)
        aws.is_cut = False
        await until(lambda: len(it.heard.events) == 2)

    assert closed == 1


async def test_queue_and_stream_are_read_beside_each_other_and_lost_each_for_itself(
    aws: Aws, box: Box, river: River
) -> None:
    await box.put(contact_event("QUEUED", queue="support"))
    await river.put(login(1))
    both = structs.replace(queue_source(aws, box), stream="agents")
    async with Running(both, work).ending() as it:
        await until(lambda: it.heard.of(QueueEntered) and it.heard.of(AgentStateChanged))
        aws.refusing["GetRecords"] = ["InternalFailure"]
        aws.refusing["ListShards"] = ["InternalFailure"] * 1_000
        await until(lambda: it.report.status("i").reconnects > 2)
        lost = it.report.status("i").state
        await box.put(contact_event("QUEUED", "c2", queue="support"))
        await until(lambda: len(it.heard.of(QueueEntered)) == 2)
        aws.refusing["ListShards"].clear()
        await until(it.is_up)

    assert lost is SourceState.LOST
