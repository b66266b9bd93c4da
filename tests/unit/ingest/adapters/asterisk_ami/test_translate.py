"""What frames mean, case by case. The traps: SOURCES.md §2; the rules: SEMANTICS.md §1, §2."""

import pytest

from schemas.events import (
    AgentAccepted,
    AgentOfferEnded,
    AgentStateChanged,
    ContactCreated,
    ContactEnded,
    HoldEnd,
    HoldStart,
    QueueEntered,
    QueueLeft,
    TalkEnded,
    Transfer,
    WrapEnd,
    WrapStart,
)
from schemas.vocabulary import Channel, Direction, Outcome, Reason
from services.ingest.adapters.asterisk_ami.frames import Frame
from services.ingest.adapters.asterisk_ami.translate import NO_TIMESTAMP
from tests.doubles.ami_frames import PSEUDONYMS, START_MS, Story, frame, member

VISITS = (QueueEntered, QueueLeft, AgentAccepted)


def outcomes(story: Story) -> list[tuple[str | None, Outcome]]:
    return [(event.segment, event.outcome) for event in story.events if isinstance(event, QueueLeft)]


# --- entering and leaving ---


def test_a_join_begins_a_contact_and_a_visit() -> None:
    story = Story()
    story.join(1.25)
    created, entered = story.events

    assert isinstance(created, ContactCreated)
    assert (created.contact, created.channel, created.direction) == ("1.1", Channel.PHONE, Direction.INBOUND)
    assert created.customer == PSEUDONYMS.of("+33102030405")
    assert isinstance(entered, QueueEntered)
    assert (entered.segment, entered.queue, entered.site) == ("1.1/support/1", "support", "paris")
    assert (entered.source, entered.occurred_ms) == ("pbx1", START_MS + 1250)
    assert not entered.inferred


def test_two_systems_of_a_site_have_no_contact_in_common() -> None:
    stories = [Story(), Story(id="pbx2", system="annexe"), Story(id="pbx3", system="annexe")]
    for story in stories:
        story.join(1)
        story.call(2, "Alice", leg="1.2")
        story.connect(3, "Alice", leg="1.2")
        story.complete(9, "Alice", Uniqueid="1.1")
        story.hang_up(9.1, "1.2", linked="1.1")
        story.hang_up(9.2)

    ours, theirs, again = [
        [
            (event.id, getattr(event, "contact", None), getattr(event, "segment", None))
            for event in story.events
        ]
        for story in stories
    ]
    assert {contact for _, contact, _ in ours} == {"1.1", None}
    assert {contact for _, contact, _ in theirs} == {"annexe/1.1", None}
    assert {segment for _, _, segment in theirs} == {"annexe/1.1/support/1", None}
    assert theirs == again
    assert len(ours) == len(theirs)


@pytest.mark.parametrize("number", ["<unknown>", "", "anonymous"])
def test_a_withheld_number_is_no_customer(number: str) -> None:
    story = Story()
    story.join(1, CallerIDNum=number)

    assert isinstance(story.events[0], ContactCreated)
    assert story.events[0].customer is None


def test_their_queue_becomes_ours_and_the_segment_keeps_their_name() -> None:
    story = Story(map={"q-100": "support"})
    story.join(1, queue="q-100")

    assert isinstance(story.events[1], QueueEntered)
    assert (story.events[1].queue, story.events[1].segment) == ("support", "1.1/q-100/1")


def test_abandon_leave_hangup_is_an_abandon_at_leave() -> None:
    story = Story()
    story.join(1)
    story.abandon(6)
    story.leave(6.001)
    story.hang_up(6.002)

    assert story.words(QueueLeft, ContactEnded) == [
        "queue.left abandoned 1.1/support/1 at 6.001",
        "contact.ended at 6.002",
    ]


