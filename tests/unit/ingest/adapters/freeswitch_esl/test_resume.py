"""A process that starts again: what it told before is what it goes on from."""

import pytest

from schemas.events import (
    AgentNoAnswer,
    AgentOfferEnded,
    AgentStateChanged,
    ContactCreated,
    ContactEnded,
    QueueEntered,
    QueueLeft,
    SourceEvent,
    TalkEnded,
    WrapEnd,
)
from tests.doubles.callcenter import CallCenter
from tests.doubles.esl_story import Story


def story(**settings: object) -> Story:
    told = Story(CallCenter(), **settings)
    told.pbx.agent("Alice", "support", wrap_up_s=10)
    told.pbx.agent("Bruno", "support")
    told.look(0)
    return told


def again(told: Story, at_s: float, *, log: list[SourceEvent] | None = None, **settings: object) -> Story:
    """Another process beside the same switch, which reads the log first, then looks."""
    told.is_deaf = True
    after = Story(told.pbx, **settings)
    for event in log if log is not None else told.events:
        after.translator.recall(event)
    after.translator.go_on()
    after.reconnect(at_s)
    return after


def test_when_nothing_has_changed_nothing_is_told_again() -> None:
    told = story()
    pbx = told.pbx
    pbx.at(1).enter("waits")
    member = pbx.at(2).enter("talks")
    pbx.at(3).offer(member, "Alice")
    pbx.at(4).answer(member, "Alice")
    after = again(told, 20)

    assert after.words() == []


def test_agents_that_have_other_names_here_are_the_same_agents() -> None:
    names = {"Alice": "1000", "Bruno": "1001"}
    told = story(agents=names)
    ringing = told.pbx.at(1).enter("rings")
    told.pbx.at(1).offer(ringing, "Bruno")
    member = told.pbx.at(2).enter("talks")
    told.pbx.at(3).offer(member, "Alice")
    told.pbx.at(4).answer(member, "Alice")
    after = again(told, 20, agents=names)
    assert after.words() == []
    told.pbx.at(30).hang_up_agent(member, "Alice")
    told.pbx.at(31).fail(ringing, "Bruno")

    assert after.words(TalkEnded, AgentNoAnswer) == [
        "talk.ended agent 1000 talks/support/m-talks at 30",
        "agent.no_answer 1001 rings/support/m-rings at 31",
    ]


def test_repeats_in_the_log_change_nothing() -> None:
    told = story()
    told.pbx.at(1).enter("waits")

    assert again(told, 20, log=[*told.events, *told.events]).words() == []


def test_who_waits_is_told_to_leave() -> None:
    told = story()
    member = told.pbx.at(1).enter("c1")
    after = again(told, 20)
    told.pbx.at(30).cancel(member, "TIMEOUT")

    assert after.words() == ["queue.left timeout c1/support/m-c1 at 30"]


def test_who_left_meanwhile_is_unknown() -> None:
    told = story()
    member = told.pbx.at(1).enter("c1")
    told.is_deaf = True
    told.pbx.at(10).abandon(member)
    after = again(told, 20)

    assert after.words(QueueLeft, ContactEnded) == [
        "queue.left unknown c1/support/m-c1 at 10 inferred",
        "contact.ended at 20 inferred",
    ]


def test_a_talk_goes_on_and_its_end_is_told() -> None:
    told = story(wrap_up_s=5)
    member = told.pbx.at(1).enter("c1")
    told.pbx.at(2).offer(member, "Alice")
    told.pbx.at(4).answer(member, "Alice")
    after = again(told, 20, wrap_up_s=5)
    told.pbx.at(30).hang_up_agent(member, "Alice")
    after.wait_until(50)

    assert after.words(TalkEnded, WrapEnd, AgentStateChanged) == [
        "talk.ended agent Alice c1/support/m-c1 at 30",
        "agent.state wrap_up Alice at 30",
        "wrap.end Alice c1/support/m-c1 at 35",
        "agent.state available Alice at 35",
    ]


