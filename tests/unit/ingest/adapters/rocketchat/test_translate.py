"""Rocket.Chat's webhooks: queued, taken, forwarded, closed, abandoned; in any order."""

import contextlib
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from schemas.board import Window
from schemas.config import Config, QueueConfig, SiteConfig, SourceConfig
from schemas.errors import InvalidMessage
from schemas.events import AgentAccepted, ContactCreated, QueueEntered, QueueLeft, SourceEvent, TalkEnded
from schemas.vocabulary import Channel, EndedBy, Outcome, WindowName
from services.ingest.adapters.rocketchat.translate import Translator
from tests.doubles.running_source import PSEUDONYMS
from tests.unit.aggregator.core.folding import fold, rows

DATA = Path(__file__).parents[4] / "data" / "rocketchat" / "session.jsonl"
SOURCE = SourceConfig(
    id="rc",
    kind="rocketchat",
    site="paris",
    system="rc",
    map={"dep-support": "support", "dep-billing": "billing"},
)
SESSION: list[dict[str, Any]] = [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]
BEGUN = 1_795_341_600_100


def told(*payloads: dict[str, Any]) -> list[SourceEvent]:
    translator = Translator(SOURCE, PSEUDONYMS)
    return [event for each in payloads for event in translator.take(json.dumps(each).encode(), 0).events]


def windows(events: list[SourceEvent]) -> dict[str, Window]:
    now_ms = BEGUN + 900_000
    heard = [structs.replace(event, received_ms=event.occurred_ms) for event in events]
    queues = [QueueConfig(id=name, site="paris", channel=Channel.CHAT) for name in ("support", "billing")]
    config = Config(sites=[SiteConfig(id="paris")], queues=queues, sources=[SOURCE], from_file=True)
    found, _ = rows(fold(heard, config, now_ms), now_ms)
    return {
        queue: structs.replace(row.windows[WindowName.M60], duplicates=0) for (_, queue), row in found.items()
    }


def test_a_session_waits_from_its_beginning_until_it_is_taken() -> None:
    events = told(SESSION[0], SESSION[1], SESSION[3])
    (accepted,) = (e for e in events if isinstance(e, AgentAccepted))
    entered = {(e.id, e.queue, e.occurred_ms) for e in events if isinstance(e, QueueEntered)}

    assert entered == {("rc/room1/dep-support/entered", "support", BEGUN)}
    assert (accepted.agent, accepted.occurred_ms) == ("lea", BEGUN + 20_400)


def test_forwarded_to_another_department_is_a_flow_out_and_an_entry() -> None:
    shown = windows(told(*SESSION[:7]))

    assert (shown["support"].offered, shown["support"].answered) == (1, 1)
    assert (shown["billing"].offered, shown["billing"].answered) == (1, 1)
    assert shown["billing"].aht_s.numerator == 180


def test_forwarded_within_the_department_is_no_second_visit() -> None:
    again = {**SESSION[5], "departmentId": "dep-support"}
    events = told(SESSION[0], SESSION[3], again)

    assert len({e.segment for e in events if isinstance(e, QueueEntered)}) == 1
    assert [e.agent for e in events if isinstance(e, AgentAccepted)] == ["lea", "tom"]


def test_closed_by_whom() -> None:
    (ended,) = (e for e in told(SESSION[6]) if isinstance(e, TalkEnded))

    assert ended.by is EndedBy.CUSTOMER


def test_closed_and_served_by_nobody_is_abandoned() -> None:
    events = told(SESSION[7], SESSION[8])

    assert [e.outcome for e in events if isinstance(e, QueueLeft)] == [Outcome.ABANDONED]
    assert windows(events)["support"].abandoned == 1


def test_a_message_left_for_later_is_an_e_mail_without_a_queue() -> None:
    (created,) = told(SESSION[9])

    assert isinstance(created, ContactCreated)
    assert (created.channel, created.customer) == (Channel.EMAIL, PSEUDONYMS.of("bob@customer.example"))


def test_old_versions_write_numbers_as_text() -> None:
    visitor = {"phone": "+33102030405", "department": "dep-support"}
    old = {**SESSION[0], "visitor": visitor}
    del old["departmentId"]
    created, entered = told(old)

    assert isinstance(created, ContactCreated)
    assert isinstance(entered, QueueEntered)
    assert (created.customer, entered.queue) == (PSEUDONYMS.of("+33102030405"), "support")


def test_any_order_and_any_repeat_gives_the_same_figures() -> None:
    expected = windows(told(*SESSION))
    for seed in range(30):
        shuffled = random.Random(seed).sample(SESSION * 2, 2 * len(SESSION))
        assert windows(told(*shuffled)) == expected


@pytest.mark.parametrize(
    ("payload", "detail"),
    [
        ({"type": "LivechatSessionStart"}, "LivechatSessionStart: _id: missing"),
        ({"type": "LivechatSessionStart", "_id": "1"}, "LivechatSessionStart: createdAt: no instant"),
        ({**SESSION[3], "servedBy": None, "agent": None}, "LivechatSessionTaken: servedBy: missing"),
        ({**SESSION[2], "messages": [{"msg": "x"}]}, "Message: messages: one without _id or ts"),
    ],
)
def test_what_says_too_little_is_spoiled_with_its_reason(payload: dict[str, Any], detail: str) -> None:
    found = Translator(SOURCE, PSEUDONYMS).take(json.dumps(payload).encode(), 0)

    assert [each.detail for each in found.spoiled] == [detail]
    assert found.events == []


@given(
    st.sampled_from(SESSION),
    st.sampled_from(sorted(set().union(*SESSION))),
    st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2),
)
def test_whatever_stands_in_a_field_never_raises(payload: dict[str, Any], field: str, value: object) -> None:
    Translator(SOURCE, PSEUDONYMS).take(json.dumps({**payload, field: value}).encode(), 0)


@given(st.binary(max_size=100))
def test_any_body_is_taken_or_invalid(body: bytes) -> None:
    with contextlib.suppress(InvalidMessage):
        Translator(SOURCE, PSEUDONYMS).take(body, 0)