def test_a_caller_who_lives_on_a_second_after_abandon_and_leave_was_timed_out() -> None:
    story = Story()
    story.join(1)
    story.abandon(6)
    story.leave(6.001)

    assert story.wait_until(7.0) == []
    assert [str(event.__struct_config__.tag) for event in story.wait_until(7.001)] == ["queue.left"]
    assert story.words(QueueLeft) == ["queue.left timeout 1.1/support/1 at 6.001"]


def test_a_hangup_within_the_second_is_an_abandon_and_after_it_a_time_out() -> None:
    outcome = []
    for hangup_s in (6.999, 7.5):
        story = Story()
        story.join(1)
        story.abandon(6)
        story.leave(6)
        story.hang_up(hangup_s)
        outcome += [each for _, each in outcomes(story)]

    assert outcome == [Outcome.ABANDONED, Outcome.TIMEOUT]


def test_a_caller_who_hung_up_is_gone_however_long_the_dialplan_takes_to_end() -> None:
    story = Story()
    story.join(1)
    story.tell("HangupRequest", 5.9, Uniqueid="1.1", Linkedid="1.1")
    story.abandon(6)
    story.leave(6)
    story.hang_up(9)

    assert outcomes(story) == [("1.1/support/1", Outcome.ABANDONED)]


def test_leave_alone_and_living_on_is_an_exit_by_key() -> None:
    story = Story()
    story.join(1)
    story.leave(6)
    story.wait_until(7)

    assert story.words(QueueLeft) == ["queue.left key 1.1/support/1 at 6"]


def test_leave_waits_for_an_agent_who_hears_an_announcement() -> None:
    """The leg that answered is still up: Connect may come late."""
    story = Story()
    story.join(1)
    story.call(2, "Alice", leg="1.2")
    story.leave(6)
    story.wait_until(9)
    assert outcomes(story) == []

    story.connect(12, "Alice", leg="1.2")

    assert story.words(QueueLeft, AgentAccepted) == [
        "queue.left answered Alice 1.1/support/1 at 6",
        "agent.accepted Alice 1.1/support/1 at 12",
    ]


def test_leave_with_all_legs_gone_is_an_exit_by_key() -> None:
    story = Story()
    story.join(1)
    story.call(2, "Alice", leg="1.2")
    story.leave(6)
    story.hang_up(6.1, "1.2", linked="1.1")
    story.wait_until(8)

    assert outcomes(story) == [("1.1/support/1", Outcome.KEY)]


def test_two_queues_are_two_visits_and_the_first_was_left_alive() -> None:
    story = Story()
    story.join(1, queue="support")
    story.abandon(6, queue="support")
    story.leave(6, queue="support")
    story.join(6.2, queue="sales")
    story.hang_up(6.8)

    assert outcomes(story) == [("1.1/support/1", Outcome.TIMEOUT), ("1.1/sales/1", Outcome.UNKNOWN)]
    assert sum(isinstance(event, ContactCreated) for event in story.events) == 1


def test_the_same_queue_entered_again_is_another_visit() -> None:
    story = Story()
    story.join(1)
    story.leave(6)
    story.join(10)
    story.connect(15, "Alice", leg="1.2")

    assert outcomes(story) == [("1.1/support/1", Outcome.KEY), ("1.1/support/2", Outcome.ANSWERED)]


def test_who_comes_back_within_a_second_is_another_visit() -> None:
    story = Story()
    story.join(0.0)
    story.abandon(0.1)
    story.leave(0.1)
    story.join(0.6)
    story.connect(20, "Alice", leg="1.2")

    assert story.words(*VISITS) == [
        "queue.entered 1.1/support/1 at 0",
        "queue.left timeout 1.1/support/1 at 0.1",
        "queue.entered 1.1/support/2 at 0.6",
        "queue.left answered Alice 1.1/support/2 at 20",
        "agent.accepted Alice 1.1/support/2 at 20",
    ]


