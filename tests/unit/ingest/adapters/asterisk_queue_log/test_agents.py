"""How agents stand by the log alone: the union over queues, wrap-up by a timer, ringing told afterwards."""

from schemas.events import AgentOffered, AgentOfferEnded, AgentStateChanged
from schemas.vocabulary import AgentState, OfferEnd
from tests.unit.ingest.adapters.asterisk_queue_log.telling import (
    Story,
    complete,
    connect,
    enter,
    line,
    states,
)

NOBODY = "NONE"


def said(story: Story, agent: str = "Lea") -> list[AgentStateChanged]:
    found = [each for each in story.events if isinstance(each, AgentStateChanged) and each.agent == agent]
    return sorted(found, key=lambda event: (event.occurred_ms, event.id))


def test_a_call_rings_is_talked_and_wrapped_up() -> None:
    story = Story(wrap_up_s=30.0)
    story.tell(line(0, "MANAGER", "support", "Lea", "ADDMEMBER", ""), enter(10))
    story.tell(connect(18, "Lea", "1.1", "support", 8, "1.2", 3), complete(78, "Lea"))
    story.wait_until(200)

    assert states(story.events, "Lea") == [
        (0, "available"),
        (15, "ringing"),
        (18, "in_contact"),
        (78, "wrap_up"),
        (108, "available"),
    ]
    assert [each.inferred for each in said(story)] == [False, True, False, False, False]
    assert {each.queues for each in said(story)} == {("support",)}


def test_an_attempt_without_answer_is_told_with_its_beginning() -> None:
    story = Story()
    story.tell(enter(0), line(15, "1.1", "support", "Lea", "RINGNOANSWER", 12500))
    (offered,) = (event for event in story.events if isinstance(event, AgentOffered))

    assert (offered.occurred_ms % 100_000, offered.inferred) == (2500, True)
    assert states(story.events, "Lea") == [(2.5, "ringing"), (15, "available")]


def test_a_phone_that_fails_at_once_was_not_ringing() -> None:
    """Ring-all logs 0 ms for Local channels that fail at once."""
    story = Story()
    story.tell(enter(0), line(15, "1.1", "support", "Lea", "RINGNOANSWER", 0))

    assert states(story.events, "Lea") == [(15, "available")]


def test_who_is_busy_or_paused_was_not_ringing_beside_it() -> None:
    story = Story()
    story.tell(enter(0), connect(1, "Lea"), enter(2, "2.1"))
    story.tell(line(20, "2.1", "support", "Lea", "RINGNOANSWER", 9000))
    story.tell(line(21, "NONE", "support", "Max", "PAUSE", ""))
    story.tell(line(30, "2.1", "support", "Max", "RINGNOANSWER", 5000))

    assert states(story.events, "Lea") == [(1, "in_contact")]
    assert states(story.events, "Max") == [(21, "paused")]


def test_ringing_begins_no_earlier_than_what_was_said_before_it() -> None:
    story = Story()
    story.tell(
        line(10, "NONE", "support", "Lea", "PAUSE", "x"), line(20, "NONE", "support", "Lea", "UNPAUSE", "")
    )
    story.tell(enter(0), line(30, "1.1", "support", "Lea", "RINGNOANSWER", 25000))

    assert states(story.events, "Lea") == [
        (10, "paused"),
        (20, "available"),
        (20, "ringing"),
        (30, "available"),
    ]


def test_ringing_that_the_caller_ends() -> None:
    story = Story()
    story.tell(enter(0), line(15, "1.1", "support", "Lea", "RINGCANCELED", 2000))
    story.tell(line(16, "1.1", "support", "Max", "AGENTDUMP", ""))
    ends = [event for event in story.events if isinstance(event, AgentOfferEnded)]

    assert [(each.agent, each.reason) for each in ends] == [
        ("Lea", OfferEnd.CALLER_LEFT),
        ("Max", OfferEnd.CANCELLED),
    ]
    assert states(story.events, "Max") == [(16, "available")]


def test_paused_is_who_is_so_in_every_queue() -> None:
    story = Story()
    for queue in ("sales", "support"):
        story.tell(line(0, "MANAGER", queue, "Lea", "ADDMEMBER", ""))
    story.tell(line(10, "NONE", "sales", "Lea", "PAUSE", "Lunch"))
    assert states(story.events, "Lea") == [(0, "available"), (0, "available")]
    story.tell(line(20, "NONE", "support", "Lea", "PAUSE", "Lunch"))
    story.tell(line(30, "NONE", "sales", "Lea", "UNPAUSE", ""))

    assert states(story.events, "Lea")[2:] == [(20, "paused"), (30, "available")]
    assert [each.reason for each in said(story)][2:] == ["Lunch", None]
    assert [each.queues for each in said(story)][:2] == [("sales",), ("sales", "support")]


