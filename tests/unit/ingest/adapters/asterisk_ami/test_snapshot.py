"""After a reconnect: what a QueueStatus answer tells beyond what is believed. SOURCES.md §1.4."""

from schemas.events import (
    AgentOfferEnded,
    AgentStateChanged,
    ContactCreated,
    ContactEnded,
    QueueEntered,
    QueueLeft,
    TalkEnded,
    WrapEnd,
)
from schemas.vocabulary import Outcome
from services.ingest.adapters.asterisk_ami.frames import Frame
from tests.doubles.ami_frames import PSEUDONYMS, START_MS, Story, frame, member_row

QUEUES = (frame("QueueParams", Queue="support"), frame("QueueParams", Queue="sales"))


def entry(call: str, wait_s: int, queue: str = "support") -> Frame:
    return frame("QueueEntry", Queue=queue, Uniqueid=call, Wait=wait_s, CallerIDNum="+33102030405")


def outcomes(story: Story) -> list[tuple[str | None, Outcome, bool]]:
    return [(e.segment, e.outcome, e.inferred) for e in story.events if isinstance(e, QueueLeft)]


def test_who_waits_and_was_not_heard_of_entered_as_long_ago_as_asterisk_says() -> None:
    story = Story()
    story.status(100, *QUEUES, entry("1.1", 40))
    assert story.events == []
    story.wait_until(101)
    created, entered = story.events

    assert isinstance(created, ContactCreated)
    assert created.customer == PSEUDONYMS.of("+33102030405")
    assert isinstance(entered, QueueEntered)
    assert (entered.segment, entered.occurred_ms) == ("1.1/support/1", START_MS + 60_000)
    assert entered.inferred


def test_a_new_translator_gives_the_ids_that_the_one_before_gave() -> None:
    before, after = Story(), Story()
    before.join(60)
    after.status(100, *QUEUES, entry("1.1", 40))
    for story in (before, after):
        story.wait_until(102)
        story.connect(110, "Alice", leg="1.2")
        story.complete(120, "Alice")

    assert [event.id for event in after.events] == [event.id for event in before.events]


def test_a_join_that_was_still_under_way_tells_the_exact_instant() -> None:
    """Asterisk writes events that happened during the snapshot behind it."""
    story = Story()
    story.status(100, *QUEUES, entry("1.1", 0))
    story.join(99.999)
    story.wait_until(200)
    entered = [event for event in story.events if isinstance(event, QueueEntered)]

    assert [(event.occurred_ms, event.inferred) for event in entered] == [(START_MS + 99_999, False)]


def test_what_follows_at_once_is_told_behind_the_entry() -> None:
    story = Story()
    story.status(100, *QUEUES, entry("1.1", 40))
    story.connect(100.2, "Alice", leg="1.2")

    assert [type(event).__name__ for event in story.events[:4]] == [
        "ContactCreated",
        "QueueEntered",
        "QueueLeft",
        "AgentAccepted",
    ]


def test_who_is_known_to_wait_is_not_told_again() -> None:
    story = Story()
    story.join(60)
    told = list(story.events)
    story.status(100, *QUEUES, entry("1.1", 40))
    story.wait_until(200)

    assert story.events == told


def test_who_left_and_came_back_unheard_is_in_another_visit() -> None:
    story = Story()
    story.join(60)
    story.translator.reconnected()
    story.status(100, *QUEUES, entry("1.1", 15))
    story.wait_until(102)

    assert story.words(QueueEntered, QueueLeft) == [
        "queue.entered 1.1/support/1 at 60",
        "queue.left unknown 1.1/support/1 at 85",
        "queue.entered 1.1/support/2 at 85",
    ]


