"""Ingest starts again: what was told before is known, and no visit is told as another. SOURCES.md §1.4."""

import random
from functools import cache

import pytest

from schemas.config import SourceConfig
from schemas.events import (
    AgentAccepted,
    AgentOfferEnded,
    AgentStateChanged,
    ContactEnded,
    HoldEnd,
    QueueEntered,
    QueueLeft,
    SourceEvent,
    TalkEnded,
    WrapEnd,
)
from schemas.vocabulary import Outcome
from services.ingest.adapters.asterisk_ami.frames import Frame, FrameReader
from services.ingest.adapters.asterisk_ami.translate import Translator
from services.ingest.adapters.asterisk_ami.wire import event_of, instant_us
from tests.data import asterisk
from tests.doubles.ami_frames import PSEUDONYMS, START_MS, Story, frame, member_row, source

QUEUES = (frame("QueueParams", Queue="support"), frame("QueueParams", Queue="sales"))
VISITS = (QueueEntered, QueueLeft, AgentAccepted)


def restarted(before: Story, *, times: int = 1, **settings: object) -> Story:
    """A new process that has read what the one before told, `times` over."""
    after = Story(**settings)
    for event in before.events * times:
        after.translator.recall(event)
    after.translator.go_on()
    after.translator.reconnected()
    return after


def entry(call: str, wait_s: int, queue: str = "support") -> Frame:
    return frame("QueueEntry", Queue=queue, Uniqueid=call, Wait=wait_s, CallerIDNum="+33102030405")


def in_second_visit(**settings: object) -> Story:
    story = Story(**settings)
    story.join(10)
    story.leave(20)
    story.wait_until(21)
    story.join(30)
    return story


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("system", [None, "annexe"])
def test_a_second_visit_is_not_told_as_the_first(times: int, system: str | None) -> None:
    story = restarted(in_second_visit(system=system), times=times, system=system)
    story.status(100, *QUEUES, entry("1.1", 70))
    story.wait_until(102)
    story.connect(110, "Alice", leg="1.2")
    contact = "1.1" if system is None else "annexe/1.1"

    assert story.words(*VISITS) == [
        f"queue.left answered Alice {contact}/support/2 at 110",
        f"agent.accepted Alice {contact}/support/2 at 110",
    ]


def test_a_join_after_it_is_the_third_visit() -> None:
    story = restarted(in_second_visit())
    story.leave(40)
    story.wait_until(42)
    story.join(50)

    assert story.words(QueueEntered) == ["queue.entered 1.1/support/3 at 50"]


def test_who_left_meanwhile_is_unknown_and_who_waits_is_left_alone() -> None:
    before = Story()
    before.join(10, "1.1")
    before.join(11, "2.1")
    story = restarted(before)
    story.status(100, *QUEUES, entry("2.1", 89))
    story.wait_until(200)

    assert [(e.segment, e.outcome, e.inferred) for e in story.events if isinstance(e, QueueLeft)] == [
        ("1.1/support/1", Outcome.UNKNOWN, True)
    ]
    assert story.words(QueueEntered) == []


def test_who_was_lost_before_is_not_lost_again() -> None:
    before = Story()
    before.join(10)
    before.status(50, *QUEUES)
    before.wait_until(52)
    story = restarted(before)
    story.status(100, *QUEUES)
    story.wait_until(200)

    assert story.events == []


def test_a_talk_is_ended_by_its_complete_and_its_wrap_up_by_the_timer() -> None:
    before = Story(wrap_up_s=3.0)
    before.member("QueueMemberAdded", 1, "Alice")
    before.join(10)
    before.connect(20, "Alice", leg="1.2")
    story = restarted(before, wrap_up_s=3.0)
    story.status(100, *QUEUES, member_row("Alice", InCall=1, Status=2))
    story.complete(130, "Alice", talk_s=110)
    story.wait_until(140)

    assert story.words() == [
        "talk.ended customer Alice 1.1/support/1 at 130",
        "wrap.start Alice 1.1/support/1 at 130",
        "agent.state wrap_up Alice at 130",
        "wrap.end Alice 1.1/support/1 at 133",
        "agent.state in_contact Alice at 133",  # his phone has not said otherwise
    ]