def test_who_comes_back_within_a_second_is_so_for_two_managers_too() -> None:
    """Their copies differ by 2 ms, and may come after what the other tells next."""
    story = Story()
    story.join(0.0)
    story.join(0.002)
    story.leave(0.1)
    story.join(0.6)
    story.leave(0.102)
    story.join(0.602)
    story.connect(20, "Alice", leg="1.2")
    story.connect(20.002, "Alice", leg="1.2")

    assert story.words(*VISITS) == [
        "queue.entered 1.1/support/1 at 0",
        "queue.left key 1.1/support/1 at 0.1",
        "queue.entered 1.1/support/2 at 0.6",
        "queue.left answered Alice 1.1/support/2 at 20",
        "agent.accepted Alice 1.1/support/2 at 20",
    ]


def test_a_join_told_again_behind_its_exit_is_no_other_visit() -> None:
    story = Story()
    story.join(0.0)
    story.leave(0.1)
    story.join(0.002)
    story.wait_until(2)

    assert story.words(QueueEntered) == ["queue.entered 1.1/support/1 at 0"]


def test_a_hangup_with_nothing_before_it_is_unknown() -> None:
    story = Story()
    story.join(1)
    story.hang_up(9)
    left = next(event for event in story.events if isinstance(event, QueueLeft))

    assert (left.outcome, left.inferred) == (Outcome.UNKNOWN, True)


# --- ringing ---


def test_ring_all_offers_each_and_the_losers_are_told() -> None:
    story = Story()
    story.join(1)
    for n, agent in enumerate(("Alice", "Bruno", "Chloe")):
        story.call(2, agent, leg=f"1.{n + 2}")
    story.no_answer(4, "Chloe", leg="1.4")
    story.hang_up(5.99, "1.3", linked="1.1")
    story.connect(6, "Alice", leg="1.2")

    assert story.words()[2:] == [
        "agent.offered Alice 1.1/support/1 at 2",
        "agent.state ringing Alice at 2",
        "agent.offered Bruno 1.1/support/1 at 2",
        "agent.state ringing Bruno at 2",
        "agent.offered Chloe 1.1/support/1 at 2",
        "agent.state ringing Chloe at 2",
        "agent.no_answer Chloe 1.1/support/1 at 4",
        "agent.state available Chloe at 4",
        "agent.state available Bruno at 5.99",
        "queue.left answered Alice 1.1/support/1 at 6",
        "agent.accepted Alice 1.1/support/1 at 6",
        "agent.offer_ended lost_race Bruno 1.1/support/1 at 5.99",
        "agent.state in_contact Alice at 6",
    ]


def test_an_abandon_while_ringing_ends_the_offer() -> None:
    story = Story()
    story.join(1)
    story.call(2, "Alice", leg="1.2")
    story.abandon(4)
    story.leave(4)
    story.hang_up(4.001)

    assert story.words(AgentOfferEnded, QueueLeft) == [
        "queue.left abandoned 1.1/support/1 at 4",
        "agent.offer_ended caller_left Alice 1.1/support/1 at 4",
    ]


def test_a_leg_that_ends_in_silence_is_a_cancelled_offer() -> None:
    story = Story()
    story.join(1)
    story.call(2, "Alice", leg="1.2")
    story.hang_up(4, "1.2", linked="1.1")
    story.wait_until(5)

    assert story.words(AgentOfferEnded) == ["agent.offer_ended cancelled Alice 1.1/support/1 at 4"]
    assert not [event for event in story.events if isinstance(event, ContactEnded)]


def test_an_agent_who_hangs_up_during_the_announcement_puts_the_caller_back() -> None:
    story = Story()
    story.join(1)
    story.call(2, "Alice", leg="1.2")
    story.tell("AgentDump", 4, Uniqueid="1.1", **{**member("Alice"), "DestUniqueid": "1.2"})
    story.call(6, "Bruno", leg="1.3")
    story.connect(8, "Bruno", leg="1.3")

    assert story.words(AgentOfferEnded) == ["agent.offer_ended cancelled Alice 1.1/support/1 at 4"]
    assert outcomes(story) == [("1.1/support/1", Outcome.ANSWERED)]


# --- talking and wrap-up ---


