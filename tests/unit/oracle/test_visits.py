"""Which facts belong to which visit, and which of contradicting facts is believed."""

import pytest

from schemas.config import Config, QueueConfig
from schemas.events import (
    AgentAccepted,
    AgentNoAnswer,
    AgentOffered,
    ContactEnded,
    MessageIn,
    QueueEntered,
    QueueLeft,
    TalkEnded,
    Transfer,
    WrapEnd,
    WrapStart,
)
from schemas.vocabulary import Channel, Outcome, TransferKind
from tests.oracle.telling import Log
from tests.oracle.visits import Visit, visits, waits

T0 = 1_795_000_000_000
LATER = T0 + 60_000


def folded(log: Log, *, now_ms: int = LATER, config: Config | None = None) -> list[Visit]:
    found = visits(log.events, config or Config(), now_ms=now_ms)
    return sorted(found, key=lambda v: (v.entered_ms, v.queue))


def ends(log: Log, *, now_ms: int = LATER) -> list[tuple[str, int, Outcome | None, int | None]]:
    return [(v.queue, v.entered_ms - T0, v.outcome, _since(v.outcome_ms)) for v in folded(log, now_ms=now_ms)]


def _since(at_ms: int | None) -> int | None:
    return None if at_ms is None else at_ms - T0


def entered(log: Log, at_ms: int = 0, queue: str = "q", **data: object) -> None:
    log.add(QueueEntered, T0 + at_ms, contact="c", queue=queue, **data)


def test_a_repeat_changes_nothing() -> None:
    log = Log("main")
    entered(log)
    log.events *= 3
    assert len(folded(log)) == 1


def test_the_same_id_of_another_source_is_another_event() -> None:
    log = Log("main")
    log.add(QueueEntered, T0, contact="a", queue="q", id="1")
    log.add(QueueEntered, T0, contact="b", queue="q", id="1", source="crm")
    assert len(folded(log)) == 2


def test_a_visit_without_entered_counts_nowhere() -> None:
    log = Log("main")
    log.add(AgentAccepted, T0, contact="c", queue="q", segment="s", agent="lea")
    assert folded(log) == []


def test_entering_again_needs_another_segment_or_another_instant() -> None:
    log = Log("main")
    entered(log, 0, segment="s1")
    entered(log, 500, segment="s1")
    entered(log, 900, segment="s2")
    entered(log, 2000)
    entered(log, 2000, source="crm")
    entered(log, 3000)
    assert [v.entered_ms - T0 for v in folded(log)] == [0, 900, 2000, 3000]


def test_a_higher_rank_knows_better_when_the_visit_began() -> None:
    log = Log("main")
    entered(log, 0, segment="s")
    entered(log, 35, segment="s", source="queue_log", rank=2)
    assert [v.entered_ms - T0 for v in folded(log)] == [35]


def test_a_fact_with_a_queue_belongs_to_the_visit_entered_last_before_it() -> None:
    log = Log("main")
    entered(log, 1000)
    entered(log, 5000, segment="s")
    log.add(QueueLeft, T0 + 500, contact="c", queue="q", outcome=Outcome.TIMEOUT)
    log.add(QueueLeft, T0 + 5000, contact="c", queue="q", outcome=Outcome.ABANDONED)
    assert ends(log) == [("q", 1000, Outcome.TIMEOUT, 500), ("q", 5000, Outcome.ABANDONED, 5000)]
    assert folded(log)[0].wait_ms(LATER) == 0


def test_a_fact_with_a_segment_belongs_to_that_segment_whatever_the_instant() -> None:
    log = Log("main")
    entered(log, 0, segment="s1")
    entered(log, 5000, segment="s2")
    log.add(QueueLeft, T0 + 9000, contact="c", segment="s1", outcome=Outcome.KEY)
    assert ends(log) == [("q", 0, Outcome.KEY, 9000), ("q", 5000, None, None)]