def test_a_talk_that_ended_meanwhile_ended_when_the_member_was_last_called() -> None:
    before = Story()
    before.member("QueueMemberAdded", 1, "Alice")
    before.join(10)
    before.connect(20, "Alice", leg="1.2")
    story = restarted(before)
    story.status(100, *QUEUES, member_row("Alice", LastCall=START_MS // 1000 + 40))
    story.wait_until(102)

    assert story.words(TalkEnded) == ["talk.ended Alice 1.1/support/1 at 40"]
    assert story.words(AgentStateChanged)[-1] == "agent.state available Alice at 101"


def test_a_talk_of_an_agent_who_is_gone_is_over() -> None:
    before = Story()
    before.member("QueueMemberAdded", 1, "Alice")
    before.join(10)
    before.connect(20, "Alice", leg="1.2")
    story = restarted(before)
    story.status(100, *QUEUES)
    story.wait_until(102)

    assert story.words(TalkEnded) == ["talk.ended Alice 1.1/support/1 at 100"]
    assert story.words(AgentStateChanged)[-1] == "agent.state offline Alice at 101"


def test_a_talk_whose_contact_is_over_ends_with_it() -> None:
    before = Story()
    before.join(10)
    before.connect(20, "Alice", leg="1.2")
    before.hang_up(30, "1.2", linked="1.1")
    before.hang_up(30)
    story = restarted(before)
    story.wait_until(60)

    assert story.words(TalkEnded) == ["talk.ended Alice 1.1/support/1 at 30"]


def test_a_wrap_up_that_ran_ends_when_it_would_have() -> None:
    before = Story(wrap_up_s=30.0)
    before.join(10)
    before.connect(20, "Alice", leg="1.2")
    before.complete(90, "Alice", talk_s=70)
    story = restarted(before, wrap_up_s=30.0)
    story.wait_until(130)

    assert story.words(WrapEnd) == ["wrap.end Alice 1.1/support/1 at 120"]


def test_who_rang_loses_the_race_or_is_taken() -> None:
    before = Story()
    before.join(10)
    before.call(11, "Alice", leg="1.2")
    before.call(11, "Bruno", leg="1.3")
    before.no_answer(19, "Bruno", leg="1.3")
    before.call(20, "Bruno", leg="1.4")
    story = restarted(before)
    story.connect(25, "Alice", leg="1.2")

    assert story.words(AgentOfferEnded) == ["agent.offer_ended lost_race Bruno 1.1/support/1 at 25"]


def test_a_phone_that_is_idle_rings_no_more() -> None:
    before = Story()
    before.member("QueueMemberAdded", 1, "Alice")
    before.join(10)
    before.call(11, "Alice", leg="1.2")
    story = restarted(before)
    story.status(100, *QUEUES, member_row("Alice"), entry("1.1", 90))

    assert story.words() == [
        "agent.offer_ended cancelled Alice 1.1/support/1 at 100",
        "agent.state available Alice at 100",
    ]


def test_a_hold_that_began_ends() -> None:
    before = Story()
    before.join(10)
    before.call(15, "Alice", leg="1.2")
    before.connect(20, "Alice", leg="1.2")
    before.tell("Hold", 25, Uniqueid="1.2", Linkedid="1.1")
    story = restarted(before)
    story.tell("Unhold", 35, Uniqueid="1.2", Linkedid="1.1")

    assert story.words(HoldEnd) == ["hold.end Alice 1.1/support/1 at 35"]


def test_of_agents_only_what_changed_is_told() -> None:
    before = Story()
    for agent in ("Alice", "Bruno", "Chloe"):
        before.member("QueueMemberAdded", 1, agent)
    before.member("QueueMemberRemoved", 2, "Chloe")
    story = restarted(before)
    story.status(100, *QUEUES, member_row("Alice"))

    assert story.words() == ["agent.state offline Bruno at 100"]


def test_until_a_frame_tells_an_agents_queues_they_are_as_said() -> None:
    before = Story()
    before.member("QueueMemberAdded", 1, "Alice", "support")
    before.member("QueueMemberAdded", 1, "Alice", "sales")
    before.join(10)
    story = restarted(before)
    story.call(20, "Alice", leg="1.2")
    (said,) = [event for event in story.events if isinstance(event, AgentStateChanged)]

    assert said.queues == ("sales", "support")


def test_who_left_and_came_back_meanwhile_is_in_another_visit() -> None:
    before = Story()
    pong = Frame(f"Ping: Pong\nTimestamp: {START_MS // 1000}.000000")
    before.events += before.translator.heartbeat(pong, START_MS)
    before.join(10)
    story = restarted(before)
    story.status(100, *QUEUES, entry("1.1", 40))
    story.wait_until(102)

    assert story.words(QueueLeft, QueueEntered) == [
        "queue.left unknown 1.1/support/1 at 60",
        "queue.entered 1.1/support/2 at 60",
    ]


def test_without_the_sources_clock_a_short_wait_proves_nothing() -> None:
    """Ours may be ahead of it."""
    before = Story()
    before.join(10)
    story = restarted(before)
    story.status(100, *QUEUES, entry("1.1", 40))
    story.wait_until(102)

    assert story.events == []


def test_a_call_from_before_asterisks_start_is_over() -> None:
    before = Story()
    before.join(10)
    story = restarted(before)
    story.events += story.translator.frame(frame("FullyBooted", Uptime=5), START_MS + 100_000)

    assert [event.outcome for event in story.events if isinstance(event, QueueLeft)] == [Outcome.UNKNOWN]
    assert len(story.words(ContactEnded)) == 1


def test_how_far_the_clocks_are_apart_is_known_at_once() -> None:
    """Ours is an hour ahead: the call began after Asterisk did."""
    ahead_ms = 3_600_000
    before = Story()
    before.join(10)
    pong = Frame(f"Ping: Pong\nTimestamp: {START_MS // 1000 + 20}.000000")
    before.events += before.translator.heartbeat(pong, START_MS + 20_000 + ahead_ms)
    story = restarted(before)
    story.events += story.translator.frame(frame("FullyBooted", Uptime=60), START_MS + 30_000 + ahead_ms)

    assert story.events == []


def test_contacts_keep_the_name_they_had() -> None:
    """The system was named while they waited."""
    before = Story()
    before.join(10)
    story = restarted(before, system="annexe")
    story.connect(20, "Alice", leg="1.2")

    assert story.words(AgentAccepted) == ["agent.accepted Alice 1.1/support/1 at 20"]


def test_segments_that_are_not_named_as_ours_are_passed_over() -> None:
    story = Story()
    for segment in (None, "", "1.1", "1.1/support", "1.1/support/x", "2.2/support/1", "/1"):
        event = QueueEntered(
            id="x",
            source="pbx1",
            site="paris",
            occurred_ms=START_MS,
            received_ms=START_MS,
            contact="1.1",
            segment=segment,
            queue="support",
        )
        story.translator.recall(event)
    story.translator.go_on()
    story.status(100, *QUEUES)
    story.wait_until(200)

    assert story.events == []


# --- a whole run, restarted anywhere ---


def settings() -> SourceConfig:
    return source(wrap_up_s=asterisk.WRAP_UP_S)


@cache
def frames() -> tuple[tuple[Frame, int], ...]:
    """What a manager who asks for nothing hears, with the clock at its arrival."""
    timed, clock_ms = [], 0
    for each in FrameReader().feed(asterisk.capture()):
        clock_ms = max(clock_ms, (instant_us(each) or 0) // 1000)
        if event_of(each) not in ("QueueParams", "QueueMember", "QueueEntry", "QueueStatusComplete"):
            timed.append((each, clock_ms))
    return tuple(timed)


def told(translator: Translator, heard: tuple[tuple[Frame, int], ...]) -> list[SourceEvent]:
    return [event for each, clock_ms in heard for event in translator.frame(each, clock_ms)]


@pytest.mark.parametrize("seed", range(4))
def test_a_run_restarted_five_times_tells_the_facts_of_the_run(seed: int) -> None:
    """At instants at which no word is held: those are told as unknown, or by what follows."""
    dice = random.Random(seed)
    whole = told(Translator(settings(), PSEUDONYMS), frames())
    cuts = sorted(dice.sample(range(len(frames())), 5))
    events: list[SourceEvent] = []
    for start, end in zip([0, *cuts], [*cuts, len(frames())], strict=True):
        translator = Translator(settings(), PSEUDONYMS)
        for event in events:
            translator.recall(event)
        translator.go_on()
        events += told(translator, frames()[start:end])

    missing = contact_facts(whole) - contact_facts(events)
    invented = contact_facts(events) - contact_facts(whole)
    assert {fact for fact in missing if "/left/" not in fact} == set()
    assert {fact for fact in invented if not fact.endswith("/left/unknown")} == set()
    assert len(missing) <= len(invented) <= 5


def contact_facts(events: list[SourceEvent]) -> set[str]:
    """Ids of what was told of contacts, but not when the last channel of one was gone."""
    return {e.id for e in events if not isinstance(e, AgentStateChanged | ContactEnded)}


def test_an_agent_of_another_name_is_the_same_after_a_restart() -> None:
    """Events have our name of the agent, frames Asterisk's."""
    names = {"1001": "Alice"}
    before = Story(agents=names)
    before.status(0, *QUEUES, member_row("1001"), member_row("Bruno"))
    before.join(10)
    before.call(11, "1001", leg="1.2")
    before.connect(12, "1001", leg="1.2")
    story = restarted(before, agents=names)
    story.status(20, *QUEUES, member_row("1001", InCall=1, Status=2), member_row("Bruno"))
    story.wait_until(25)
    story.complete(30, "1001", Uniqueid="1.1", Linkedid="1.1", DestUniqueid="1.2", DestLinkedid="1.1")
    story.status(40, *QUEUES, member_row("1001"), member_row("Bruno"))

    assert story.words(AgentStateChanged, TalkEnded) == [
        "talk.ended customer Alice 1.1/support/1 at 30",
        "agent.state available Alice at 40",
    ]