def answered(**settings: object) -> Story:
    story = Story(**settings)
    story.member("QueueMemberStatus", 0, "Alice")
    story.join(1)
    story.call(2, "Alice", leg="1.2")
    story.connect(4, "Alice", leg="1.2")
    return story


def test_wrap_up_runs_by_a_timer_of_its_queue() -> None:
    story = answered(wrap_up_s={"support": 3.0, "sales": 30.0})
    story.complete(14, "Alice", Uniqueid="1.1")
    story.wait_until(16.9)
    assert story.words(WrapEnd) == []
    story.wait_until(60)

    assert story.words(TalkEnded, WrapStart, WrapEnd) == [
        "talk.ended customer Alice 1.1/support/1 at 14",
        "wrap.start Alice 1.1/support/1 at 14",
        "wrap.end Alice 1.1/support/1 at 17",
    ]
    assert story.words(AgentStateChanged)[-2:] == [
        "agent.state wrap_up Alice at 14",
        "agent.state available Alice at 17",
    ]


def test_wrap_up_may_be_one_number_for_every_queue_or_the_members_own() -> None:
    by_number = answered(wrap_up_s=5.0)
    by_number.complete(14, "Alice")
    by_number.wait_until(60)
    own = answered()
    own.member("QueueMemberStatus", 5, "Alice", Wrapuptime=7)
    own.complete(14, "Alice")
    own.wait_until(60)

    assert by_number.words(WrapEnd) == ["wrap.end Alice 1.1/support/1 at 19"]
    assert own.words(WrapEnd) == ["wrap.end Alice 1.1/support/1 at 21"]


def test_without_wrap_up_the_agent_is_free_at_once() -> None:
    story = answered()
    story.complete(14, "Alice")

    assert story.words(WrapStart) == []
    assert story.words(AgentStateChanged)[-1] == "agent.state available Alice at 14"


def test_the_next_contact_ends_the_wrap_up() -> None:
    story = answered(wrap_up_s=30.0)
    story.complete(14, "Alice")
    story.join(15, "2.1", "sales")
    story.connect(20, "Alice", call="2.1", queue="sales", leg="2.2")
    story.wait_until(100)

    assert story.words(WrapEnd) == ["wrap.end Alice 1.1/support/1 at 20"]
    assert story.words(AgentStateChanged)[-1] == "agent.state in_contact Alice at 20"


@pytest.mark.parametrize("hangup_s", [13.9, 14.1])
def test_complete_without_any_channel_finds_the_members_open_call(hangup_s: float) -> None:
    story = answered()
    for at_s, what in sorted([(14.0, "complete"), (hangup_s, "hangup")]):
        if what == "complete":
            story.complete(at_s, "Alice")
        else:
            story.hang_up(at_s)

    assert story.words(TalkEnded) == ["talk.ended customer Alice 1.1/support/1 at 14"]


def test_complete_with_another_channel_after_a_transfer_finds_the_members_open_call() -> None:
    story = answered()
    story.complete(14, "Alice", Uniqueid="7.7")

    assert story.words(TalkEnded) == ["talk.ended customer Alice 1.1/support/1 at 14"]


def test_of_two_open_calls_the_one_that_lasted_so_long_is_complete() -> None:
    story = answered()
    story.join(5, "2.1")
    story.connect(24, "Alice", call="2.1", leg="2.2")
    story.complete(30, "Alice", talk_s=6)

    assert story.words(TalkEnded) == ["talk.ended customer Alice 2.1/support/1 at 30"]


def test_a_talk_that_nobody_ends_ended_with_its_contact() -> None:
    story = answered()
    story.hang_up(13, "1.2", linked="1.1")
    story.hang_up(14)
    story.wait_until(24)
    (ended,) = [event for event in story.events if isinstance(event, TalkEnded)]

    assert (ended.occurred_ms, ended.inferred) == (START_MS + 14_000, True)