def test_a_fact_that_names_neither_belongs_to_the_visit_of_its_agent() -> None:
    log = Log("main")
    entered(log, 0, "first")
    log.add(AgentAccepted, T0 + 1000, contact="c", queue="first", agent="lea")
    entered(log, 5000, "second")
    log.add(AgentAccepted, T0 + 6000, contact="c", queue="second", agent="tom")
    log.add(TalkEnded, T0 + 8000, contact="c", agent="lea")
    log.add(TalkEnded, T0 + 9000, contact="c")
    assert [v.handled_ms for v in folded(log)] == [7000, 3000]


# (rank, instant, outcome) of what is told about one visit → what is believed
CONTRADICTIONS: list[tuple[list[tuple[int, int, Outcome]], Outcome, int]] = [
    ([(0, 900, Outcome.ABANDONED), (0, 901, Outcome.TIMEOUT)], Outcome.TIMEOUT, 901),
    ([(0, 900, Outcome.ABANDONED), (0, 800, Outcome.CALLBACK)], Outcome.CALLBACK, 800),
    ([(1, 900, Outcome.ABANDONED), (0, 800, Outcome.TIMEOUT)], Outcome.ABANDONED, 900),
    ([(0, 900, Outcome.UNKNOWN), (0, 950, Outcome.ABANDONED)], Outcome.ABANDONED, 950),
    ([(9, 900, Outcome.UNKNOWN), (0, 950, Outcome.ABANDONED)], Outcome.ABANDONED, 950),
    ([(0, 900, Outcome.KEY), (0, 899, Outcome.EMPTY)], Outcome.EMPTY, 899),
    ([(0, 900, Outcome.ANSWERED), (0, 800, Outcome.ABANDONED)], Outcome.ANSWERED, 900),
]


@pytest.mark.parametrize(("lefts", "outcome", "at_ms"), CONTRADICTIONS)
@pytest.mark.parametrize("backwards", [False, True])
def test_contradictions_are_settled_by_rank_never_by_arrival(
    lefts: list[tuple[int, int, Outcome]], outcome: Outcome, at_ms: int, backwards: bool
) -> None:
    log = Log("main")
    entered(log)
    for rank, ms, what in lefts:
        log.add(QueueLeft, T0 + ms, contact="c", queue="q", outcome=what, rank=rank)
    if backwards:
        log.events.reverse()
    assert ends(log) == [("q", 0, outcome, at_ms)]


def test_accepted_beats_abandoned_of_the_same_rank() -> None:
    log = Log("main")
    entered(log)
    log.add(QueueLeft, T0 + 500, contact="c", queue="q", outcome=Outcome.ABANDONED)
    log.add(AgentAccepted, T0 + 700, contact="c", queue="q", agent="lea")
    assert ends(log) == [("q", 0, Outcome.ANSWERED, 700)]


def test_the_accept_gives_the_instant_though_the_leave_ranks_higher() -> None:
    log = Log("main")
    entered(log)
    log.add(QueueLeft, T0 + 950, contact="c", queue="q", outcome=Outcome.ANSWERED, rank=2, agent="x")
    log.add(AgentAccepted, T0 + 700, contact="c", queue="q", agent="lea")
    assert ends(log) == [("q", 0, Outcome.ANSWERED, 700)]
    assert folded(log)[0].agent == "lea"


def test_requeue_after_no_answer_is_one_visit() -> None:
    log = Log("main")
    entered(log)
    for n, agent in enumerate(("lea", "tom")):
        log.add(AgentOffered, T0 + 100 + n, contact="c", queue="q", agent=agent)
        log.add(AgentNoAnswer, T0 + 200 + n, contact="c", queue="q", agent=agent)
    log.add(AgentAccepted, T0 + 5000, contact="c", queue="q", agent="eve")
    assert ends(log) == [("q", 0, Outcome.ANSWERED, 5000)]


def test_transfer_to_another_queue_is_a_flow_out_of_the_first() -> None:
    log = Log("main")
    entered(log, 0, "first")
    log.add(Transfer, T0 + 4000, contact="c", kind=TransferKind.QUEUE, from_queue="first", to_queue="second")
    entered(log, 4000, "second")
    assert ends(log) == [("first", 0, Outcome.TRANSFERRED, 4000), ("second", 4000, None, None)]


