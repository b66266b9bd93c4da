"""What EventBridge posts, over a real socket: its key, its events, and what falls due without it."""

import asyncio
import base64
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry

from schemas.events import QueueLeft
from schemas.sources import SourceState
from services.ingest import sources
from services.ingest.adapters.amazon_connect.receiver import Receiver
from services.ingest.adapters.amazon_connect.translate import Translator
from services.ingest.metrics import Metrics
from services.ingest.past import Take
from services.ingest.report import Report
from services.ingest.tools import Tools
from services.runtime.clock import now_ms
from tests.doubles.connect_events import START_MS, agent_event, body, contact_event, snapshot, source
from tests.doubles.event_log import MemoryLog
from tests.doubles.running_source import PSEUDONYMS, until
from tests.doubles.webhook_source import WebhookSource

KEY, OLD_KEY = "a-key-of-ours", "the-key-before"
SIGNED = {"x-api-key": KEY}
QUEUED = contact_event("QUEUED", queue="support")
GONE = contact_event("DISCONNECTED", queue="support", hung=30)


def basic(password: str, user: str = "vigie") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Clock:
    """Goes when it is told to."""

    def __init__(self) -> None:
        self.ms = START_MS + 60_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def connect(clock: Clock) -> AsyncIterator[WebhookSource]:
    served = WebhookSource(source(), Receiver, secret=KEY, previous_secret=OLD_KEY, clock=clock)
    async with served.running() as running:
        await until(lambda: running.report.status("i").state is SourceState.LISTENING)
        yield running


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": KEY},
        {"X-Api-Key": OLD_KEY},
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer  {OLD_KEY} "},
        {"Authorization": basic(KEY)},
        {"Authorization": basic(OLD_KEY, user="")},
    ],
)
async def test_the_key_may_stand_where_a_connection_can_put_it(
    connect: WebhookSource, headers: dict[str, str]
) -> None:
    status, answer = await connect.post(body(QUEUED), headers)

    assert (status, answer) == (202, {"accepted": 1, "rejected": [], "dropped": {}})
    assert [event.id for event in connect.log.events] == ["aws/c1/c1/entered"]


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "signature_missing"),
        ({"x-api-key": "guess"}, "signature_wrong"),
        ({"x-api-key": ""}, "signature_wrong"),
        ({"x-api-key": "clé"}, "signature_wrong"),
        ({"Authorization": "Bearer guess"}, "signature_wrong"),
        ({"Authorization": "Bearer"}, "signature_wrong"),
        ({"Authorization": basic("guess")}, "signature_wrong"),
        ({"Authorization": "Basic %%%"}, "signature_malformed"),
        ({"Authorization": "Basic " + base64.b64encode(KEY.encode()).decode()}, "signature_malformed"),
        ({"Authorization": f"Digest {KEY}"}, "signature_malformed"),
    ],
)
async def test_anything_else_is_refused(connect: WebhookSource, headers: dict[str, str], reason: str) -> None:
    status, answer = await connect.post(body(QUEUED), headers)

    assert status == 401
    assert reason in answer["detail"]
    assert connect.log.messages == []


async def test_without_a_key_of_ours_nobody_is_let_in() -> None:
    async with WebhookSource(source(), Receiver).running() as it:
        await until(lambda: it.report.status("i").state is SourceState.LISTENING)
        answers = [await it.post(body(QUEUED), {"x-api-key": key}) for key in ("", "guess")]

    assert [status for status, _ in answers] == [401, 401]


async def test_who_left_alone_is_said_at_once_and_decided_after_the_wait(
    connect: WebhookSource, clock: Clock
) -> None:
    await connect.post(body(GONE), SIGNED)
    at_once = [event.outcome for event in connect.log.events if isinstance(event, QueueLeft)]
    clock.ms += 5_000
    await until(lambda: sum(isinstance(event, QueueLeft) for event in connect.log.events) == 2)

    assert at_once == ["unknown"]
    assert [event.outcome for event in connect.log.events if isinstance(event, QueueLeft)] == [
        "unknown",
        "abandoned",
    ]


