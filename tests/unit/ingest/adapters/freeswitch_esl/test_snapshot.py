"""What snapshots tell of what was missed, and what they may not contradict."""

import pytest
from msgspec import structs

from schemas.events import (
    AgentAccepted,
    AgentOfferEnded,
    AgentStateChanged,
    ContactEnded,
    QueueEntered,
    QueueLeft,
    TalkEnded,
    WrapEnd,
    WrapStart,
)
from services.ingest.adapters.freeswitch_esl.survey import (
    AGENTS,
    MEMBERS,
    NO_CALLCENTER,
    QUEUES,
    TIERS,
    Survey,
)
from tests.doubles.callcenter import START_MS, CallCenter, Member
from tests.doubles.esl_story import Story, survey

ENDS = (QueueLeft, TalkEnded, ContactEnded)


def story(**settings: object) -> tuple[Story, CallCenter]:
    told = Story(CallCenter(), **settings)
    told.pbx.agent("Alice", "support", "sales", wrap_up_s=10)
    told.pbx.agent("Bruno", "support", status="On Break")
    told.look(0)
    return told, told.pbx


def talking(pbx: CallCenter, session: str, agent: str, at_s: float) -> Member:
    member = pbx.at(at_s).enter(session)
    pbx.at(at_s + 1).offer(member, agent)
    pbx.at(at_s + 2).answer(member, agent)
    return member


def states(told: Story) -> dict[str, tuple[str, tuple[str, ...] | None]]:
    said = [each for each in told.events if isinstance(each, AgentStateChanged)]
    return {each.agent: (str(each.state), each.queues) for each in said}


# --- agents ---


def test_agents_stand_as_shown_with_the_queues_of_their_tiers() -> None:
    told, _ = story()

    assert states(told) == {
        "Alice": ("available", ("sales", "support")),
        "Bruno": ("paused", ("support",)),
    }
    assert all(each.inferred for each in told.events)


def test_what_is_as_it_was_is_not_told_again() -> None:
    told, _ = story()
    told.events.clear()
    told.look(60)

    assert told.events == []


def test_an_agent_who_was_deleted_is_offline_and_in_no_queue() -> None:
    """No event tells it (signalwire/freeswitch, issue 140)."""
    told, pbx = story()
    told.events.clear()
    pbx.delete_agent("Alice")
    told.look(60)

    assert states(told) == {"Alice": ("offline", ())}


def test_tiers_that_changed_are_told() -> None:
    told, pbx = story()
    told.events.clear()
    pbx.tiers.remove(("sales", "Alice"))
    told.look(60)

    assert states(told) == {"Alice": ("available", ("support",))}


def test_of_answers_that_are_missing_nothing_is_concluded() -> None:
    told, pbx = story()
    pbx.at(1).enter("c1")
    told.events.clear()
    pbx.members.clear()
    pbx.tiers.clear()
    whole = survey(pbx, told.translator.channels())
    part = structs.replace(whole, tiers=None, members={"support": None, "sales": []})
    told.events += told.translator.snapshot(part, START_MS + 60_000)
    told.events += told.translator.snapshot(structs.replace(part, agents=None), START_MS + 61_000)
    told.wait_until(70)

    assert told.events == []


def test_an_agent_is_in_wrap_up_as_long_as_mod_callcenter_has_him_so() -> None:
    told, pbx = story()
    told.is_deaf = True
    member = talking(pbx, "c1", "Alice", 10)
    pbx.at(20).hang_up_agent(member, "Alice")
    told.events.clear()
    told.reconnect(22)
    told.wait_until(40)

    assert [word for word in told.words(AgentStateChanged) if "Alice" in word] == [
        "agent.state wrap_up Alice at 22 inferred",
        "agent.state available Alice at 30",
    ]


# --- who waits, who talks ---


