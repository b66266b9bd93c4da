"""What each event of the log means for its call."""

import pytest

from schemas.events import ContactCreated, QueueEntered, QueueLeft, Transfer
from schemas.vocabulary import Outcome
from services.ingest.adapters.asterisk_queue_log.translate import AHEAD
from tests.unit.ingest.adapters.asterisk_queue_log.telling import (
    START_S,
    Story,
    complete,
    connect,
    enter,
    line,
    of_contacts,
)

VISIT = "1.1/support/1"


@pytest.mark.parametrize(
    ("event", "parameters", "outcome"),
    [
        ("ABANDON", (1, 1, 20), "abandoned"),
        ("EXITWITHTIMEOUT", (2, 3, 20), "timeout"),
        ("EXITEMPTY", (1, 1, 20), "empty"),
        ("LEAVEEMPTY", (1, 1, 20), "empty"),
        ("EXITWITHKEY", (5, 1, 1, 20), "key"),
        ("WITHDRAW", (1, 1, 20, "callback-booked"), "withdrawn"),
    ],
)
@pytest.mark.parametrize("is_entry_seen", [True, False])
def test_each_exit_has_its_outcome(
    event: str, parameters: tuple[object, ...], outcome: str, is_entry_seen: bool
) -> None:
    """Where the entry was not seen it is told from the wait."""
    story = Story()
    story.tell(*([enter(0)] if is_entry_seen else []), line(20, "1.1", "support", "NONE", event, *parameters))

    assert of_contacts(story.events) == [
        (0, "contact.created"),
        (0, "queue.entered", VISIT),
        (20, "queue.left", VISIT, outcome),
    ]
    entered = next(each for each in story.events if isinstance(each, QueueEntered))
    assert entered.inferred is not is_entry_seen


def test_an_exit_without_entry_and_wait_is_told_without_one() -> None:
    assert of_contacts(Story().tell(line(20, "1.1", "support", "NONE", "ABANDON", 1))) == [
        (20, "queue.left", VISIT, "abandoned")
    ]


def test_an_answered_call_from_its_entry_to_the_end_of_its_wrap_up() -> None:
    story = Story(wrap_up_s=30.0)
    story.tell(enter(0), connect(18, "Lea", "1.1", "support", 18, "1.2", 2), complete(78, "Lea"))
    story.wait_until(200)

    assert of_contacts(story.events) == [
        (0, "contact.created"),
        (0, "queue.entered", VISIT),
        (16, "agent.offered", VISIT, "Lea"),
        (18, "queue.left", VISIT, "Lea", "answered"),
        (18, "agent.accepted", VISIT, "Lea"),
        (78, "talk.ended", VISIT, "Lea", "customer"),
        (78, "wrap.start", VISIT, "Lea"),
        (108, "wrap.end", VISIT, "Lea"),
    ]


def test_everything_is_of_rank_1_and_cut_to_seconds() -> None:
    story = Story(wrap_up_s=30.0)
    story.tell(enter(0), connect(18, "Lea"), complete(78, "Lea"))
    story.wait_until(200)

    assert {(event.rank, event.precision_ms) for event in story.events} == {(1, 1000)}
    assert all(event.occurred_ms % 1000 == 0 for event in story.events)


def test_the_table_s_microseconds_are_kept() -> None:
    story = Story(format="tsv")
    story.tell(b"2026-01-31 12:00:01.250000\t1.1\tsupport\tNONE\tENTERQUEUE\t\t5\t1")
    story.translator.line(b"2026-01-31 12:00:01.250000\t1.1\tsupport\tNONE\tENTERQUEUE\t\t5\t1", 1 << 50)
    entered = story.translator.line(b"2026-01-31 12:00:02.5\t2.1\tsupport\tNONE\tENTERQUEUE\t\t5\t1", 1 << 50)

    assert [(each.occurred_ms % 60_000, each.precision_ms) for each in entered] == [(2500, 0), (2500, 0)]