async def test_who_left_before_we_started_is_decided_then() -> None:
    before = Translator(source(), PSEUDONYMS).take(body(GONE), now_ms()).events

    async def past(take: Take) -> None:
        for event in before:
            take(event)

    async with WebhookSource(source(abandon_after_s=0), Receiver, past=past).running() as it:
        await until(lambda: it.log.events)

    assert [event.outcome for event in it.log.events if isinstance(event, QueueLeft)] == ["abandoned"]


async def test_while_the_log_is_away_the_same_comes_again_and_nothing_is_lost(
    connect: WebhookSource,
) -> None:
    events = [GONE, agent_event("LOGIN", 1, snapshot())]
    connect.log.is_away = True
    refused = [(await connect.post(body(event), SIGNED))[0] for event in events]
    connect.log.is_away = False
    taken = [(await connect.post(body(event), SIGNED))[0] for event in events]

    assert (refused, taken) == ([503, 503], [202, 202])
    assert [event.__struct_config__.tag for event in connect.log.events] == [
        *("contact.created", "queue.entered", "queue.left", "agent.state"),
    ]


async def test_what_is_no_json_is_400_and_a_dead_letter(connect: WebhookSource) -> None:
    status, answer = await connect.post(b"contactId=c1", SIGNED)

    assert status == 400
    assert answer["rejected"] == [{"index": 0, "reason": "invalid", "detail": "body: not JSON"}]
    assert [letter.source for letter in connect.log.letters] == ["aws"]


async def test_a_broken_event_is_a_dead_letter_that_holds_no_value(connect: WebhookSource) -> None:
    broken = contact_event("QUEUED", queue="support", initiationTimestamp="+33102030405")
    status, _ = await connect.post(body(broken), SIGNED)

    assert status == 400
    (letter,) = connect.log.letters
    assert letter.detail.startswith("QUEUED: initiationTimestamp: not an instant")
    assert "33102030405" not in repr(connect.log.messages)


async def test_a_type_that_nobody_knows_is_taken_and_counted(connect: WebhookSource) -> None:
    status, answer = await connect.post(body(contact_event("RESCHEDULED")), SIGNED)

    assert (status, answer["dropped"]) == (202, {"unknown_type": 1})
    assert connect.report.status("i").unknown == {"RESCHEDULED": 1}


async def test_a_known_type_that_says_nothing_to_a_figure_is_taken(connect: WebhookSource) -> None:
    status, answer = await connect.post(body(contact_event("PAUSED")), SIGNED)

    assert (status, answer["accepted"]) == (202, 0)
    assert connect.report.status("i").types == {"PAUSED": 1}


async def test_neither_the_key_nor_a_number_is_in_log_status_or_metrics(
    connect: WebhookSource, capsys: pytest.CaptureFixture[str]
) -> None:
    number = "+33102030405"
    await connect.post(body(contact_event("INITIATED", customerEndpoint={"address": number})), SIGNED)
    await connect.post(body(QUEUED), {"x-api-key": "guess"})
    async with connect.http.get("/metrics") as answer:
        seen = await answer.text()
    seen += repr(connect.report.status("i")) + repr(connect.log.messages) + "".join(capsys.readouterr())

    assert not any(word in seen for word in (KEY, OLD_KEY, number, number[1:]))


def test_a_source_without_queue_and_stream_only_comes_to_us() -> None:
    assert sources.runner(source()) is None
    assert sources.runner(source(stream="agents")) is not None
    assert sources.runner(source(queue_url="https://sqs.eu-west-3.amazonaws.com/1/q")) is not None


@pytest.mark.parametrize(
    ("settings", "secret", "takes"),
    [
        ({}, KEY, True),
        ({}, "", True),  # and refuses everybody
        ({"stream": "agents"}, "", False),
        ({"stream": "agents"}, KEY, True),
        ({"stream": "agents", "allow_unsigned": True}, "", True),
    ],
)
def test_a_source_that_is_pulled_takes_webhooks_only_where_it_has_a_key(
    settings: dict[str, object], secret: str, takes: bool
) -> None:
    metrics = Metrics(CollectorRegistry(), sources=["aws"])
    log = MemoryLog()
    tools = Tools(
        put=log.send,
        send=log.send,
        pseudonyms=PSEUDONYMS,
        report=Report(source(), metrics=metrics, clock=now_ms),
        stop=asyncio.Event(),
        secret=secret,
    )

    assert (sources.hook(source(**settings), tools) is not None) == takes