def test_who_came_while_nobody_listened_is_told_from_the_seconds_of_the_table() -> None:
    told, pbx = story()
    told.is_deaf = True
    pbx.at(10.7).enter("c1")
    told.reconnect(20)

    assert told.words(QueueEntered) == ["queue.entered c1/support/m-c1 at 10 inferred"]


def test_who_left_while_nobody_listened_is_unknown_since_the_table_has_him_so() -> None:
    told, pbx = story()
    member = pbx.at(5).enter("c1")
    told.is_deaf = True
    pbx.at(12).abandon(member)
    told.reconnect(20)

    assert told.words(*ENDS) == [
        "queue.left unknown c1/support/m-c1 at 12 inferred",
        "contact.ended at 20 inferred",
    ]


def test_who_is_in_no_table_any_more_is_unknown_since_then() -> None:
    told, pbx = story()
    member = pbx.at(5).enter("c1")
    told.is_deaf = True
    pbx.at(12).cancel(member, "TIMEOUT")
    pbx.members.clear()
    told.reconnect(20)

    assert told.words(*ENDS) == ["queue.left unknown c1/support/m-c1 at 20 inferred"]


def test_who_was_answered_while_nobody_listened_is_told() -> None:
    told, pbx = story()
    member = pbx.at(5).enter("c1")
    told.is_deaf = True
    pbx.at(8).offer(member, "Alice")
    pbx.at(12).answer(member, "Alice")
    told.reconnect(20)
    pbx.at(30).hang_up_agent(member, "Alice")

    assert told.words(QueueLeft, AgentAccepted, TalkEnded) == [
        "queue.left answered Alice c1/support/m-c1 at 12 inferred",
        "agent.accepted Alice c1/support/m-c1 at 12 inferred",
        "talk.ended agent Alice c1/support/m-c1 at 30",
    ]


def test_a_talk_that_began_and_is_not_known_at_all_is_told() -> None:
    told, pbx = story()
    told.is_deaf = True
    talking(pbx, "c1", "Alice", 10)
    told.reconnect(20)

    assert told.words(QueueEntered, QueueLeft, AgentAccepted) == [
        "queue.entered c1/support/m-c1 at 10 inferred",
        "queue.left answered Alice c1/support/m-c1 at 12 inferred",
        "agent.accepted Alice c1/support/m-c1 at 12 inferred",
    ]


def test_a_talk_that_ended_while_nobody_listened_ended_when_the_agent_s_last_one_did() -> None:
    told, pbx = story()
    member = talking(pbx, "c1", "Alice", 5)
    told.is_deaf = True
    pbx.at(15).hang_up("c1")
    pbx.at(15.2).hang_up_agent(member, "Alice")
    told.reconnect(20)

    assert told.words(*ENDS, WrapStart)[1:] == [
        "talk.ended Alice c1/support/m-c1 at 15 inferred",
        "wrap.start Alice c1/support/m-c1 at 15 inferred",
        "contact.ended at 20 inferred",
    ]


def test_a_talk_that_goes_on_goes_on() -> None:
    told, pbx = story()
    talking(pbx, "c1", "Alice", 5)
    told.is_deaf = True
    told.events.clear()
    told.reconnect(20)

    assert told.events == []


def test_callers_gone_and_new_ones_after_a_long_gap() -> None:
    told, pbx = story()
    gone, stays = pbx.at(5).enter("gone"), pbx.at(6).enter("stays")
    told.is_deaf = True
    told.events.clear()
    pbx.at(10).abandon(gone)
    pbx.at(15).enter("new")
    told.reconnect(20)
    pbx.at(30).offer(stays, "Alice")
    pbx.at(33).answer(stays, "Alice")

    assert told.words(QueueEntered, QueueLeft) == [
        "queue.entered new/support/m-new at 15 inferred",
        "queue.left unknown gone/support/m-gone at 10 inferred",
        "queue.left answered Alice stays/support/m-stays at 33",
    ]