def test_the_end_of_a_call_nobody_saw_begin_tells_all_of_it() -> None:
    story = Story()
    story.complete(30, "Alice", talk_s=20, Uniqueid="1.1")

    assert story.words(*VISITS, TalkEnded) == [
        "queue.entered 1.1/support/1 at 5",
        "queue.left answered Alice 1.1/support/1 at 10",
        "agent.accepted Alice 1.1/support/1 at 10",
        "talk.ended customer Alice 1.1/support/1 at 30",
    ]
    assert [event.inferred for event in story.events if isinstance(event, VISITS)] == [True] * 3


def test_hold_of_either_leg_belongs_to_the_talk() -> None:
    story = answered()
    story.tell("Hold", 6, Uniqueid="1.2", Linkedid="1.1")
    story.tell("Hold", 6.1, Uniqueid="1.2", Linkedid="1.1")
    story.tell("Unhold", 8, Uniqueid="1.9", Linkedid="1.1")
    story.tell("Hold", 9, Uniqueid="5.5", Linkedid="5.5")

    assert story.words(HoldStart, HoldEnd) == [
        "hold.start Alice 1.1/support/1 at 6",
        "hold.end Alice 1.1/support/1 at 8",
    ]


def test_transfers_that_succeed_are_told_with_the_queue_they_come_from() -> None:
    blind = answered()
    blind.tell("BlindTransfer", 9, TransfereeUniqueid="1.1", TransfererUniqueid="1.2", Result="Success")
    attended = answered()
    attended.tell("AttendedTransfer", 9, OrigTransfererUniqueid="1.2", Result="Success")
    failed = answered()
    failed.tell("BlindTransfer", 9, TransfereeUniqueid="1.1", Result="Fail")

    assert blind.words(Transfer) == ["transfer blind at 9"]
    assert attended.words(Transfer) == ["transfer attended at 9"]
    assert failed.words(Transfer) == []
    assert [e.from_queue for e in blind.events if isinstance(e, Transfer)] == ["support"]


def test_the_contact_ends_with_the_last_channel_of_its_linkedid() -> None:
    """A Local channel that was optimised away hangs up while its caller talks on."""
    story = Story()
    story.tell("Newchannel", 0, Uniqueid="1.0", Linkedid="1.0")
    story.join(1, "1.1", Linkedid="1.0")
    legs = {"Uniqueid": "1.1", "Linkedid": "1.0", "DestUniqueid": "1.2", "DestLinkedid": "1.0"}
    story.tell("AgentCalled", 2, **legs, **member("Alice"))
    story.tell("AgentConnect", 4, **legs, **member("Alice"))
    story.hang_up(5, "1.1", linked="1.0")
    story.hang_up(9, "1.2", linked="1.0")
    assert story.words(ContactEnded) == []
    story.hang_up(9.5, "1.0", linked="1.0")

    assert story.words(ContactEnded) == ["contact.ended at 9.5"]


# --- agents ---


def test_a_pause_in_every_queue_is_a_pause_and_keeps_its_reason() -> None:
    story = Story()
    for queue in ("support", "sales"):
        story.member("QueueMemberAdded", 1, "Alice", queue)
    story.member("QueueMemberPause", 5, "Alice", "support", Paused=1, PausedReason="Lunch")
    story.member("QueueMemberPause", 5.001, "Alice", "sales", Paused=1, PausedReason="Lunch")
    story.member("QueueMemberStatus", 6, "Alice", "sales", Paused=1, Status=1)
    story.member("QueueMemberStatus", 6, "Alice", "support", Paused=1, Status=2)
    story.member("QueueMemberPause", 9, "Alice", "support", Paused=0, Status=1)

    assert story.words(AgentStateChanged)[-2:] == [
        "agent.state paused Lunch Alice at 5.001",
        "agent.state available Alice at 9",
    ]
    assert len(story.words(AgentStateChanged)) == 4


@pytest.mark.parametrize(
    ("status", "state"),
    [
        *((0, "available"), (1, "available"), (2, "in_contact"), (3, "in_contact"), (4, "unreachable")),
        *((5, "unreachable"), (6, "ringing"), (7, "in_contact"), (8, "in_contact")),
    ],
)
def test_a_phone_beside_the_queue_says_what_the_agent_does(status: int, state: str) -> None:
    story = Story()
    story.member("QueueMemberStatus", 1, "Alice", Status=status)

    assert story.words() == [f"agent.state {state} Alice at 1"]