def test_a_pause_of_all_queues_counts_once() -> None:
    story = Story()
    for queue in ("sales", "support"):
        story.tell(line(0, "MANAGER", queue, "Lea", "ADDMEMBER", ""))
    for at_s, word, reason in ((10, "PAUSE", "Break"), (20, "UNPAUSE", "")):
        story.tell(line(at_s, "NONE", NOBODY, "Lea", f"{word}ALL", reason))
        story.tell(*(line(at_s, "NONE", queue, "Lea", word, reason) for queue in ("sales", "support")))

    assert states(story.events, "Lea")[2:] == [(10, "paused"), (20, "available")]


def test_a_change_of_reason_within_a_second_is_told_in_order() -> None:
    """`log_unpause_on_reason_change`: an `Auto-Unpause` comes between."""
    story = Story()
    for word, reason in (("PAUSE", "Lunch"), ("UNPAUSE", "Auto-Unpause"), ("PAUSE", "Training")):
        story.tell(line(10, "NONE", "support", "Lea", word, reason))

    assert states(story.events, "Lea") == [(10, "paused"), (10, "available"), (10, "paused")]
    assert len({each.id for each in said(story)}) == 3
    assert said(story)[-1].reason == "Training"


def test_a_pause_reason_may_stand_for_another_state() -> None:
    story = Story(states={"Backoffice": AgentState.WRAP_UP})
    story.tell(line(10, "NONE", "support", "Lea", "PAUSE", "Backoffice"))

    assert states(story.events, "Lea") == [(10, "wrap_up")]


def test_a_member_comes_paused_and_goes() -> None:
    story = Story()
    story.tell(line(0, "REALTIME", "support", "Lea", "ADDMEMBER", "PAUSED"))
    story.tell(line(5, "REALTIME", "support", "Lea", "REMOVEMEMBER", ""))

    assert states(story.events, "Lea") == [(0, "paused"), (5, "offline")]
    assert said(story)[-1].queues == ()


def test_who_is_removed_in_a_talk_is_gone_after_it() -> None:
    story = Story()
    story.tell(enter(0), connect(5, "Lea"), line(6, "CLI", "support", "Lea", "REMOVEMEMBER", ""))
    story.tell(complete(20, "Lea"))

    assert states(story.events, "Lea") == [(5, "in_contact"), (6, "in_contact"), (20, "offline")]


def test_the_agent_pool_logs_in_and_off() -> None:
    """By number, whatever the member is called."""
    story = Story()
    story.tell(line(0, "MANAGER", "support", "Agent/1005", "ADDMEMBER", ""))
    story.tell(line(10, "9.1", NOBODY, "1005", "AGENTLOGOFF", "PJSIP/1", 60))
    story.tell(line(20, "9.2", NOBODY, "Agent/1005", "AGENTCALLBACKLOGIN", "1005@agents"))

    assert states(story.events, "Agent/1005") == [(0, "available"), (10, "offline"), (20, "available")]
    assert states(story.events, "1005") == []


def test_after_asterisk_s_start_nobody_is_there_until_a_line_names_him() -> None:
    """There is no state for who is not known of; nobody is said to be available who may not be."""
    story = Story(wrap_up_s=30.0)
    story.tell(line(0, "MANAGER", "support", "Max", "ADDMEMBER", "PAUSED"), enter(0), connect(5, "Lea"))
    story.tell(enter(1, "2.1"), connect(6, "Zoe", "2.1"), complete(10, "Zoe", "2.1"))
    start = story.tell(line(20, "NONE", "NONE", "NONE", "QUEUESTART"))
    story.wait_until(100)
    changes = [event for event in start if isinstance(event, AgentStateChanged)]

    assert {(each.agent, each.state, each.inferred) for each in changes} == {
        (agent, AgentState.OFFLINE, True) for agent in ("Lea", "Max", "Zoe")
    }
    assert states(story.events, "Zoe")[-1] == (20, "offline")
    story.tell(enter(110, "3.1"), line(120, "3.1", "support", "Max", "RINGNOANSWER", 4000))
    assert states(story.events, "Max") == [
        (0, "paused"),
        (20, "offline"),
        (116, "ringing"),
        (120, "available"),
    ]
    assert said(story, "Max")[-1].queues == ("support",)


def test_where_ami_speaks_too_neither_states_nor_ringing_are_told() -> None:
    story = Story(tells_agents=False, wrap_up_s=30.0)
    story.tell(line(0, "MANAGER", "support", "Lea", "ADDMEMBER", ""), enter(0))
    story.tell(line(3, "1.1", "support", "Max", "RINGNOANSWER", 2000))
    story.tell(line(3, "1.1", "support", "Max", "RINGCANCELED", 2000))
    story.tell(connect(5, "Lea", "1.1", "support", 5, "1.2", 2), complete(15, "Lea"))
    story.wait_until(200)

    assert [event.__struct_config__.tag for event in story.events] == [
        "contact.created",
        "queue.entered",
        "queue.left",
        "agent.accepted",
        "talk.ended",
        "wrap.start",
        "wrap.end",
    ]