@pytest.mark.parametrize(
    ("event", "parameters", "kind"),
    [
        ("BLINDTRANSFER", (2002, "from-internal", 5, 30, 1), "blind"),
        ("TRANSFER", (2002, "from-internal", 5, 30), "blind"),
        ("ATTENDEDTRANSFER", ("BRIDGE", "4d38", 5, 30, 1), "attended"),
        ("ATTENDEDTRANSFER", ("LINK", "PJSIP/a", "PJSIP/b", 5, 30, 1), "attended"),
        ("ATTENDEDTRANSFER", ("APP", "Playback", 5, 30, 1), "attended"),
    ],
)
@pytest.mark.parametrize("is_seen", [True, False])
def test_a_transfer_ends_the_agent_s_part(
    event: str, parameters: tuple[object, ...], kind: str, is_seen: bool
) -> None:
    """Where nothing of the call was seen all of it is told from the durations."""
    story = Story(tells_agents=False)
    seen = [enter(0), connect(5, "Lea")] if is_seen else []
    story.tell(*seen, line(35, "1.1", "support", "Lea", event, *parameters))

    assert of_contacts(story.events) == [
        (0, "contact.created"),
        (0, "queue.entered", VISIT),
        (5, "queue.left", VISIT, "Lea", "answered"),
        (5, "agent.accepted", VISIT, "Lea"),
        (35, "transfer", kind),
        (35, "talk.ended", VISIT, "Lea", "transfer"),
    ]
    assert [each.from_queue for each in story.events if isinstance(each, Transfer)] == ["support"]


def test_the_end_of_a_talk_may_name_another_channel() -> None:
    """After an attended transfer; the agent's one open talk in that queue is meant."""
    story = Story(tells_agents=False)
    story.tell(enter(0), connect(5, "Lea"), complete(35, "Lea", "7.7"))

    assert of_contacts(story.events)[-1] == (35, "talk.ended", VISIT, "Lea", "customer")


def test_which_of_two_open_talks_is_meant_is_not_guessed() -> None:
    story = Story(tells_agents=False)
    story.tell(enter(0), enter(1, "2.1"), connect(5, "Lea"), connect(6, "Lea", "2.1"))

    assert "talk.ended" in [each[1] for each in of_contacts(story.tell(complete(35, "Lea", "7.7", talk_s=3)))]
    assert [v.segment for v in story.translator.memory().known.open["1.1"].visits] == [VISIT]


def test_entering_again_is_another_visit_of_the_same_contact() -> None:
    story = Story()
    story.tell(
        enter(0),
        line(12, "1.1", "support", "NONE", "EXITWITHKEY", 5, 1, 1, 12),
        enter(12),
        enter(20, queue="sales"),
    )

    assert of_contacts(story.events) == [
        (0, "contact.created"),
        (0, "queue.entered", "1.1/support/1"),
        (12, "queue.left", "1.1/support/1", "key"),
        (12, "queue.entered", "1.1/support/2"),
        (20, "queue.left", "1.1/support/2", "unknown"),
        (20, "queue.entered", "1.1/sales/1"),
    ]


def test_a_caller_who_enters_another_queue_from_a_talk_has_left_none() -> None:
    """The new queue's ENTERQUEUE may come before the old one's BLINDTRANSFER."""
    story = Story(tells_agents=False)
    story.tell(enter(0), connect(5, "Lea"), enter(30, queue="sales"))
    story.tell(line(30, "1.1", "support", "Lea", "BLINDTRANSFER", 2, "c", 5, 25, 1))

    assert of_contacts(story.events)[-3:] == [
        (30, "queue.entered", "1.1/sales/1"),
        (30, "transfer", "blind"),
        (30, "talk.ended", VISIT, "Lea", "transfer"),
    ]


@pytest.mark.parametrize("times", [2, 3])
def test_a_line_told_again_says_nothing(times: int) -> None:
    once, often = Story(wrap_up_s=5.0), Story(wrap_up_s=5.0)
    lines = [
        enter(0),
        line(3, "1.1", "support", "Max", "RINGNOANSWER", 2000),
        connect(5, "Lea"),
        complete(35, "Lea"),
        line(50, "2.1", "support", "NONE", "ABANDON", 1, 1, 4),
        line(60, "3.1", "support", "Lea", "BLINDTRANSFER", 2, "c", 5, 5, 1),
    ]
    once.tell(*lines)
    often.tell(*(each for each in lines for _ in range(times)))

    assert {event.id for event in often.events} == {event.id for event in once.events}
    assert len(of_contacts(often.events)) == len(of_contacts(once.events)) + 2 * (times - 1)  # a ringing