def test_an_offer_that_ended_unheard_is_over_once_the_agent_is_shown_free() -> None:
    told, pbx = story()
    member = pbx.at(5).enter("c1")
    pbx.at(6).offer(member, "Alice")
    told.is_deaf = True
    pbx.at(15).fail(member, "Alice")
    told.reconnect(20)

    assert told.words(AgentOfferEnded) == ["agent.offer_ended cancelled Alice c1/support/m-c1 at 20 inferred"]


# --- what is behind a snapshot ---


def test_a_member_who_is_not_in_the_table_yet_is_not_lost() -> None:
    """mod_callcenter says so first, and writes the row then."""
    told, pbx = story()
    pbx.at(10).enter("c1")
    pbx.members.clear()
    told.look(10.5)
    told.wait_until(30)

    assert told.words(QueueLeft) == []


def test_an_end_that_comes_behind_the_snapshot_says_it_better() -> None:
    told, pbx = story()
    member = pbx.at(5).enter("c1")
    told.is_deaf = True
    heard: list[dict[str, str]] = []
    pbx.listeners.append(heard.append)
    pbx.at(19.9).cancel(member, "TIMEOUT")
    told.is_deaf = False
    told.look(20)
    for headers in heard:
        told.tell(headers)
    told.wait_until(30)

    assert told.words(QueueLeft) == ["queue.left timeout c1/support/m-c1 at 19.9"]


def test_a_start_that_comes_behind_the_snapshot_says_it_better() -> None:
    told, pbx = story()
    told.is_deaf = True
    heard: list[dict[str, str]] = []
    pbx.listeners.append(heard.append)
    pbx.at(19.9).enter("c1")
    told.is_deaf = False
    told.look(20)
    for headers in heard:
        told.tell(headers)
    told.wait_until(30)

    assert told.words(QueueEntered) == ["queue.entered c1/support/m-c1 at 19.9"]


def test_an_end_that_comes_long_behind_the_snapshot_still_wins() -> None:
    told, pbx = story()
    member = pbx.at(5).enter("c1")
    told.is_deaf = True
    heard: list[dict[str, str]] = []
    pbx.listeners.append(heard.append)
    pbx.at(12).cancel(member, "EXIT_WITH_KEY")
    told.reconnect(20)
    for headers in heard:
        told.tell(headers)

    assert told.words(QueueLeft) == [
        "queue.left unknown c1/support/m-c1 at 12 inferred",
        "queue.left key c1/support/m-c1 at 12",
    ]


# --- crashes, left-overs, zombies ---


def test_a_crash_of_the_switch_ends_all_that_was_in_hand_at_its_start() -> None:
    told, pbx = story()
    pbx.at(5).enter("c1")
    talking(pbx, "c2", "Alice", 6)
    told.is_deaf = True
    pbx.at(30).crash()
    pbx.at(40).enter("c3")
    told.reconnect(50)

    assert told.words(*ENDS, QueueEntered, WrapEnd)[3:] == [
        "queue.left unknown c1/support/m-c1 at 30 inferred",
        "contact.ended at 30 inferred",
        "talk.ended Alice c2/support/m-c2 at 30 inferred",
        "contact.ended at 30 inferred",
        "queue.entered c3/support/m-c3 at 40 inferred",
    ]
    assert states(told)["Alice"][0] == "available"


def test_members_left_over_as_answered_after_a_crash_are_nobody_s_talk() -> None:
    """signalwire/freeswitch, issue 1973."""
    told, pbx = story()
    member = pbx.at(5).enter("c1")
    pbx.offer(member, "Alice")
    member.state, member.bridged_s = "Answered", pbx.now_s()
    told.is_deaf = True
    pbx.channels.clear()
    told.events.clear()
    told.reconnect(60)

    assert told.words(AgentAccepted) == []
    assert told.words(QueueLeft) == ["queue.left unknown c1/support/m-c1 at 60 inferred"]