def test_blind_transfers_close_no_visit() -> None:
    log = Log("main")
    entered(log, 0)
    log.add(Transfer, T0 + 4000, contact="c", kind=TransferKind.BLIND, from_queue="q", to_queue="r")
    assert ends(log) == [("q", 0, None, None)]


def test_contact_ended_closes_what_is_open_as_unknown() -> None:
    log = Log("main")
    entered(log, 0, "left")
    log.add(QueueLeft, T0 + 1000, contact="c", queue="left", outcome=Outcome.OVERFLOW)
    entered(log, 1000, "open")
    entered(log, 9000, "after")
    log.add(ContactEnded, T0 + 5000, contact="c")
    assert ends(log) == [
        ("left", 0, Outcome.OVERFLOW, 1000),
        ("open", 1000, Outcome.UNKNOWN, 5000),
        ("after", 9000, None, None),
    ]


def test_silence_of_ten_wait_limits_makes_a_waiting_contact_unknown() -> None:
    log = Log("main")
    entered(log)
    log.add(MessageIn, T0 + 7000, contact="c")
    silent_ms = 7000 + 10 * 120_000
    assert ends(log, now_ms=T0 + silent_ms - 1) == [("q", 0, None, None)]
    assert ends(log, now_ms=T0 + silent_ms) == [("q", 0, Outcome.UNKNOWN, silent_ms)]


@pytest.mark.parametrize(
    ("wraps", "handled_ms"),
    [
        ([], 5000),
        ([(WrapStart, 6100)], 5000),
        ([(WrapStart, 6100), (WrapEnd, 9000)], 5000 + 2900),
        ([(WrapEnd, 9000)], 5000 + 3000),
        ([(WrapEnd, 5500)], 5000),
    ],
)
def test_handle_time_gains_the_wrap_when_it_ends(
    wraps: list[tuple[type[WrapStart] | type[WrapEnd], int]], handled_ms: int
) -> None:
    log = Log("main")
    entered(log)
    log.add(AgentAccepted, T0 + 1000, contact="c", queue="q", agent="lea")
    log.add(TalkEnded, T0 + 6000, contact="c", queue="q", agent="lea")
    for make, at_ms in wraps:
        log.add(make, T0 + at_ms, contact="c", agent="lea")
    assert [(v.talk_ended_ms, v.handled_ms) for v in folded(log)] == [(T0 + 6000, handled_ms)]


def test_one_contact_on_two_sites_is_two_contacts() -> None:
    log = Log("main")
    entered(log)
    entered(log, site="other")
    log.add(ContactEnded, T0 + 1000, contact="c")
    found = {v.site: v.outcome for v in folded(log)}
    assert found == {"main": Outcome.UNKNOWN, "other": None}


def test_waits_are_pairs_by_queue() -> None:
    log = Log("main")
    entered(log)
    log.add(QueueLeft, T0 + 900, contact="c", queue="q", outcome=Outcome.ABANDONED)
    entered(log, 1000, "r")
    expected = {("main", "q"): [(T0, T0 + 900)], ("main", "r"): [(T0 + 1000, None)]}
    assert waits(log.events, Config(), now_ms=LATER) == expected


def test_an_unconfigured_queue_takes_the_channel_first_named() -> None:
    log = Log("main")
    entered(log, 500, channel=Channel.SMS)
    log.add(QueueEntered, T0 + 100, contact="d", queue="q", channel=Channel.CHAT)
    log.add(QueueEntered, T0, contact="e", queue="q")
    chat_silence_ms = 100 + 10 * 300_000  # chat: 300 s
    outcomes = [v.outcome for v in folded(log, now_ms=T0 + chat_silence_ms)]
    assert outcomes == [Outcome.UNKNOWN, Outcome.UNKNOWN, None]
    configured = Config(queues=[QueueConfig(id="q", channel=Channel.SMS)])
    outcomes = [v.outcome for v in folded(log, now_ms=T0 + chat_silence_ms, config=configured)]
    assert outcomes == [None, None, None]