@pytest.mark.parametrize(
    ("event", "outcome"), [("FULL", "overflow"), ("CLOSED", "closed"), ("JOINEMPTY", "empty")]
)
def test_who_was_not_let_in_is_a_visit_of_no_length_once(event: str, outcome: str) -> None:
    story = Story()
    story.tell(line(0, "1.1", "support", "NONE", event))
    again = story.tell(line(2, "1.1", "support", "NONE", event))
    story.tell(enter(5))

    assert of_contacts(story.events)[:3] == [
        (0, "contact.created"),
        (0, "queue.entered", f"1.1/support/{event}"),
        (0, "queue.left", f"1.1/support/{event}", outcome),
    ]
    assert {each.id for each in again} <= {each.id for each in story.events[:3]}
    assert of_contacts(story.events)[-1] == (5, "queue.entered", "1.1/support/1")


def test_what_wazo_says_of_who_was_in_the_queue_is_said_by_asterisk_too() -> None:
    story = Story()
    story.tell(enter(0), line(9, "1.1", "support", "NONE", "EXITEMPTY", 1, 1, 9))

    assert story.tell(line(9, "1.1", "support", "NONE", "LEAVEEMPTY")) == []
    assert story.tell(line(9, "1.1", "support", "NONE", "JOINEMPTY")) == []


def test_names_are_those_of_the_settings() -> None:
    story = Story(system="pbx", map={"500": "support"}, agents={"PJSIP/7": "lea"})
    story.tell(enter(0, queue="500"), connect(5, "PJSIP/7", "1.1", "500"))
    left = next(event for event in story.events if isinstance(event, QueueLeft))

    assert (left.contact, left.segment, left.queue, left.agent) == (
        "pbx/1.1",
        "pbx/1.1/500/1",
        "support",
        "lea",
    )


@pytest.mark.parametrize(
    ("parameters", "is_known"),
    [
        (("", "+33102030405", 1), True),
        (("", "+33102030405", 1, "Mrs Dupont"), True),
        (("", "", 1), False),
        (("", "unknown", 1), False),
        (("http://crm|x", "+33102030405", 1, "Mrs Dupont"), False),
        (("http://crm|x", "0102030405", 1), False),
    ],
)
def test_the_caller_is_a_pseudonym_or_nobody(parameters: tuple[object, ...], is_known: bool) -> None:
    """A bar in the url moves the others: then nobody knows which is the number."""
    said = Story().tell(line(0, "1.1", "support", "NONE", "ENTERQUEUE", *parameters))
    created = next(event for event in said if isinstance(event, ContactCreated))

    assert (created.customer is not None) is is_known
    assert not any("+33102030405" in str(event) or "Dupont" in str(event) for event in said)


def test_asterisk_s_start_ends_every_call_as_unknown() -> None:
    story = Story(tells_agents=False, wrap_up_s=30.0)
    story.tell(enter(0), enter(1, "2.1"), connect(5, "Lea"), enter(2, "3.1"), connect(6, "Max", "3.1"))
    story.tell(complete(20, "Max", "3.1"))
    said = story.tell(line(30, "NONE", "NONE", "NONE", "QUEUESTART"))

    assert of_contacts(said) == [
        (30, "talk.ended", VISIT, "Lea"),
        (30, "queue.left", "2.1/support/1", "unknown"),
        (30, "wrap.end", "3.1/support/1", "Max"),
    ]
    assert [event.inferred for event in said] == [True, True, False]
    assert story.wait_until(200) == []
    assert story.tell(line(40, "2.1", "support", "NONE", "ABANDON", 1, 1, 39)) == []


def test_a_wrap_up_ends_when_the_agent_takes_the_next_call() -> None:
    story = Story(tells_agents=False, wrap_up_s={"support": 30.0})
    story.tell(enter(0), connect(5, "Lea"), complete(10, "Lea"), enter(11, "2.1"), connect(15, "Lea", "2.1"))

    assert (15, "wrap.end", VISIT, "Lea") in of_contacts(story.events)
    assert story.wait_until(200) == []