def test_a_local_phone_that_says_in_use_while_it_rings_is_ringing() -> None:
    story = Story()
    story.member("QueueMemberStatus", 0, "Alice")
    story.join(1)
    story.call(2, "Alice", leg="1.2")
    story.member("QueueMemberStatus", 2.1, "Alice", Status=2)
    story.no_answer(10, "Alice", leg="1.2")
    story.member("QueueMemberStatus", 10.1, "Alice", Status=1)

    assert story.words(AgentStateChanged) == [
        "agent.state available Alice at 0",
        "agent.state ringing Alice at 2",
        "agent.state available Alice at 10",
    ]


def test_queues_are_the_whole_set_and_an_agent_of_none_is_offline() -> None:
    story = Story(map={"sales": "ventes"})
    story.member("QueueMemberAdded", 1, "Alice", "support")
    story.member("QueueMemberAdded", 2, "Alice", "sales")
    story.member("QueueMemberRemoved", 3, "Alice", "support")
    story.member("QueueMemberRemoved", 4, "Alice", "sales")
    said = [(e.state, e.queues) for e in story.events if isinstance(e, AgentStateChanged)]

    assert said == [
        ("available", ("support",)),
        ("available", ("support", "ventes")),
        ("available", ("ventes",)),
        ("offline", ()),
    ]


def test_an_agent_pool_member_logs_off_and_in() -> None:
    story = Story()
    story.tell("QueueMemberAdded", 1, **{**member("Alice"), "Interface": "Agent/1005", "Status": 5})
    story.tell("AgentLogoff", 2, Agent="1005", Logintime=60)
    story.tell("AgentLogin", 3, Agent="1005", Channel="PJSIP/1005-1")
    story.tell("QueueMemberStatus", 3, **{**member("Alice"), "Interface": "Agent/1005", "Status": 1})

    assert story.words() == [
        "agent.state unreachable Alice at 1",
        "agent.state offline Alice at 2",
        "agent.state unreachable Alice at 3",
        "agent.state available Alice at 3",
    ]


def test_two_states_of_one_millisecond_keep_their_order_by_id() -> None:
    story = Story()
    story.member("QueueMemberStatus", 1.0001, "Alice", Status=2)
    story.member("QueueMemberStatus", 1.0009, "Alice", Status=1)
    first, second = story.events

    assert first.occurred_ms == second.occurred_ms
    assert first.id < second.id


# --- old names, repeats, clocks ---


def test_names_from_before_asterisk_12_are_understood() -> None:
    story = Story()
    story.tell("Join", 1, Uniqueid="1.1", Queue="support", CallerIDNum="100")
    story.tell("Leave", 6, Uniqueid="1.1", Queue="support")
    old = {"Queue": "support", "Member": "SIP/1", "MemberName": "Alice", "Holdtime": 5}
    story.tell("AgentConnect", 6, Uniqueid="1.1", **old)
    story.tell("QueueMemberPaused", 7, Queue="support", Location="SIP/2", MemberName="Bruno", Paused=1)

    assert outcomes(story) == [("1.1/support/1", Outcome.ANSWERED)]
    assert story.words(AgentStateChanged)[-1] == "agent.state paused Bruno at 7"


def test_a_frame_told_twice_changes_nothing() -> None:
    once, twice = Story(), Story()
    for story, times in ((once, 1), (twice, 2)):
        for _ in range(times):
            story.join(1)
        for _ in range(times):
            story.call(2, "Alice", leg="1.2")
        for _ in range(times):
            story.connect(4, "Alice", leg="1.2")
        for _ in range(times):
            story.complete(14, "Alice")
        for _ in range(times):
            story.hang_up(15)

    assert twice.events == once.events


