"""One story, told by every source that can tell it: whatever the source, the same figures.

Four callers of one queue, at whole seconds because a queue_log knows no others:
- the first waits 5 s, talks with Lea for 30 s and hangs up,
- the second hangs up after 30 s,
- the third is offered to Bob, who does not answer for 15 s, and then to Lea: 25 s of waiting, one offer,
- the fourth waits still.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec import structs

from schemas.board import QueueRow
from schemas.config import Config, QueueConfig, ServiceLevelConfig, SiteConfig, SourceConfig
from schemas.events import SourceEvent
from schemas.vocabulary import Channel, WindowName
from services.ingest.adapters.asterisk_queue_log.recording import read as read_queue_log
from services.ingest.adapters.chatwoot.translate import Translator as Chatwoot
from services.ingest.adapters.file.translate import lines_of
from services.ingest.adapters.file.translate import translate as rows_of
from services.ingest.adapters.genesys_cloud.translate import Translator as Genesys
from services.ingest.adapters.rocketchat.translate import Translator as RocketChat
from services.ingest.adapters.twilio_taskrouter.translate import Translator as Twilio
from tests.doubles import ami_frames, connect_events, esl_story, genesys_calls, twilio
from tests.doubles.callcenter import CallCenter
from tests.doubles.running_source import PSEUDONYMS
from tests.unit.aggregator.core.folding import fold, rows

START_MS = 1_795_321_200_000
NOW_S = 150
QUEUE = "support"
Told = tuple[SourceConfig, Sequence[SourceEvent]]


def by_ami() -> Told:
    story = ami_frames.Story()
    story.join(0, "1")
    story.call(2, "lea", call="1", leg="11")
    story.connect(5, "lea", call="1", leg="11")
    story.join(10, "2")
    story.complete(35, "lea", Uniqueid="1", Linkedid="1", DestUniqueid="11", DestLinkedid="1")
    story.hang_up(35, "1")
    story.join(37, "3")
    story.abandon(40, "2", hold_s=30)
    story.leave(40, "2")
    story.hang_up(40, "2")
    story.call(40, "bob", call="3", leg="31")
    story.no_answer(55, "bob", call="3", leg="31")
    story.call(56, "lea", call="3", leg="32")
    story.connect(62, "lea", call="3", leg="32")
    story.complete(92, "lea", Uniqueid="3", Linkedid="3", DestUniqueid="32", DestLinkedid="3")
    story.hang_up(92, "3")
    story.join(100, "4")
    story.wait_until(NOW_S)
    return ami_frames.source(), story.events


def by_queue_log() -> Told:
    source = SourceConfig(id="log", kind="asterisk_queue_log", site="paris", file="queue_log", system="log")
    lines = [
        (0, "1", "NONE", "ENTERQUEUE||+33102030405|1"),
        (5, "1", "lea", "CONNECT|5|11|3"),
        (10, "2", "NONE", "ENTERQUEUE||+33102030406|1"),
        (35, "1", "lea", "COMPLETECALLER|5|30|1"),
        (37, "3", "NONE", "ENTERQUEUE||+33102030407|2"),
        (40, "2", "NONE", "ABANDON|1|1|30"),
        (55, "3", "bob", "RINGNOANSWER|15000"),
        (62, "3", "lea", "CONNECT|25|32|6"),
        (92, "3", "lea", "COMPLETECALLER|25|30|1"),
        (100, "4", "NONE", "ENTERQUEUE||+33102030408|1"),
    ]
    text = "".join(f"{START_MS // 1000 + s}|{call}|{QUEUE}|{who}|{what}\n" for s, call, who, what in lines)
    return source, read_queue_log([text.encode()], source, PSEUDONYMS).events


def by_freeswitch() -> Told:
    story = esl_story.Story(CallCenter())
    pbx = story.pbx
    for agent in ("lea", "bob"):
        pbx.agent(agent, QUEUE)
    story.look(0)
    first = pbx.at(0).enter("1")
    pbx.at(2).offer(first, "lea")
    pbx.at(5).answer(first, "lea")
    second = pbx.at(10).enter("2")
    pbx.at(35).hang_up_agent(first, "lea", how="send_bye")
    pbx.hang_up("1")
    third = pbx.at(37).enter("3")
    pbx.at(40).abandon(second)
    pbx.offer(third, "bob")
    pbx.at(55).fail(third, "bob")
    pbx.at(56).offer(third, "lea")
    pbx.at(62).answer(third, "lea")
    pbx.at(92).hang_up_agent(third, "lea", how="send_bye")
    pbx.hang_up("3")
    pbx.at(100).enter("4")
    story.wait_until(NOW_S)
    return esl_story.source(), story.events


def by_twilio() -> Told:
    source = twilio.source(map={"Support": QUEUE})
    translator, found = Twilio(source, PSEUDONYMS), []
    off_ms = START_MS - twilio.START_MS
    told: list[twilio.Told] = []

    def begun(number: int, at_s: int) -> twilio.Visit:
        call = {"direction": "inbound", "from": f"+1555010000{number}", "call_sid": f"CA{number:032}"}
        task = twilio.Task(number, attributes=call)
        told.append(task.told("created", off_ms + at_s * 1000))
        visit = task.enter("Support", off_ms + at_s * 1000)
        told.append(visit.entered)
        return visit

    def reserved(visit: twilio.Visit, number: int, worker: str, **steps: int) -> None:
        for what, at_s in steps.items():
            told.append(visit.reservation(what, off_ms + at_s * 1000, worker, number))

    first = begun(1, 0)
    reserved(first, 1, "lea", created=2, accepted=5, completed=35)
    told.append(first.told("task.completed", off_ms + 35_000))
    second = begun(2, 10)
    told.append(second.told("task.canceled", off_ms + 40_000, TaskCanceledReason="hangup"))
    third = begun(3, 37)
    reserved(third, 2, "bob", created=40, timeout=55)
    reserved(third, 3, "lea", created=56, accepted=62, completed=92)
    told.append(third.told("task.completed", off_ms + 92_000))
    begun(4, 100)
    for each in told:
        found += translator.body(each.form, is_form=True, now_ms=START_MS).events
    return source, found


def by_connect() -> Told:
    story = connect_events.Story()

    def say(kind: str, contact: str, at_s: int, begun_s: int, **detail: object) -> None:
        started = connect_events.iso(begun_s)
        told = {"queue": QUEUE, "entered": begun_s, "initiationTimestamp": started, **detail}
        story.tell(connect_events.contact_event(kind, contact, at_s, **told), at_s)

    say("QUEUED", "1", 0, 0)
    say("CONNECTED_TO_AGENT", "1", 5, 0, agent="lea", accepted=5)
    say("QUEUED", "2", 10, 10)
    say("DISCONNECTED", "1", 35, 0, agent="lea", accepted=5, hung=35)
    say("QUEUED", "3", 37, 37)
    say("DISCONNECTED", "2", 40, 10, hung=40, disconnectReason="CUSTOMER_DISCONNECT")
    say("CONNECTED_TO_AGENT", "3", 62, 37, agent="lea", accepted=62)
    say("DISCONNECTED", "3", 92, 37, agent="lea", accepted=62, hung=92)
    say("QUEUED", "4", 100, 100)
    story.wait_until(NOW_S)
    return connect_events.source(), story.events


def by_genesys_detail_events() -> Told:
    lea, bob = genesys_calls.ADA, genesys_calls.BOB
    told: list[genesys_calls.Json] = []
    off_s = (START_MS - genesys_calls.START_MS) / 1000

    def say(kind: str, number: str, at_s: float, **body: object) -> None:
        told.append(genesys_calls.detail(kind, off_s + at_s, number=call(number), **body))

    def call(number: str) -> str:
        return genesys_calls.CALL[:-1] + number

    def taken(number: str, at_s: float, begun_s: float, over_s: float) -> None:
        say("user.start", number, begun_s, userId=lea, sessionId=f"s{number}")
        state = genesys_calls.agent_state
        begun: dict[str, Any] = {
            "begun_s": off_s + begun_s,
            "number": call(number),
            "userId": lea,
            "sessionId": f"s{number}",
        }
        told.append(state("INTERACT", off_s + at_s, **begun))
        say("acd.end", number, at_s, acdOutcome="ANSWERED", answeredUserId=lea, disconnectType="TRANSFER")
        ended: dict[str, Any] = {"interactingDurationMs": 30_000, "disconnectType": "PEER"}
        say("user.end", number, over_s, userId=lea, sessionId=f"s{number}", **ended)
        told.append(state("TERMINATED", off_s + over_s, **begun))
        say("customer.end", number, over_s, disconnectType="ENDPOINT")

    for number, at_s in (("1", 0), ("2", 10), ("3", 37), ("4", 100)):
        say("customer.start", number, at_s)
        say("acd.start", number, at_s)
    taken("1", 5, 2, 35)
    say("acd.end", "2", 40, acdOutcome="ABANDON", disconnectType="PEER")
    say("customer.end", "2", 40, disconnectType="ENDPOINT")
    say("user.start", "3", 40, userId=bob, sessionId="sb")
    say("user.end", "3", 55, userId=bob, sessionId="sb", alertingDurationMs=15_000)
    taken("3", 62, 56, 92)
    return genesys_calls.source(), genesys(told)


def by_genesys_notifications() -> Told:
    off_s = (START_MS - genesys_calls.START_MS) / 1000
    g = genesys_calls
    answered = {"ended": "peer", "wrapupRequired": False}

    def lives(number: str, *parts: g.Json) -> g.Json:
        return g.notification(g.conversation(*parts, number=g.CALL[:-1] + number))

    def s(at_s: float) -> float:
        return off_s + at_s

    lea: dict[str, Any] = {"number": "p-lea", "user": g.ADA, **answered}
    bob: dict[str, Any] = {"number": "p-bob", "user": g.BOB, "wrapupRequired": False}
    told = [
        lives("1", g.customer(s(0)), g.acd(s(0))),
        lives("2", g.customer(s(10)), g.acd(s(10))),
        lives(
            "1",
            g.customer(s(0), end_s=s(35)),
            g.acd(s(0), end_s=s(5)),
            g.agent(s(2), connected_s=s(5), end_s=s(35), **lea),
        ),
        lives("2", g.customer(s(10), end_s=s(40)), g.acd(s(10), end_s=s(40), ended="peer")),
        lives(
            "3",
            g.customer(s(37), end_s=s(92)),
            g.acd(s(37), end_s=s(62)),
            g.agent(s(40), end_s=s(55), **bob),
            g.agent(s(56), connected_s=s(62), end_s=s(92), **lea),
        ),
        lives("4", g.customer(s(100)), g.acd(s(100))),
    ]
    return g.source(), genesys(told)


def genesys(told: Sequence[genesys_calls.Json]) -> list[SourceEvent]:
    translator, found = Genesys(genesys_calls.source(), PSEUDONYMS), []
    for each in told:
        found += translator.take_any(json.dumps(each).encode(), START_MS).events
    return found


def by_a_file() -> Told:
    columns = {name: name for name in ("contact", "entered", "answered", "left", "ended", "outcome", "agent")}
    source = SourceConfig(
        id="old",
        kind="file",
        site="paris",
        file="f.jsonl",
        columns=columns,
        queue=QUEUE,
        channel=Channel.PHONE,
    )
    contacts = [
        {"contact": "1", "entered": 0, "answered": 5, "ended": 35, "agent": "lea"},
        {"contact": "2", "entered": 10, "left": 40, "outcome": "abandoned"},
        {"contact": "3", "entered": 37, "answered": 62, "ended": 92, "agent": "lea"},
        {"contact": "4", "entered": 100},
    ]
    instants = ("entered", "answered", "left", "ended")
    lines = [
        json.dumps({k: START_MS + v * 1000 if k in instants else v for k, v in each.items()})  # type: ignore[operator] # instants are numbers
        for each in contacts
    ]
    return source, rows_of(lines_of(["\n".join(lines).encode()]), source, PSEUDONYMS, now_ms=START_MS).events


def by_rocketchat() -> Told:
    source = SourceConfig(id="rc", kind="rocketchat", site="paris", system="rc", map={"d": QUEUE})
    translator, found = RocketChat(source, PSEUDONYMS), []

    def say(kind: str, room: str, begun_s: int, **more: object) -> None:
        told = {"_id": room, "createdAt": iso(begun_s), "departmentId": "d", "type": kind, **more}
        found.extend(translator.take(json.dumps(told).encode(), START_MS).events)

    def taken(room: str, begun_s: int, at_s: int, over_s: int) -> None:
        served = {"_id": "u1", "username": "lea", "ts": iso(at_s)}
        say("LivechatSessionTaken", room, begun_s, servedBy=served)
        say("LivechatSession", room, begun_s, servedBy=served, closedAt=iso(over_s), closer="visitor")

    for room, begun_s in (("1", 0), ("2", 10), ("3", 37), ("4", 100)):
        say("LivechatSessionQueued", room, begun_s)
    taken("1", 0, 5, 35)
    say("LivechatSession", "2", 10, closedAt=iso(40), closer="visitor")
    taken("3", 37, 62, 92)
    return source, found


def by_chatwoot() -> Told:
    source = SourceConfig(id="cw", kind="chatwoot", site="paris", system="cw", map={"3": QUEUE})
    translator, found = Chatwoot(source, PSEUDONYMS), []

    def say(number: int, begun_s: int, at_s: int, **more: object) -> None:
        told = {
            "id": number,
            "inbox_id": 3,
            "channel": "Channel::WebWidget",
            "account": {"id": 2},
            "status": "open",
            "created_at": START_MS // 1000 + begun_s,
            "updated_at": START_MS // 1000 + at_s + 0.0,
            "meta": {"sender": {"id": number}, "assignee": None},
        }
        found.extend(translator.take(json.dumps({**told, **more}).encode(), START_MS).events)

    def replied(number: int, begun_s: int, at_s: int) -> None:
        first_s = START_MS // 1000 + at_s
        change = [{"first_reply_created_at": {"previous_value": None, "current_value": first_s}}]
        assigned = {"sender": {"id": number}, "assignee": {"id": 5, "type": "user"}}
        more = {"event": "conversation_updated", "changed_attributes": change, "meta": assigned}
        say(number, begun_s, at_s, first_reply_created_at=first_s, **more)

    def resolved(number: int, begun_s: int, at_s: int, *, reply_s: int | None = None) -> None:
        change = [{"status": {"previous_value": "open", "current_value": "resolved"}}]
        more = {"event": "conversation_status_changed", "status": "resolved", "changed_attributes": change}
        first_s = None if reply_s is None else START_MS // 1000 + reply_s
        say(number, begun_s, at_s, first_reply_created_at=first_s, **more)

    for number, begun_s in ((1, 0), (2, 10), (3, 37), (4, 100)):
        say(number, begun_s, begun_s, event="conversation_created")
    replied(1, 0, 5)
    resolved(1, 0, 35, reply_s=5)
    resolved(2, 10, 40)
    replied(3, 37, 62)
    resolved(3, 37, 92, reply_s=62)
    return source, found


def iso(at_s: float) -> str:
    return connect_events.iso(at_s)


TELLERS: dict[str, Callable[[], Told]] = {
    "asterisk_ami": by_ami,
    "asterisk_queue_log": by_queue_log,
    "freeswitch_esl": by_freeswitch,
    "twilio_taskrouter": by_twilio,
    "amazon_connect": by_connect,
    "genesys_cloud, detail events": by_genesys_detail_events,
    "genesys_cloud, notifications": by_genesys_notifications,
    "file": by_a_file,
    "rocketchat": by_rocketchat,
    "chatwoot": by_chatwoot,
}
each_teller = pytest.mark.parametrize("teller", TELLERS.values(), ids=TELLERS.keys())


def row_of(teller: Callable[[], Told]) -> QueueRow:
    source, events = teller()
    now_ms = START_MS + NOW_S * 1000
    queue = QueueConfig(
        id=QUEUE, site="paris", service_level=ServiceLevelConfig(threshold_s=20, short_abandon_s=5)
    )
    config = Config(sites=[SiteConfig(id="paris")], sources=[source], queues=[queue], from_file=True)
    heard = [structs.replace(event, received_ms=now_ms) for event in events]
    found, _ = rows(fold(heard, config, now_ms), now_ms)
    return found["paris", QUEUE]


@each_teller
def test_whoever_tells_it_the_figures_are_the_same(teller: Callable[[], Told]) -> None:
    row = row_of(teller)
    window = row.windows[WindowName.M15]

    assert (window.offered, window.answered, window.abandoned, window.waiting) == (4, 2, 1, 1)
    assert {outcome: n for outcome, n in window.left.items() if n} == {}
    assert (window.asa_s.numerator, window.asa_s.denominator) == (30, 2)
    assert (window.service_level.numerator, window.service_level.denominator) == (1, 4)
    assert (window.abandonment and window.abandonment.value, window.longest_wait_s) == (0.25, 50)
    assert row.waiting == 1
    assert row.oldest_entered_ms == START_MS + 100_000


@each_teller
def test_handle_time_is_that_of_the_two_talks(teller: Callable[[], Told]) -> None:
    aht = row_of(teller).windows[WindowName.M15].aht_s

    assert (aht.numerator, aht.denominator) == (60, 2)