@pytest.mark.parametrize(
    "event", ["PENALTY", "RINGINUSE", "CONFIGRELOAD", "PAUSEALL", "UNPAUSEALL", "OUTCALL"]
)
def test_what_is_of_no_use_is_counted_as_known(event: str) -> None:
    story = Story()

    assert story.tell(line(0, "NONE", "support", "Lea", event, "2")) == []
    rest = story.translator.take_rest()
    assert (dict(rest.types), dict(rest.unknown), rest.spoiled) == ({event: 1}, {}, [])


@pytest.mark.parametrize("event", ["DID", "INFO", "WRAPUPSTART", "MYOWN"])
def test_what_others_write_is_counted_as_unknown(event: str) -> None:
    story = Story()

    assert story.tell(line(0, "1.1", "support", "Lea", event, "0102030405")) == []
    rest = story.translator.take_rest()
    assert (dict(rest.types), dict(rest.unknown), rest.spoiled) == ({}, {event: 1}, [])


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (
            line(0, "NONE", "support", "NONE", "ENTERQUEUE", "", "", 1),
            "ENTERQUEUE: callid or queue is missing",
        ),
        (line(0, "1.1", "NONE", "NONE", "ABANDON", 1, 1, 1), "ABANDON: callid or queue is missing"),
        (line(0, "1.1", "NONE", "NONE", "FULL"), "FULL: callid or queue is missing"),
        (line(0, "1.1", "support", "NONE", "CONNECT", 1), "CONNECT: callid, queue or agent is missing"),
        (line(0, "1.1", "support", "", "COMPLETEAGENT"), "COMPLETEAGENT: callid, queue or agent is missing"),
        (line(0, "1.1", "support", "", "RINGNOANSWER"), "RINGNOANSWER: callid, queue or agent is missing"),
        (line(0, "NONE", "NONE", "Lea", "PAUSE"), "PAUSE: queue or agent is missing"),
        (line(0, "NONE", "NONE", "NONE", "AGENTLOGIN"), "AGENTLOGIN: agent is missing"),
    ],
)
def test_a_line_that_does_not_say_what_it_is_about_is_spoiled(raw: bytes, detail: str) -> None:
    story = Story()

    assert story.tell(raw) == []
    assert [each.detail for each in story.translator.take_rest().spoiled] == [detail]


def test_a_log_ahead_of_our_clock_moves_nothing_and_is_a_fault_until_it_is_not() -> None:
    story = Story(wrap_up_s=600.0)
    story.tell(enter(0), connect(5, "Lea"), complete(10, "Lea"))
    ahead = story.translator.line(line(400, "2.1", "support", "NONE", "ENTERQUEUE"), (START_S + 20) * 1000)
    rest = story.translator.take_rest()

    assert ahead == []
    assert [each.detail for each in rest.spoiled] == ["ENTERQUEUE: ahead of the clock here"]
    assert (rest.fault, story.translator.take_rest().fault) == (AHEAD, AHEAD)
    story.tell(enter(21, "2.1"))
    assert story.translator.take_rest().fault is None


def test_a_clock_that_is_set_back_is_followed() -> None:
    story = Story(wrap_up_s=60.0)
    story.tell(enter(1000), connect(1005, "Lea"), complete(1010, "Lea"))
    story.tell(enter(10, "2.1"), line(20, "2.1", "support", "NONE", "ABANDON", 1, 1, 10))

    outcomes = [event.outcome for event in story.events if isinstance(event, QueueLeft)]
    assert outcomes == [Outcome.ANSWERED, Outcome.ABANDONED]


def test_without_a_line_time_goes_on_by_our_clock_and_the_log_s_difference_to_it() -> None:
    """The log's clock is 100 s behind; a line may be under way for a second."""
    story = Story(tells_agents=False, wrap_up_s=30.0)
    story.tell(enter(0), connect(5, "Lea"))
    story.translator.line(complete(10, "Lea"), (START_S + 110) * 1000, is_live=True)

    assert story.translator.due((START_S + 140) * 1000) == []
    assert of_contacts(story.translator.due((START_S + 141) * 1000)) == [(40, "wrap.end", VISIT, "Lea")]