def test_the_same_pause_later_is_another_fact() -> None:
    story = Story()
    for at_s, paused in ((1, 0), (2, 1), (3, 0), (4, 1)):
        story.member("QueueMemberPause", at_s, "Alice", Paused=paused, PausedReason="Tea" if paused else "")

    assert len({event.id for event in story.events}) == 4


def test_events_without_a_timestamp_are_refused_with_what_to_do() -> None:
    story = Story()
    story.tell("QueueCallerJoin", None, Uniqueid="1.1", Queue="support")
    fault = story.translator.fault

    assert story.events == []
    assert fault == NO_TIMESTAMP
    assert "timestampevents = yes" in fault
    assert story.translator.take_rest().dropped == {Reason.INVALID: 1}

    story.join(5)
    assert story.translator.fault is None


@pytest.mark.parametrize("stamp", ["nan", "1e308.5", "1795321200", "-1.5", "1795321200.", "9" * 40 + ".1"])
def test_a_timestamp_that_is_none_is_as_none(stamp: str) -> None:
    story = Story()
    said = story.translator.frame(
        Frame(f"Event: QueueCallerJoin\nTimestamp: {stamp}\nUniqueid: 1.1\nQueue: support"), START_MS
    )

    assert said == []
    assert story.translator.fault == NO_TIMESTAMP


@pytest.mark.parametrize(
    ("event", "headers"),
    [
        ("QueueCallerJoin", {"Queue": "support"}),
        ("QueueCallerJoin", {"Uniqueid": "1.1"}),
        ("AgentCalled", {"Uniqueid": "1.1", "Queue": "support"}),
        ("AgentConnect", {"Queue": "support", "MemberName": "Alice"}),
        ("AgentComplete", {"Queue": "support"}),
        ("QueueMemberStatus", {"Queue": "support"}),
        ("Hangup", {"Linkedid": "1.1"}),
    ],
)
def test_a_known_event_that_names_too_little_is_refused(event: str, headers: dict[str, object]) -> None:
    story = Story()
    story.tell(event, 1, **headers)
    (refused,) = story.translator.take_rest().spoiled

    assert story.events == []
    assert refused.detail.startswith(event)
    assert refused.size > 0


def test_unknown_events_are_counted_and_dropped() -> None:
    story = Story()
    story.tell("VarSet", 1, Variable="a")
    story.tell("SomethingNew", 1, Queue="support")

    assert story.translator.take_rest().unknown == {"SomethingNew": 1}


def test_names_that_may_not_travel_are_made_fit() -> None:
    story = Story()
    story.join(1, "1.1", "a\x07b")
    story.join(2, "1.2", "x" * 300)
    story.join(3, "1.3", "x" * 299 + "y")
    queues = [event.queue for event in story.events if isinstance(event, QueueEntered)]

    assert queues[0] == "a\ufffdb"
    assert [len(queue) for queue in queues[1:]] == [256, 256]
    assert queues[1] != queues[2]
    assert all(len(event.id) <= 256 for event in story.events)


def test_timers_run_on_the_clock_of_the_source() -> None:
    """An Asterisk whose clock is an hour behind ends its wrap-ups on time."""
    story = answered(wrap_up_s=3.0)
    hour_ms = 3_600_000
    late = START_MS + 14_000 + hour_ms
    ended = frame("AgentComplete", 14, **{**member("Alice"), "TalkTime": 10})
    story.events += story.translator.frame(ended, late)
    next_ms = story.translator.next_due_ms()

    assert next_ms == late + 3_000
    assert story.translator.due(next_ms - 1) == []
    (end, _) = story.translator.due(next_ms)
    assert end.occurred_ms == START_MS + 17_000


def test_a_clock_that_is_set_back_does_not_stop_the_source() -> None:
    story = answered(wrap_up_s=3.0)
    story.complete(14, "Alice")
    story.join(-3600, "2.1")
    story.connect(-3590, "Alice", call="2.1", leg="2.2")

    assert ("2.1/support/1", Outcome.ANSWERED) in outcomes(story)
