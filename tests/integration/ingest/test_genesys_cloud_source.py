"""A Genesys Cloud that we go to, over real HTTP and websockets: whole, renewed, cut, deaf, refusing."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from structlog.testing import capture_logs

from schemas.config import SourceConfig
from schemas.events import (
    AgentAccepted,
    AgentStateChanged,
    AnyEvent,
    ContactCreated,
    ContactEnded,
    QueueEntered,
    QueueLeft,
    SourceHeartbeat,
    TalkEnded,
)
from schemas.sources import SourceState
from schemas.vocabulary import AgentState, Outcome
from services.ingest.adapters.genesys_cloud.connect import run
from services.ingest.adapters.genesys_cloud.pace import Pace
from services.ingest.line import Patience
from services.ingest.past import Past, Take
from services.runtime.clock import now_ms
from tests.doubles import genesys_calls as calls
from tests.doubles.genesys_calls import ADA, BOB, CALL, OTHER_QUEUE, QUEUE, acd, agent, conversation, customer
from tests.doubles.genesys_cloud import CLIENT, SECRET, GenesysCloud, served
from tests.doubles.running_source import Running, until

FAST = Patience(first_s=0.05, most_s=0.2, refused_s=0.1)
PACE = Pace(ping_s=0.05, pong_s=20.0, tick_s=0.02, overlap_s=0.2, retry_s=0.05, settle_s=600.0)
CALLS = f"v2.routing.queues.{QUEUE}.conversations.calls"


def source(there: GenesysCloud, **more: Any) -> SourceConfig:
    return calls.source(**{"url": there.url, "user": CLIENT, **more})


def standing(user: str, presence: str, routing: str) -> dict[str, Any]:
    return {
        "id": user,
        "name": "Jeanne Untel",
        "email": "jeanne@example.com",
        "presence": calls.presence(presence, -100),
        "routingStatus": calls.routing(routing, -90),
    }


@pytest.fixture
async def there() -> AsyncIterator[GenesysCloud]:
    async with served() as there:
        there.queues = {QUEUE: "Support", OTHER_QUEUE: "Sales"}
        there.members = {QUEUE: {ADA: True, BOB: False}}
        there.users = [standing(ADA, "ON_QUEUE", "IDLE"), standing(BOB, "BREAK", "OFF_QUEUE")]
        yield there


def start(
    config: SourceConfig, *, pace: Pace = PACE, secret: str = SECRET, past: Past | None = None
) -> Running:
    return Running(config, partial(run, pace=pace, patience=FAST), secret=secret, past=past)


def reason(running: Running) -> str:
    return running.report.status("ingest").reason or ""


async def test_queues_and_their_members_are_subscribed_to_and_calls_become_facts(there: GenesysCloud) -> None:
    async with start(source(there)).ending() as running:
        await until(running.is_up)
        (channel,) = there.connected
        assert channel.topics == {
            *(
                f"v2.routing.queues.{q}.conversations.{m}"
                for q in (QUEUE, OTHER_QUEUE)
                for m in ("calls", "callbacks", "chats", "emails", "messages")
            ),
            f"v2.users.{ADA}.activity",
            f"v2.users.{BOB}.activity",
        }
        await there.notify(CALLS, conversation(customer(0), acd(5)))
        ended = conversation(customer(0, end_s=60), acd(5, end_s=16), agent(12, connected_s=15.9, end_s=60))
        await there.notify(CALLS, ended)
        await there.notify(CALLS, ended)
        await until(lambda: running.heard.of(ContactEnded))
        await until(lambda: running.heard.of(SourceHeartbeat))

    told = Counter(type(each) for each in running.heard.events)
    assert (told[ContactCreated], told[QueueEntered], told[QueueLeft]) == (1, 1, 1)
    assert (told[AgentAccepted], told[TalkEnded], told[ContactEnded]) == (1, 1, 1)
    assert [each.queue for each in running.heard.of(QueueEntered)] == ["support"]  # type: ignore[union-attr]


async def test_how_agents_stand_is_known_at_once(there: GenesysCloud) -> None:
    async with start(source(there)).ending() as running:
        await until(running.is_up)
        states = {e.agent: e for e in running.heard.events if isinstance(e, AgentStateChanged)}

    assert (states["ada"].state, states["ada"].queues) == (AgentState.AVAILABLE, ("support",))
    assert (states["bob"].state, states["bob"].reason) == (AgentState.PAUSED, "break")
    assert states["ada"].inferred
    assert states["ada"].occurred_ms == calls.ms(-90)


async def test_a_wrong_secret_is_said_in_words_and_tried_again(there: GenesysCloud) -> None:
    async with start(source(there), secret="another").ending() as running:
        await until(lambda: there.asked["token"] > 2)
        status = running.report.status("ingest")

    assert status.state is SourceState.REFUSED
    assert "invalid_client" in (status.reason or "")
    assert "compare user (client id) and secret" in (status.reason or "")
    assert "another" not in (status.reason or "")


async def test_a_missing_permission_is_named(there: GenesysCloud) -> None:
    there.lacking = {"routing:queue:view"}
    async with start(source(there)).ending() as running:
        await until(lambda: "routing:queue:view" in reason(running))
        there.lacking = {"analytics:conversationDetail:view"}
        await until(lambda: "analytics:conversationDetail:view" in reason(running))
        assert running.report.status("ingest").state is SourceState.REFUSED
        there.lacking = set()
        await until(running.is_up)


async def test_topics_that_may_not_be_heard_name_the_permission(there: GenesysCloud) -> None:
    topic = f"v2.users.{ADA}.presence"
    there.rejected = {topic: ["presence:userPresence:view"]}
    async with start(source(there, topics=[topic])).ending() as running:
        await until(lambda: "presence:userPresence:view" in reason(running))
        assert running.report.status("ingest").state is SourceState.REFUSED


async def test_some_rejected_topics_are_said_once_and_the_others_heard(there: GenesysCloud) -> None:
    there.rejected = {f"v2.users.{BOB}.activity": ["presence:userPresence:view"]}
    with capture_logs() as logs:
        async with start(source(there)).ending() as running:
            await until(running.is_up)

    (said,) = [each for each in logs if each["event"] == "genesys_topics_rejected"]
    assert (said["count"], said["missing"]) == (1, ["presence:userPresence:view"])


async def test_more_topics_than_a_channel_takes_are_spread_over_several(there: GenesysCloud) -> None:
    there.most_topics = 5
    async with start(source(there)).ending() as running:
        await until(running.is_up)
        assert len(there.connected) > 2
        assert sum(len(each.topics) for each in there.connected) == 12
        await until(lambda: all(each.pings > 1 for each in there.connected))


async def test_more_topics_than_channels_take_are_refused_in_words(there: GenesysCloud) -> None:
    there.most_topics = 2
    pace = Pace(most_topics=2, most_channels=3, tick_s=0.02)
    async with start(source(there), pace=pace).ending() as running:
        await until(lambda: "12 topics need more than 3 notification channels" in reason(running))


async def test_only_the_queues_that_are_set_are_heard(there: GenesysCloud) -> None:
    async with start(source(there, queues=["sales"])).ending() as running:
        await until(running.is_up)
        (channel,) = there.connected
        assert all(OTHER_QUEUE in topic for topic in channel.topics)
        await there.notify(
            CALLS.replace(QUEUE, OTHER_QUEUE),
            conversation(customer(0), acd(5, end_s=6), acd(6, number="p-acd2", queue=OTHER_QUEUE)),
        )
        await until(lambda: running.heard.of(QueueEntered))

    assert [each.queue for each in running.heard.of(QueueEntered)] == ["sales"]  # type: ignore[union-attr]


async def test_a_socket_that_is_about_to_close_is_left_after_the_next_is_there(there: GenesysCloud) -> None:
    async with start(source(there)).ending() as running:
        await until(running.is_up)
        (old,) = there.connected
        await there.announce_closing(old)
        told, number = 0, 0
        while old.socket is not None or not there.connected:  # calls come in all the while
            number += 1
            heard = await there.notify(CALLS, conversation(customer(0), acd(number), number=f"c-{number}"))
            told += heard > 0
            await asyncio.sleep(0.005)
        assert told == number
        await until(lambda: len(running.heard.of(QueueEntered)) == number)
        (new,) = there.connected
        assert new.topics == old.topics
        assert there.asked["token"] == 2
        assert running.value("vigie_source_reconnects_total") == 0
        assert running.is_up()


async def test_a_token_is_renewed_before_it_ends(there: GenesysCloud) -> None:
    there.token_s = 4
    async with start(source(there)).ending() as running:
        await until(running.is_up)
        await until(lambda: len(there.channels) > 3)
        assert there.unauthorized == 0
        assert running.value("vigie_source_reconnects_total") == 0


async def test_a_renewal_that_fails_is_tried_again(there: GenesysCloud) -> None:
    async with start(source(there)).ending() as running:
        await until(running.is_up)
        (old,) = there.connected
        there.failing["POST /api/v2/notifications/channels"] = 2
        with capture_logs() as logs:
            await there.announce_closing(old)
            await until(lambda: old.socket is None)
        assert [each["event"] for each in logs].count("source_not_renewed") == 2
        assert running.value("vigie_source_reconnects_total") == 0


async def test_a_token_that_was_taken_away_is_replaced_once(there: GenesysCloud) -> None:
    pace = Pace(ping_s=0.05, tick_s=0.02, refresh_s=0.1, settle_s=0.05)
    async with start(source(there), pace=pace).ending() as running:
        await until(running.is_up)
        tokens = there.asked["token"]
        there.revoke_tokens()
        looks = there.asked["GET /api/v2/users"]
        await until(lambda: there.asked["GET /api/v2/users"] > looks + 3)
        assert tokens < there.asked["token"] <= tokens + 2
        assert running.is_up()


async def test_429_is_obeyed(there: GenesysCloud) -> None:
    there.slow = 3
    async with start(source(there)).ending() as running:
        await until(running.is_up)
        assert running.value("vigie_source_reconnects_total") == 0
        assert there.slow == 0


async def test_a_cut_is_healed_by_what_is_open_and_what_came_meanwhile(there: GenesysCloud) -> None:
    begun_s = (now_ms() - calls.START_MS) / 1000 - 900
    open_, over, lost, new = (f"0c0ffee0-0000-4000-8000-0000000000e{i}" for i in range(4))
    async with start(source(there)).ending() as running:
        await until(running.is_up)
        for number in (open_, over, lost):
            body = conversation(
                customer(begun_s, id=f"{number}-c"), acd(begun_s + 5, number=f"{number}-q"), number=number
            )
            await there.notify(CALLS, body)
        await until(lambda: len(running.heard.of(QueueEntered)) == 3)
        there.failing["POST /api/v2/notifications/channels"] = 3
        await there.cut()
        there.conversations = {
            open_: calls.analytics(
                calls.part(f"{open_}-c", "customer", ("interact", begun_s, None)),
                calls.part(f"{open_}-q", "acd", ("interact", begun_s + 5, None), queueId=QUEUE),
                number=open_,
                begun_s=begun_s,
            ),
            over: calls.analytics(
                calls.part(f"{over}-c", "customer", ("interact", begun_s, begun_s + 30)),
                calls.part(
                    f"{over}-q",
                    "acd",
                    ("interact", begun_s + 5, begun_s + 30),
                    queueId=QUEUE,
                    disconnectType="peer",
                ),
                number=over,
                begun_s=begun_s,
                end_s=begun_s + 30,
            ),
            new: calls.analytics(
                calls.part(f"{new}-c", "customer", ("interact", begun_s + 800, begun_s + 860)),
                calls.part(
                    f"{new}-q",
                    "acd",
                    ("interact", begun_s + 801, begun_s + 810),
                    queueId=QUEUE,
                    disconnectType="transfer",
                ),
                calls.part(
                    f"{new}-a",
                    "agent",
                    ("alert", begun_s + 802, begun_s + 810),
                    ("interact", begun_s + 810, begun_s + 860),
                    queueId=QUEUE,
                    userId=ADA,
                ),
                number=new,
                begun_s=begun_s + 800,
                end_s=begun_s + 860,
            ),
        }
        await until(lambda: not running.is_up())
        await until(running.is_up)
        left = {e.contact.rpartition("/")[2]: e for e in running.heard.events if isinstance(e, QueueLeft)}
        ended = {e.contact.rpartition("/")[2]: e for e in running.heard.events if isinstance(e, ContactEnded)}

    assert {number: each.outcome for number, each in left.items()} == {
        over: Outcome.ABANDONED,
        lost: Outcome.UNKNOWN,
        new: Outcome.ANSWERED,
    }
    assert all(each.inferred for each in left.values())
    assert left[over].occurred_ms == calls.ms(begun_s + 30)
    assert set(ended) == {over, lost, new}


async def test_silence_is_a_half_open_connection(there: GenesysCloud) -> None:
    pace = Pace(ping_s=0.05, pong_s=0.3, tick_s=0.02)
    async with start(source(there), pace=pace).ending() as running:
        await until(running.is_up)
        there.is_deaf = True
        await until(lambda: "half open" in reason(running))
        there.is_deaf = False
        await until(running.is_up)


async def test_a_frame_that_is_too_large_is_refused_and_the_channel_kept(there: GenesysCloud) -> None:
    async with start(source(there)).ending() as running:
        await until(running.is_up)
        body = conversation(customer(0, attributes={"note": "x" * 1_100_000}), acd(5))
        await there.notify(CALLS, body)
        await there.notify(CALLS, conversation(customer(0), acd(5)))
        await until(lambda: running.heard.of(QueueEntered))
        assert running.value("vigie_source_reconnects_total") == 0

    assert [each.reason for each in running.heard.letters] == ["too_large"]


async def test_a_full_buffer_holds_genesys_cloud_back_and_loses_nothing(there: GenesysCloud) -> None:
    pace = Pace(ping_s=0.05, pong_s=2.0, tick_s=0.02)
    async with start(source(there), pace=pace).ending() as running:
        await until(running.is_up)
        running.heard.open.clear()
        for number in range(300):
            await there.notify(CALLS, conversation(customer(0), acd(5), number=f"c-{number}"))
        held_s = time.monotonic()
        await until(lambda: time.monotonic() - held_s > 2.5)
        running.heard.open.set()
        await until(lambda: len(running.heard.of(QueueEntered)) == 300)
        assert running.value("vigie_source_reconnects_total") == 0


async def test_what_was_told_before_a_restart_is_not_told_again_and_what_went_ends(
    there: GenesysCloud,
) -> None:
    begun_s = (now_ms() - calls.START_MS) / 1000 - 900
    async with start(source(there)).ending() as before:
        await until(before.is_up)
        await there.notify(CALLS, conversation(customer(begun_s), acd(begun_s + 5)))
        await until(lambda: before.heard.of(QueueEntered))

    async def past(take: Take) -> None:
        for event in before.heard.events:
            take(event)

    async with start(source(there), past=past).ending() as after:
        await until(after.is_up)
        told: list[AnyEvent] = [each for each in after.heard.events if not isinstance(each, SourceHeartbeat)]

    assert [(type(each), getattr(each, "outcome", None)) for each in told] == [
        (QueueLeft, Outcome.UNKNOWN),
        (ContactEnded, None),
    ]
    assert all(CALL in getattr(each, "contact", "") for each in told)


async def test_topics_that_are_set_are_the_only_ones(there: GenesysCloud) -> None:
    topics = [CALLS, f"v2.users.{BOB}.presence"]
    async with start(source(there, topics=topics)).ending() as running:
        await until(running.is_up)
        (channel,) = there.connected
        assert channel.topics == set(topics)
        states = {e.agent for e in running.heard.events if isinstance(e, AgentStateChanged)}

    assert states == {"bob"}


async def test_nobody_there_is_said(there: GenesysCloud) -> None:
    async with start(source(there, url="http://127.0.0.1:1")).ending() as running:
        await until(lambda: "127.0.0.1:1 cannot be reached" in reason(running))


async def test_a_token_that_is_refused_again_is_said_in_words(there: GenesysCloud) -> None:
    there.token_s = -1
    async with start(source(there)).ending() as running:
        await until(lambda: "refuses a token that it gave" in reason(running))
        assert running.report.status("ingest").state is SourceState.REFUSED


async def test_a_new_member_and_a_new_queue_are_heard_without_a_break(there: GenesysCloud) -> None:
    pace = Pace(ping_s=0.05, tick_s=0.02, overlap_s=0.05, refresh_s=0.1, settle_s=0.05)
    there.members = {QUEUE: {ADA: True}}
    there.queues = {QUEUE: "Support"}
    async with start(source(there), pace=pace).ending() as running:
        await until(running.is_up)
        there.members = {QUEUE: {ADA: True, BOB: False}, OTHER_QUEUE: {BOB: True}}
        there.queues[OTHER_QUEUE] = "Sales"
        await until(
            lambda: (
                [len(each.topics) for each in there.connected] == [12]
                and any(isinstance(e, AgentStateChanged) and e.agent == "bob" for e in running.heard.events)
            )
        )
        await there.notify(
            CALLS.replace(QUEUE, OTHER_QUEUE), conversation(customer(0), acd(5, queue=OTHER_QUEUE))
        )
        await until(lambda: running.heard.of(QueueEntered))
        assert running.value("vigie_source_reconnects_total") == 0


async def test_what_was_never_said_is_found_when_it_is_looked_for(there: GenesysCloud) -> None:
    pace = Pace(ping_s=0.05, tick_s=0.02, refresh_s=0.1, settle_s=0.05)
    begun_s = (now_ms() - calls.START_MS) / 1000 - 60
    async with start(source(there), pace=pace).ending() as running:
        await until(running.is_up)
        there.failing["POST /api/v2/analytics/conversations/details/query"] = (
            2  # a look that fails is no loss
        )
        there.conversations[CALL] = calls.analytics(
            calls.part("c", "customer", ("interact", begun_s, None)),
            calls.part("q", "acd", ("interact", begun_s + 5, None), queueId=QUEUE),
            begun_s=begun_s,
        )
        await until(lambda: running.heard.of(QueueEntered))
        assert running.value("vigie_source_reconnects_total") == 0

    (entered,) = running.heard.of(QueueEntered)
    assert entered.inferred
    assert entered.occurred_ms == calls.ms(begun_s + 5)