def test_zombies_do_not_wait() -> None:
    """signalwire/freeswitch, issue 2529: a row that waits, of a channel that is gone."""
    told, pbx = story()
    told.is_deaf = True
    zombie = pbx.at(5).enter("dead")
    pbx.channels.clear()
    told.reconnect(20)
    pbx.at(30).enter("c1")
    told.wait_until(40)

    assert zombie.state == "Waiting"
    assert told.words(QueueEntered) == ["queue.entered c1/support/m-c1 at 30"]
    assert not told.translator.wants_snapshot


def test_a_member_who_becomes_a_zombie_is_unknown() -> None:
    told, pbx = story()
    pbx.at(5).enter("c1")
    pbx.channels.clear()
    told.look(20)
    told.wait_until(30)

    assert told.words(QueueLeft) == ["queue.left unknown c1/support/m-c1 at 20 inferred"]


def test_what_was_held_when_the_line_was_lost_is_not_guessed() -> None:
    told, pbx = story()
    member = pbx.at(5).enter("c1")
    pbx.at(9).cancel(member)
    told.translator.reconnected()
    told.look(9.5)
    told.wait_until(20)

    assert told.words(QueueLeft) == ["queue.left unknown c1/support/m-c1 at 9 inferred"]


# --- the questions ---


def test_the_names_and_numbers_of_the_table_go_nowhere() -> None:
    told, pbx = story()
    told.is_deaf = True
    pbx.at(5).enter("c1", number="+33611223344").name = "Zoe | Caller\nof two lines"
    told.reconnect(20)

    assert told.words(QueueEntered) == ["queue.entered c1/support/m-c1 at 5 inferred"]
    assert not any(word in str(told.events) for word in ("Zoe", "+336"))


def test_without_mod_callcenter_it_is_said_in_words() -> None:
    asking = Survey(list)
    asking.begin()
    asking.answer(QUEUES, "-ERR callcenter_config Command not found!\n")

    assert asking.fault == NO_CALLCENTER


@pytest.mark.parametrize("text", [None, "-ERR permission denied", "-ERR no reply\n"])
def test_what_is_refused_is_said_in_its_words(text: str | None) -> None:
    asking = Survey(list)
    asking.begin()
    asking.answer(QUEUES, text)

    assert asking.fault is not None
    assert "callcenter_config queue list" in asking.fault
    assert (text or "no answer").strip() in asking.fault


def test_questions_that_are_refused_leave_a_part_of_the_snapshot_unknown() -> None:
    pbx = CallCenter()
    pbx.agent("Alice", "support")
    asking = Survey(list)
    questions = asking.begin()
    while questions:
        question = questions.pop(0)
        is_refused = question in (AGENTS, TIERS) or question.startswith(MEMBERS)
        questions += asking.answer(question, None if is_refused else pbx.api(question))
    snapshot = asking.snapshot()

    assert asking.is_done
    assert (snapshot.agents, snapshot.tiers, snapshot.members) == (None, None, {"support": None})
    assert not snapshot.covers("support")
    assert snapshot.covers("a queue that is not there any more")


def test_an_answer_to_what_was_not_asked_changes_nothing() -> None:
    asking = Survey(list)

    assert asking.answer("uptime", "1") == []
    assert not asking.is_done


def test_what_comes_from_whole_seconds_says_so() -> None:
    told, pbx = story()
    stays = pbx.at(5.2).enter("stays")
    told.is_deaf = True
    pbx.at(10.7).enter("new")
    told.reconnect(20.123)
    pbx.at(30.4).offer(stays, "Alice")
    pbx.at(31.5).answer(stays, "Alice")
    precision = {each.id: each.precision_ms for each in told.events if isinstance(each, QueueEntered)}

    assert precision == {"stays/support/m-stays/entered": 0, "new/support/m-new/entered": 1000}
    assert {each.precision_ms for each in told.events if isinstance(each, AgentAccepted)} == {0}