def test_who_left_by_a_leave_that_was_heard_and_came_back_is_in_another_visit() -> None:
    story = Story()
    story.join(60)
    story.leave(70)
    story.translator.reconnected()
    story.status(70.5, *QUEUES, entry("1.1", 0))
    story.wait_until(72)

    assert story.words(QueueEntered, QueueLeft) == [
        "queue.entered 1.1/support/1 at 60",
        "queue.left key 1.1/support/1 at 70",
        "queue.entered 1.1/support/2 at 70.5",
    ]


def test_who_is_absent_has_left_nobody_knows_how() -> None:
    story = Story()
    story.join(60)
    story.call(70, "Alice", leg="1.2")
    story.translator.reconnected()
    story.status(100, *QUEUES)
    story.wait_until(101)
    story.status(110, *QUEUES)
    story.wait_until(200)

    assert outcomes(story) == [("1.1/support/1", Outcome.UNKNOWN, True)]
    assert story.words(AgentOfferEnded) == ["agent.offer_ended cancelled Alice 1.1/support/1 at 100"]


def test_an_exit_that_was_still_under_way_is_known() -> None:
    story = Story()
    story.join(60)
    story.status(100, *QUEUES)
    story.abandon(99.9)
    story.leave(99.9)
    story.hang_up(99.901)
    story.wait_until(200)

    assert outcomes(story) == [("1.1/support/1", Outcome.ABANDONED, False)]


def test_an_end_that_is_heard_later_tells_what_was_unknown() -> None:
    story = Story()
    story.join(60)
    story.translator.reconnected()
    story.status(100, *QUEUES)
    story.wait_until(101)
    story.complete(130, "Alice", talk_s=40, Uniqueid="1.1")

    assert [each[:2] for each in outcomes(story)] == [
        ("1.1/support/1", Outcome.UNKNOWN),
        ("1.1/support/1", Outcome.ANSWERED),
    ]


def test_another_queues_callers_are_left_alone_by_an_answer_for_one_queue() -> None:
    story = Story()
    story.join(60, "1.1", "support")
    story.join(60, "2.1", "sales")
    story.status(100, frame("QueueParams", Queue="sales"), action="somebody-1")
    story.wait_until(102)

    assert outcomes(story) == [("2.1/sales/1", Outcome.UNKNOWN, True)]


def test_a_leave_whose_hangup_was_cut_off_proves_no_life() -> None:
    with_abandon, without = Story(), Story()
    for story in (with_abandon, without):
        story.join(60)
        if story is with_abandon:
            story.abandon(70)
        story.leave(70)
        story.translator.reconnected()
        story.status(80, *QUEUES)
        story.wait_until(82)

    assert outcomes(with_abandon) == [("1.1/support/1", Outcome.ABANDONED, False)]
    assert outcomes(without) == [("1.1/support/1", Outcome.UNKNOWN, True)]


def test_members_are_exactly_those_of_the_snapshot() -> None:
    story = Story()
    for agent in ("Alice", "Bruno"):
        story.member("QueueMemberAdded", 1, agent)
    story.status(100, *QUEUES, member_row("Alice"), member_row("Chloe", Paused=1, PausedReason="Tea"))
    said = {e.agent: e for e in story.events if isinstance(e, AgentStateChanged)}

    assert story.words()[2:] == ["agent.state offline Bruno at 100", "agent.state paused Tea Chloe at 100"]
    assert (said["Bruno"].queues, said["Bruno"].inferred) == ((), True)
    assert not said["Alice"].inferred


def test_a_queue_that_is_gone_is_no_longer_anybodys() -> None:
    story = Story()
    story.member("QueueMemberAdded", 1, "Alice", "old")
    story.member("QueueMemberAdded", 1, "Alice", "support")
    story.status(100, *QUEUES, member_row("Alice"))
    last = story.events[-1]

    assert isinstance(last, AgentStateChanged)
    assert last.queues == ("support",)