def test_a_talk_that_ended_meanwhile_has_its_end() -> None:
    told = story()
    member = told.pbx.at(1).enter("c1")
    told.pbx.at(2).offer(member, "Bruno")
    told.pbx.at(4).answer(member, "Bruno")
    told.is_deaf = True
    told.pbx.at(10).hang_up_agent(member, "Bruno")
    after = again(told, 20)

    assert after.words(TalkEnded) == ["talk.ended Bruno c1/support/m-c1 at 10 inferred"]


def test_a_wrap_up_goes_on() -> None:
    told = story(wrap_up_s=30)
    member = told.pbx.at(1).enter("c1")
    told.pbx.at(2).offer(member, "Bruno")
    told.pbx.at(4).answer(member, "Bruno")
    told.pbx.at(10).hang_up_agent(member, "Bruno")
    after = again(told, 20, wrap_up_s=30)
    after.wait_until(50)

    assert after.words() == ["wrap.end Bruno c1/support/m-c1 at 40", "agent.state available Bruno at 40"]


def test_an_offer_that_rings_on_is_the_same_offer() -> None:
    told = story()
    member = told.pbx.at(1).enter("c1")
    told.pbx.at(2).offer(member, "Alice")
    after = again(told, 5)
    told.pbx.at(10).fail(member, "Alice", "NO_ANSWER")

    [offered] = [each.id for each in told.events if each.id.startswith("c1/support/m-c1/offered/")]
    assert f"{offered.replace('/offered/', '/no_answer/')}" in [each.id for each in after.events]


def test_an_offer_whose_end_was_told_is_over() -> None:
    told = story()
    member = told.pbx.at(1).enter("c1")
    told.pbx.at(2).offer(member, "Alice")
    told.pbx.at(10).fail(member, "Alice", "NO_ANSWER")
    after = again(told, 15)
    after.wait_until(40)

    assert after.words(AgentOfferEnded) == []


def test_visits_keep_their_numbers() -> None:
    told = story()
    member = told.pbx.at(1).enter("c1")
    told.pbx.at(2).cancel(member, "EXIT_WITH_KEY")
    told.pbx.at(5).enter("c1", member=member.uuid)
    told.pbx.at(6).cancel(member, "EXIT_WITH_KEY")
    after = again(told, 20)
    told.pbx.at(30).enter("c1", member=member.uuid)

    assert after.words(QueueEntered, ContactCreated) == ["queue.entered c1/support/m-c1~3 at 30"]


def test_a_contact_that_was_over_is_not_ended_again() -> None:
    told = story()
    told.pbx.abandon(told.pbx.at(1).enter("c1"))
    told.wait_until(5)

    assert again(told, 20).words() == []


def test_a_switch_that_started_after_what_is_recalled_ended_it() -> None:
    told = story()
    told.pbx.at(1).enter("c1")
    told.is_deaf = True
    told.pbx.at(60).crash()
    after = again(told, 70)

    assert after.words(QueueLeft, ContactEnded) == [
        "queue.left unknown c1/support/m-c1 at 58 inferred",
        "contact.ended at 58 inferred",
    ]


@pytest.mark.parametrize("system", [None, "fs-a"])
def test_two_processes_tell_the_same_facts_under_the_same_ids(system: str | None) -> None:
    pbx = CallCenter()
    one, other = Story(pbx, system=system), Story(pbx, system=system)
    pbx.agent("Alice", "support/eu")
    member = pbx.at(1).enter("c1", "support/eu")
    pbx.at(2).offer(member, "Alice")
    pbx.at(3).answer(member, "Alice")
    pbx.at(9).hang_up_agent(member, "Alice")
    pbx.at(9.1).hang_up("c1")

    assert [each.id for each in one.events] == [each.id for each in other.events]
    after = Story(pbx, system=system)
    for event in one.events:
        after.translator.recall(event)
    after.translator.go_on()
    assert [contact.name for contact in after.translator._calls.contacts.all()] == [
        "fs-a/c1" if system else "c1"
    ]
    assert after.translator.channels() == []
