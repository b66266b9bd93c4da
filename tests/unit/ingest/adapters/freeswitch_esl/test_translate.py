"""Whole stories, as mod_callcenter tells them: what is said of each."""

import pytest

from schemas.events import (
    AgentAccepted,
    AgentNoAnswer,
    AgentOffered,
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
from schemas.vocabulary import AgentState
from services.ingest.adapters.freeswitch_esl.wire import Event
from tests.doubles.callcenter import CallCenter
from tests.doubles.esl_story import PSEUDONYMS, Story, event

OFFERS = (AgentOffered, AgentNoAnswer, AgentOfferEnded, AgentAccepted)


def story(**settings: object) -> tuple[Story, CallCenter]:
    """A centre with two agents in support, and a third in sales; all of it known."""
    told = Story(CallCenter(), **settings)
    told.pbx.agent("Alice", "support", wrap_up_s=10)
    told.pbx.agent("Bruno", "support")
    told.pbx.agent("Chloe", "sales")
    told.look(0)
    told.events.clear()
    return told, told.pbx


# --- answered ---


def test_an_answered_call_with_hold_and_wrap_up() -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(2).offer(member, "Alice")
    pbx.at(5).answer(member, "Alice")
    pbx.at(8).hold(pbx.leg(member, "Alice"))
    pbx.at(11).hold(pbx.leg(member, "Alice"), is_start=False)
    pbx.at(20).hang_up("c1")
    pbx.at(20.1).hang_up_agent(member, "Alice", how="send_bye")
    told.wait_until(40)

    assert told.words() == [
        "contact.created at 1",
        "queue.entered c1/support/m-c1 at 1",
        "agent.state ringing Alice at 2",
        "agent.offered Alice c1/support/m-c1 at 2",
        "queue.left answered Alice c1/support/m-c1 at 5",
        "agent.accepted Alice c1/support/m-c1 at 5",
        "agent.state in_contact Alice at 5",
        "hold.start Alice c1/support/m-c1 at 8",
        "hold.end Alice c1/support/m-c1 at 11",
        "contact.ended at 20",
        "talk.ended customer Alice c1/support/m-c1 at 20.1",
        "wrap.start Alice c1/support/m-c1 at 20.1",
        "agent.state wrap_up Alice at 20.1",
        "wrap.end Alice c1/support/m-c1 at 30.1",
        "agent.state available Alice at 30.1",
    ]


def test_the_caller_is_a_pseudonym_and_nothing_else_of_him_is_told() -> None:
    told, pbx = story()
    pbx.at(1).enter("c1", number="+33611223344")
    [created] = [each for each in told.events if isinstance(each, ContactCreated)]

    assert created.customer == PSEUDONYMS.of("+33611223344")
    assert not any(word in str(told.events) for word in ("+336", "Zoe"))


@pytest.mark.parametrize("number", ["unknown", "anonymous", " ", "0000000000"])
def test_a_number_that_is_not_shown_is_nobody(number: str) -> None:
    told, pbx = story()
    pbx.at(1).enter("c1", number=number)
    [created] = [each for each in told.events if isinstance(each, ContactCreated)]

    assert created.customer is None


@pytest.mark.parametrize(
    ("settings", "wrapped_s"),
    [
        ({}, 10),
        ({"wrap_up_s": 4}, 4),
        ({"wrap_up_s": {"support": 6}}, 6),
        ({"wrap_up_s": {"sales": 6}}, None),
        ({"wrap_up_s": 0}, None),
    ],
)
def test_wrap_up_is_as_set_here_else_as_the_agent_has_it(
    settings: dict[str, object], wrapped_s: int | None
) -> None:
    told, pbx = story(**settings)
    member = pbx.at(1).enter("c1")
    pbx.at(2).offer(member, "Alice")
    pbx.at(3).answer(member, "Alice")
    pbx.at(10).hang_up_agent(member, "Alice")
    told.wait_until(60)
    ends = [(each.occurred_ms // 1000) % 100 for each in told.events if isinstance(each, WrapEnd)]

    assert ends == ([(10 + wrapped_s) % 100] if wrapped_s is not None else [])
    assert len(told.words(WrapStart)) == len(ends)


def test_a_wrap_up_ends_with_the_next_call() -> None:
    told, pbx = story()
    for name, at_s in (("c1", 1.0), ("c2", 12.0)):
        member = pbx.at(at_s).enter(name)
        pbx.at(at_s + 1).offer(member, "Alice")
        pbx.at(at_s + 2).answer(member, "Alice")
        pbx.at(at_s + 5).hang_up_agent(member, "Alice")
    told.wait_until(60)

    assert told.words(WrapEnd) == [
        "wrap.end Alice c1/support/m-c1 at 14",
        "wrap.end Alice c2/support/m-c2 at 27",
    ]


@pytest.mark.parametrize(
    ("how", "moved", "first", "by"),
    [
        ("recv_bye", "", False, "agent"),
        ("send_bye", "", True, "customer"),
        ("send_bye", "", False, None),
        ("recv_bye", "BLIND_TRANSFER", False, "transfer"),
        ("send_bye", "ATTENDED_TRANSFER", False, "transfer"),
    ],
)
def test_who_ended_the_talk_is_told_where_it_is_known(
    how: str, moved: str, first: bool, by: str | None
) -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(2).offer(member, "Bruno")
    pbx.at(3).answer(member, "Bruno")
    if first:
        pbx.at(9).hang_up("c1")
    pbx.at(9.1).hang_up_agent(member, "Bruno", how=how, moved=moved)
    [ended] = [each for each in told.events if isinstance(each, TalkEnded)]

    assert ended.by == by


def test_a_transfer_by_the_agent_ends_his_talk_and_not_the_contact() -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(2).offer(member, "Bruno")
    pbx.at(3).answer(member, "Bruno")
    pbx.at(9).hang_up_agent(member, "Bruno", moved="BLIND_TRANSFER")
    pbx.at(60).hang_up("c1")

    assert told.words(Transfer, TalkEnded, ContactEnded) == [
        "transfer blind at 9",
        "talk.ended transfer Bruno c1/support/m-c1 at 9",
        "contact.ended at 60",
    ]


def test_a_caller_who_is_transferred_to_another_queue_is_another_visit_of_the_same_contact() -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(2).offer(member, "Bruno")
    pbx.at(3).answer(member, "Bruno")
    pbx.at(9).hang_up_agent(member, "Bruno", moved="BLIND_TRANSFER")
    again = pbx.at(10).enter("c1", "sales")

    assert told.words(QueueEntered, ContactCreated) == [
        "contact.created at 1",
        "queue.entered c1/support/m-c1 at 1",
        f"queue.entered c1/sales/{again.uuid} at 10",
    ]


def test_the_agent_s_phone_or_the_caller_s_channel_may_hold() -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(2).offer(member, "Bruno")
    pbx.at(3).answer(member, "Bruno")
    leg = pbx.leg(member, "Bruno")
    for at_s, channel, is_start in ((4, leg, True), (5, "c1", True), (6, leg, False), (7, "c1", False)):
        pbx.at(at_s).hold(channel, is_start=is_start)
    pbx.at(8).hold("somebody else")

    assert told.words(HoldStart, HoldEnd) == [
        "hold.start Bruno c1/support/m-c1 at 4",
        "hold.end Bruno c1/support/m-c1 at 7",
    ]


def test_a_hold_ends_with_the_talk() -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(2).offer(member, "Bruno")
    pbx.at(3).answer(member, "Bruno")
    pbx.at(4).hold(pbx.leg(member, "Bruno"))
    pbx.at(9).hang_up_agent(member, "Bruno")

    assert told.words(HoldEnd, TalkEnded) == [
        "hold.end Bruno c1/support/m-c1 at 9",
        "talk.ended agent Bruno c1/support/m-c1 at 9",
    ]


# --- an answer that is not bridged ---


def test_an_answer_counts_once_the_caller_is_bridged() -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(2).offer(member, "Bruno")
    pbx.at(3).pick_up(member, "Bruno")
    assert told.words(AgentAccepted) == []
    pbx.at(3.5).bridge(member, "Bruno")

    assert told.words(AgentAccepted) == ["agent.accepted Bruno c1/support/m-c1 at 3"]


def test_an_announcement_to_the_agent_does_not_hold_the_answer_for_ever() -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(2).offer(member, "Bruno")
    pbx.at(3).pick_up(member, "Bruno")
    told.wait_until(8)

    assert told.words(AgentAccepted) == ["agent.accepted Bruno c1/support/m-c1 at 3"]


def test_a_caller_whose_agent_was_gone_before_the_bridge_waits_on() -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(2).offer(member, "Alice")
    pbx.at(3).pick_up(member, "Alice")
    pbx.at(4).fall_through(member, "Alice")
    told.wait_until(9)
    pbx.at(10).offer(member, "Bruno")
    pbx.at(12).answer(member, "Bruno")

    assert told.words(QueueLeft, QueueEntered, *OFFERS) == [
        "queue.entered c1/support/m-c1 at 1",
        "agent.offered Alice c1/support/m-c1 at 2",
        "agent.offer_ended cancelled Alice c1/support/m-c1 at 4",
        "agent.offered Bruno c1/support/m-c1 at 10",
        "queue.left answered Bruno c1/support/m-c1 at 12",
        "agent.accepted Bruno c1/support/m-c1 at 12",
    ]


def test_one_that_fails_after_it_was_told_is_another_visit_once_it_is_offered_again() -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(2).offer(member, "Alice")
    pbx.at(3).pick_up(member, "Alice")
    told.wait_until(8)
    pbx.at(9).fall_through(member, "Alice")
    pbx.at(10).offer(member, "Bruno")
    pbx.at(12).answer(member, "Bruno")

    assert told.words(QueueLeft, QueueEntered, TalkEnded, WrapStart) == [
        "queue.entered c1/support/m-c1 at 1",
        "queue.left answered Alice c1/support/m-c1 at 3",
        "talk.ended Alice c1/support/m-c1 at 9",
        "queue.entered c1/support/m-c1~2 at 9 inferred",
        "queue.left answered Bruno c1/support/m-c1~2 at 12",
    ]


def test_one_that_waits_again_is_shown_also_while_nobody_is_free_for_it() -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(2).offer(member, "Alice")
    pbx.at(3).pick_up(member, "Alice")
    told.wait_until(8)
    pbx.at(9).fall_through(member, "Alice")
    told.wait_until(11)
    pbx.at(30).cancel(member, "TIMEOUT")

    assert told.words(QueueEntered, QueueLeft)[2:] == [
        "queue.entered c1/support/m-c1~2 at 9 inferred",
        "queue.left timeout c1/support/m-c1~2 at 30",
    ]


def test_who_hangs_up_before_the_bridge_has_abandoned() -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(2).offer(member, "Alice")
    pbx.at(3).pick_up(member, "Alice")
    pbx.at(3.2).cancel(member, "NONE", is_hung_up=True)
    pbx.at(3.3).hang_up("c1")
    pbx.at(3.4).fall_through(member, "Alice")
    told.wait_until(20)

    assert told.words(QueueLeft, AgentAccepted, AgentOfferEnded) == [
        "queue.left abandoned c1/support/m-c1 at 3.2",
        "agent.offer_ended caller_left Alice c1/support/m-c1 at 3.4",
    ]


# --- ringing ---


def test_ring_all_with_lost_races() -> None:
    """Chloe answers second, and nothing is said of it but her state."""
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    for agent in ("Alice", "Bruno", "Chloe"):
        pbx.at(2).offer(member, agent, is_all=True)
    pbx.at(5).pick_up(member, "Alice")
    pbx.at(5.01).fail(member, "Bruno", "LOSE_RACE")
    pbx.at(5.02).lose_race("Chloe")
    pbx.at(5.1).bridge(member, "Alice")
    told.wait_until(20)

    assert told.words(*OFFERS) == [
        "agent.offered Alice c1/support/m-c1 at 2",
        "agent.offered Bruno c1/support/m-c1 at 2",
        "agent.offered Chloe c1/support/m-c1 at 2",
        "agent.offer_ended lost_race Bruno c1/support/m-c1 at 5",
        "agent.accepted Alice c1/support/m-c1 at 5",
        "agent.offer_ended lost_race Chloe c1/support/m-c1 at 5 inferred",
    ]


def test_no_answer_then_on_break_for_too_many_of_them() -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(2).offer(member, "Alice")
    pbx.at(12).fail(member, "Alice", "NO_ANSWER")
    pbx.at(13).offer(member, "Alice")
    pbx.at(23).fail(member, "Alice", "NO_ANSWER", count=2)
    told.wait_until(40)

    assert told.words(AgentStateChanged, *OFFERS) == [
        "agent.state ringing Alice at 2",
        "agent.offered Alice c1/support/m-c1 at 2",
        "agent.no_answer Alice c1/support/m-c1 at 12",
        "agent.state available Alice at 12",
        "agent.state ringing Alice at 13",
        "agent.offered Alice c1/support/m-c1 at 13",
        "agent.no_answer Alice c1/support/m-c1 at 23",
        "agent.state paused Alice at 23",
    ]


@pytest.mark.parametrize("cause", ["USER_BUSY", "CALL_REJECTED", "USER_NOT_REGISTERED", "NONE", ""])
def test_any_other_cause_is_no_answer(cause: str) -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(2).offer(member, "Alice")
    pbx.at(3).fail(member, "Alice", cause)

    assert told.words(AgentNoAnswer, AgentOfferEnded) == ["agent.no_answer Alice c1/support/m-c1 at 3"]


@pytest.mark.parametrize("first", ["fail", "end"])
@pytest.mark.parametrize(
    ("reason", "is_hung_up", "why"),
    [("BREAK_OUT", True, "caller_left"), ("BREAK_OUT", False, "cancelled"), ("TIMEOUT", False, "cancelled")],
)
def test_a_cancelled_offer_has_the_reason_of_its_visit_s_end(
    reason: str, is_hung_up: bool, why: str, first: str
) -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(2).offer(member, "Alice")
    if first == "fail":
        pbx.at(5).fail(member, "Alice", "ORIGINATOR_CANCEL")
        member.session = "c1"
    pbx.at(5.05).cancel(member, reason, is_hung_up=is_hung_up)
    if first == "end":
        member.session = "c1"
        pbx.at(5.1).fail(member, "Alice", "ORIGINATOR_CANCEL")
    told.wait_until(20)
    [ended] = [each for each in told.events if isinstance(each, AgentOfferEnded)]

    assert (ended.reason, ended.inferred) == (why, False)


def test_an_agent_who_logs_out_while_he_rings_cancels_the_offer() -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(2).offer(member, "Alice")
    pbx.at(4).status("Alice", "Logged Out")
    pbx.at(4.1).fail(member, "Alice", "ORIGINATOR_CANCEL")
    told.wait_until(10)

    assert told.words(AgentOfferEnded, AgentStateChanged, QueueLeft) == [
        "agent.state ringing Alice at 2",
        "agent.state offline Alice at 4",
        "agent.offer_ended cancelled Alice c1/support/m-c1 at 4.1",
    ]


def test_an_offer_may_come_before_its_visit() -> None:
    """signalwire/freeswitch, pull request 1373."""
    told, pbx = story()
    told.is_deaf = True
    heard: list[dict[str, str]] = []
    pbx.listeners.append(heard.append)
    member = pbx.at(1).enter("c1")
    pbx.at(2).offer(member, "Alice")
    start, _, state, offering = heard
    for headers in (state, offering, start):
        told.tell(headers)

    assert told.words(QueueEntered, AgentOffered) == [
        "agent.offered Alice c1/support/m-c1 at 2",
        "queue.entered c1/support/m-c1 at 1",
    ]


def test_a_failure_whose_offer_was_missed_is_told() -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(12).fail(member, "Alice", "NO_ANSWER")

    assert told.words(AgentNoAnswer) == ["agent.no_answer Alice c1/support/m-c1 at 12"]


# --- leaving ---


@pytest.mark.parametrize(
    ("reason", "outcome"), [("TIMEOUT", "timeout"), ("NO_AGENT_TIMEOUT", "empty"), ("EXIT_WITH_KEY", "key")]
)
def test_how_a_member_leaves_is_as_mod_callcenter_says(reason: str, outcome: str) -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(30).cancel(member, reason)
    pbx.at(31).hang_up("c1")

    assert told.words(QueueLeft, ContactEnded) == [
        f"queue.left {outcome} c1/support/m-c1 at 30",
        "contact.ended at 31",
    ]


@pytest.mark.parametrize("is_hung_up", [True, False])
@pytest.mark.parametrize("reason", ["BREAK_OUT", "NONE"])
def test_break_out_of_a_channel_that_hangs_up_is_an_abandon(reason: str, is_hung_up: bool) -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(9).cancel(member, reason, is_hung_up=is_hung_up)
    assert bool(told.words(QueueLeft)) is is_hung_up
    pbx.at(9.8).hang_up("c1")
    told.wait_until(30)

    assert told.words(QueueLeft) == ["queue.left abandoned c1/support/m-c1 at 9"]


def test_break_out_of_a_channel_that_lives_on_is_a_withdrawal() -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(9).cancel(member)
    told.wait_until(9.9)
    assert told.words(QueueLeft) == []
    told.wait_until(10.1)
    pbx.at(50).hang_up("c1")

    assert told.words(QueueLeft, ContactEnded) == [
        "queue.left withdrawn c1/support/m-c1 at 9",
        "contact.ended at 50",
    ]


def test_who_is_moved_to_another_queue_flows_out_of_the_first() -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(9).cancel(member)
    again = pbx.at(9.5).enter("c1", "sales")
    told.wait_until(20)

    assert told.words(QueueLeft, QueueEntered, ContactCreated) == [
        "contact.created at 1",
        "queue.entered c1/support/m-c1 at 1",
        "queue.left transferred c1/support/m-c1 at 9",
        f"queue.entered c1/sales/{again.uuid} at 9.5",
    ]


def test_who_hung_up_and_calls_again_has_his_place_and_is_another_contact() -> None:
    told, pbx = story()
    pbx.abandon(pbx.at(1).enter("c1"))
    member = pbx.at(20).enter("c2", member="m-c1")
    pbx.at(25).offer(member, "Alice")
    pbx.at(30).answer(member, "Alice")

    assert told.words(QueueEntered, QueueLeft) == [
        "queue.entered c1/support/m-c1 at 1",
        "queue.left abandoned c1/support/m-c1 at 1",
        "queue.entered c2/support/m-c1 at 20",
        "queue.left answered Alice c2/support/m-c1 at 30",
    ]


def test_the_same_channel_that_takes_its_place_again_is_another_visit() -> None:
    told, pbx = story()
    member = pbx.at(1).enter("c1")
    pbx.at(9).cancel(member, "EXIT_WITH_KEY")
    pbx.at(20).enter("c1", member="m-c1")

    assert told.words(QueueEntered) == [
        "queue.entered c1/support/m-c1 at 1",
        "queue.entered c1/support/m-c1~2 at 20",
    ]


def test_a_hang_up_of_a_member_nobody_said_had_left_is_unknown() -> None:
    told, pbx = story()
    pbx.at(1).enter("c1")
    pbx.at(9).hang_up("c1")
    told.wait_until(20)

    assert told.words(QueueLeft) == ["queue.left unknown c1/support/m-c1 at 9 inferred"]


def test_the_contact_s_end_is_when_its_channel_hung_up_not_when_its_hooks_were_done() -> None:
    told, pbx = story()
    pbx.at(1).enter("c1")
    headers = {"Event-Name": "CHANNEL_HANGUP_COMPLETE", "Event-Date-Timestamp": str(pbx.at(12).us)}
    told.tell({**headers, "Unique-ID": "c1", "Caller-Channel-Hangup-Time": str(pbx.at(9).us)})

    assert told.words(ContactEnded) == ["contact.ended at 9"]


# --- agents ---


@pytest.mark.parametrize(
    ("status", "state", "said"),
    [
        ("Available", "Waiting", "available"),
        ("Available (On Demand)", "Waiting", "available"),
        ("Available (On Demand)", "Idle", "paused Idle"),
        ("Available", "Receiving", "ringing"),
        ("Available", "Reserved", "ringing"),
        ("On Break", "Waiting", "paused"),
        ("On Break", "In a queue call", "in_contact"),
        ("Logged Out", "Waiting", "offline"),
        ("Logged Out", "In a queue call", "in_contact"),
        ("Logged Out", "Receiving", "offline"),
    ],
)
def test_what_an_agent_does_goes_before_what_he_wants(status: str, state: str, said: str) -> None:
    told = Story()
    told.pbx.agent("Alice", "support", status="Unknown")
    told.pbx.at(1).status("Alice", status)
    told.events.clear()
    told.translator = Story().translator
    told.pbx.at(2).status("Alice", status)
    told.pbx.at(3).state("Alice", state)

    assert told.words(AgentStateChanged)[-1].startswith(f"agent.state {said} Alice")


def test_words_may_be_given_another_meaning() -> None:
    told = Story(states={"On Break": AgentState.UNREACHABLE, "Idle": AgentState.AVAILABLE})
    told.pbx.agent("Alice", "support")
    told.pbx.at(1).status("Alice", "On Break")
    told.pbx.at(2).status("Alice", "Available (On Demand)")
    told.pbx.at(3).state("Alice", "Idle")

    assert told.words(AgentStateChanged) == [
        "agent.state unreachable Alice at 1",
        "agent.state available Alice at 2",
        "agent.state available Idle Alice at 3",
    ]


def test_an_agent_of_whom_only_contacts_tell_has_no_states_of_his_own() -> None:
    told = Story(wrap_up_s=5)
    told.pbx.agent("Alice", "support")
    member = told.pbx.at(1).enter("c1")
    told.pbx.at(2).pick_up(member, "Alice")
    told.wait_until(10)

    assert told.words(AgentAccepted) == ["agent.accepted Alice c1/support/m-c1 at 2"]
    assert told.words(AgentStateChanged) == []


# --- names, repeats, restarts, counts ---


def test_names_are_mapped_and_contacts_carry_their_system() -> None:
    told = Story(map={"support@default": "support"}, agents={"1000@default": "Alice"}, system="fs-a")
    told.pbx.agent("1000@default", "support@default")
    told.look(0)
    told.pbx.at(1).enter("c1", "support@default")
    [entered] = [each for each in told.events if isinstance(each, QueueEntered)]
    [state] = [each for each in told.events if isinstance(each, AgentStateChanged)]

    assert (entered.queue, entered.contact) == ("support", "fs-a/c1")
    assert (state.agent, state.queues) == ("Alice", ("support",))


def test_events_that_come_twice_are_dropped() -> None:
    told, pbx = story()
    heard: list[dict[str, str]] = []
    pbx.listeners.append(heard.append)
    member = pbx.at(1).enter("c1")
    pbx.at(2).offer(member, "Alice")
    pbx.at(5).answer(member, "Alice")
    said = len(told.events)
    for headers in heard:
        told.tell(headers)
    for headers in heard:  # without a number of its own
        told.tell({key: value for key, value in headers.items() if key != "Event-Sequence"})

    assert [e.id for e in told.events[said:] if not isinstance(e, AgentStateChanged)] == []


def test_another_core_means_that_whatever_was_in_hand_is_over() -> None:
    told, pbx = story()
    waiting = pbx.at(1).enter("c1")
    talking = pbx.at(2).enter("c2")
    pbx.at(3).offer(talking, "Alice")
    pbx.at(4).answer(talking, "Alice")
    told.events.clear()
    pbx.at(20).crash()
    pbx.at(30).enter("c3")

    assert waiting.state == "Abandoned"
    assert told.words(QueueLeft, TalkEnded, ContactEnded, QueueEntered, WrapStart) == [
        "queue.left unknown c1/support/m-c1 at 30 inferred",
        "contact.ended at 30 inferred",
        "talk.ended Alice c2/support/m-c2 at 30 inferred",
        "contact.ended at 30 inferred",
        "queue.entered c3/support/m-c3 at 30",
    ]


def test_a_count_that_differs_and_stays_so_asks_for_a_snapshot() -> None:
    told, pbx = story()
    told.is_deaf = True
    pbx.at(1).enter("c1")
    told.is_deaf = False
    pbx.at(2).enter("c2")
    wanted = [told.translator.wants_snapshot]
    told.wait_until(10)
    wanted.append(told.translator.wants_snapshot)
    told.reconnect(11)
    wanted.append(told.translator.wants_snapshot)

    assert wanted == [False, True, False]
    assert told.words(QueueEntered) == [
        "queue.entered c2/support/m-c2 at 2",
        "queue.entered c1/support/m-c1 at 1 inferred",
    ]


def test_counts_that_agree_ask_for_nothing() -> None:
    told, pbx = story()
    first = pbx.at(1).enter("c1")
    pbx.at(2).offer(first, "Alice")
    pbx.at(4).answer(first, "Alice")
    pbx.abandon(pbx.at(5).enter("c2"))
    pbx.at(6).enter("c3")
    told.wait_until(30)

    assert not told.translator.wants_snapshot


def test_an_agent_who_is_added_asks_for_a_snapshot() -> None:
    told, _ = story()
    told.translator.event(_callcenter("agent-add", **{"CC-Agent": "Zoe"}), 0)

    assert told.translator.wants_snapshot


# --- what cannot be used ---


def _callcenter(action: str, **headers: str) -> Event:
    named = {"Event-Name": "CUSTOM", "Event-Subclass": "callcenter::info", "CC-Action": action}
    return event({**named, "Event-Date-Timestamp": "1795321200000000", **headers})


@pytest.mark.parametrize(
    ("told", "unknown"),
    [
        (_callcenter("something-new"), 1),
        (event({"Event-Name": "SOMETHING_NEW"}), 1),
        (_callcenter("agent-contact-change"), 0),
        (event({"Event-Name": "CHANNEL_CREATE"}), 0),
        (event({"Event-Name": "CUSTOM", "Event-Subclass": "sofia::register"}), 0),
    ],
)
def test_types_that_nobody_knows_are_counted(told: Event, unknown: int) -> None:
    translator = Story().translator
    assert translator.event(told, 0) == []
    rest = translator.take_rest()

    assert (rest.unknown.total(), rest.spoiled) == (unknown, [])


@pytest.mark.parametrize(
    ("action", "headers"),
    [
        ("member-queue-start", {"CC-Queue": "support"}),
        ("member-queue-start", {"CC-Member-UUID": "m", "CC-Queue": "support"}),
        ("agent-offering", {"CC-Member-UUID": "m", "CC-Member-Session-UUID": "c", "CC-Queue": "support"}),
        ("bridge-agent-start", {"CC-Agent": "Alice"}),
        ("bridge-agent-fail", {"CC-Agent": "Alice"}),
        ("bridge-agent-end", {"CC-Agent": "Alice"}),
        ("member-queue-end", {"CC-Member-UUID": "m", "CC-Member-Session-UUID": "c", "CC-Queue": "support"}),
        ("agent-status-change", {"CC-Agent": "Alice"}),
        ("agent-state-change", {"CC-Agent-State": "Waiting"}),
        ("agent-max-no-answer", {"CC-Agent": "Alice"}),
        ("agent-add", {}),
        ("members-count", {"CC-Queue": "support", "CC-Count": "many"}),
    ],
)
def test_a_known_type_that_names_nothing_is_a_dead_letter(action: str, headers: dict[str, str]) -> None:
    translator = Story().translator
    assert translator.event(_callcenter(action, **headers), 0) == []
    [spoiled] = translator.take_rest().spoiled

    assert spoiled.detail.startswith(f"{action}: ")


def test_an_event_without_its_instant_is_a_dead_letter() -> None:
    translator = Story().translator
    told = _callcenter("member-queue-start", **{"Event-Date-Timestamp": ""})
    assert translator.event(told, 0) == []
    [spoiled] = translator.take_rest().spoiled

    assert spoiled.detail == "member-queue-start: Event-Date-Timestamp: missing, or not microseconds"