def test_a_talk_that_ended_unheard_ended_when_the_member_was_last_called() -> None:
    story = Story(wrap_up_s=3.0)
    story.member("QueueMemberAdded", 1, "Alice")
    story.join(1)
    story.connect(10, "Alice", leg="1.2")
    story.translator.reconnected()
    story.status(100, *QUEUES, member_row("Alice", LastCall=START_MS // 1000 + 40))
    story.wait_until(200)

    assert story.words(TalkEnded, WrapEnd) == [
        "talk.ended Alice 1.1/support/1 at 40",
        "wrap.end Alice 1.1/support/1 at 43",
    ]
    assert [event.inferred for event in story.events if isinstance(event, TalkEnded)] == [True]


def test_a_talk_that_goes_on_goes_on() -> None:
    story = Story()
    story.member("QueueMemberAdded", 1, "Alice")
    story.join(1)
    story.connect(10, "Alice", leg="1.2")
    story.translator.reconnected()
    told = list(story.events)
    story.status(100, *QUEUES, member_row("Alice", InCall=1, Status=2))
    story.wait_until(200)

    assert story.events == told


def test_a_talk_goes_on_though_the_agents_other_queues_have_no_call_of_his() -> None:
    """Each queue's row says whether the member is in a call of that queue."""
    story = Story()
    for queue in ("support", "sales"):
        story.member("QueueMemberAdded", 1, "Alice", queue)
    story.join(1)
    story.connect(10, "Alice", leg="1.2")
    story.translator.reconnected()
    told = list(story.events)
    rows = (member_row("Alice", InCall=1, Status=2), member_row("Alice", "sales", Status=2))
    story.status(100, *QUEUES, *rows)
    story.wait_until(200)

    assert story.events == told


def test_a_call_that_began_unheard_is_of_one_queue_and_ends_with_it() -> None:
    story = Story()
    story.status(100, *QUEUES, member_row("Alice", InCall=1), member_row("Alice", "sales"))
    story.complete(130, "Alice", talk_s=60, Uniqueid="1.1")

    assert story.words(AgentStateChanged) == [
        "agent.state in_contact Alice at 100",
        "agent.state available Alice at 130",
    ]


def test_an_agent_whose_call_began_unheard_is_in_contact_until_it_completes() -> None:
    story = Story()
    story.status(100, *QUEUES, member_row("Alice", InCall=1, Status=1))
    story.complete(130, "Alice", talk_s=60, Uniqueid="1.1")

    assert story.words(AgentStateChanged) == [
        "agent.state in_contact Alice at 100",
        "agent.state available Alice at 130",
    ]


def test_a_phone_that_is_idle_rings_no_more() -> None:
    story = Story()
    story.member("QueueMemberAdded", 1, "Alice")
    story.join(1)
    story.call(10, "Alice", leg="1.2")
    story.translator.reconnected()
    story.status(100, *QUEUES, member_row("Alice"), entry("1.1", 99))

    assert story.words(AgentStateChanged)[-1] == "agent.state available Alice at 100"


def test_a_restart_of_asterisk_ends_what_was_before_it() -> None:
    story = Story()
    story.join(60)
    story.join(61, "2.1")
    story.connect(62, "Alice", call="2.1", leg="2.2")
    story.translator.reconnected()
    story.events += story.translator.frame(frame("FullyBooted", Uptime=5), START_MS + 100_000)

    assert outcomes(story)[-1] == ("1.1/support/1", Outcome.UNKNOWN, True)
    assert len(story.words(ContactEnded)) == 2
    assert len(story.words(TalkEnded)) == 1


def test_a_reload_ends_nothing() -> None:
    story = Story()
    story.join(60)
    told = list(story.events)
    story.events += story.translator.frame(frame("FullyBooted", Uptime=86400), START_MS + 100_000)

    assert story.events == told


def test_half_a_snapshot_is_dropped_with_its_connection() -> None:
    story = Story()
    row = Frame(entry("1.1", 40).raw + "\nActionID: vigie-1")
    story.translator.frame(row, START_MS + 90_000)
    story.translator.reconnected()
    story.status(100, *QUEUES)
    story.wait_until(200)

    assert story.events == []
