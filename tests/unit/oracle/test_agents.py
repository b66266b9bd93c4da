"""What agents did when, told by themselves or shown by their contacts; occupancy by hand."""

import pytest

from schemas.board import StateCounts
from schemas.config import Config, SourceConfig
from schemas.events import (
    AgentAccepted,
    AgentNoAnswer,
    AgentOffered,
    AgentOfferEnded,
    AgentStateChanged,
    ContactEnded,
    QueueEntered,
    TalkEnded,
    WrapEnd,
)
from schemas.vocabulary import AgentState
from tests.oracle.agents import FOREVER, agents, occupancy, state_counts
from tests.oracle.telling import Log

S = AgentState


def life(log: Log, config: Config | None = None) -> list[tuple[int, AgentState]]:
    """(start, state) of lea's life, equal neighbours taken as one."""
    spans = agents(log.events, config or Config())["main", "lea"]
    assert [s.end_ms for s in spans] == [*(s.start_ms for s in spans[1:]), FOREVER]
    changes: list[tuple[int, AgentState]] = []
    for span in spans:
        if not changes or changes[-1][1] is not span.state:
            changes.append((span.start_ms, span.state))
    return changes


def lea(log: Log, make: type, at_ms: int, contact: str = "c", **data: object) -> None:
    log.add(make, at_ms, agent="lea", contact=contact, **data)


def says(
    log: Log, at_ms: int, state: AgentState, queues: tuple[str, ...] | None = None, **data: object
) -> None:
    log.add(AgentStateChanged, at_ms, agent="lea", state=state, queues=queues, **data)


def test_an_agent_that_says_its_state_is_in_it_whatever_its_contacts_say() -> None:
    log = Log("main")
    lea(log, AgentAccepted, 10, queue="q")
    says(log, 100, S.PAUSED)
    says(log, 900, S.AVAILABLE)
    assert life(log) == [(100, S.PAUSED), (900, S.AVAILABLE)]


def test_two_states_at_one_instant_are_taken_by_id() -> None:
    log = Log("main")
    says(log, 100, S.PAUSED, id="b")
    says(log, 100, S.AVAILABLE, id="a")
    assert life(log) == [(100, S.PAUSED)]


def test_queues_left_out_stay_as_they_were() -> None:
    log = Log("main")
    says(log, 100, S.AVAILABLE)
    says(log, 200, S.AVAILABLE, ("q", "r"))
    says(log, 300, S.PAUSED)
    says(log, 400, S.AVAILABLE, ())
    queues = [sorted(span.queues) for span in agents(log.events, Config())["main", "lea"]]
    assert queues == [[], ["q", "r"], ["q", "r"], []]


def test_queues_never_given_are_those_of_the_contacts_so_far() -> None:
    log = Log("main")
    says(log, 100, S.AVAILABLE)
    lea(log, AgentOffered, 200, queue="q")
    log.add(QueueEntered, 250, contact="d", queue="r", segment="s")
    lea(log, AgentAccepted, 300, "d", segment="s")
    queues = [sorted(span.queues) for span in agents(log.events, Config())["main", "lea"]]
    assert queues == [[], ["q"], ["q", "r"]]


def test_a_contact_shows_ringing_in_contact_wrap_up_available() -> None:
    log = Log("main")
    lea(log, AgentOffered, 100, queue="q")
    lea(log, AgentAccepted, 200, queue="q")
    lea(log, TalkEnded, 500, queue="q")
    lea(log, WrapEnd, 800)
    assert life(log) == [(100, S.RINGING), (200, S.IN_CONTACT), (500, S.WRAP_UP), (800, S.AVAILABLE)]


@pytest.mark.parametrize("ender", [AgentNoAnswer, AgentOfferEnded])
def test_ringing_ends_without_answer(ender: type) -> None:
    log = Log("main")
    lea(log, AgentOffered, 100, queue="q")
    lea(log, ender, 300, queue="q")
    assert life(log) == [(100, S.RINGING), (300, S.AVAILABLE)]


def test_a_contact_that_ended_without_talk_ended_needs_no_wrap() -> None:
    log = Log("main")
    lea(log, AgentAccepted, 200, queue="q")
    log.add(ContactEnded, 500, contact="c")
    assert life(log) == [(200, S.IN_CONTACT), (500, S.AVAILABLE)]


def test_talk_ended_without_agent_is_of_the_one_who_accepted() -> None:
    log = Log("main")
    log.add(QueueEntered, 100, contact="c", queue="q")
    lea(log, AgentAccepted, 200, queue="q")
    log.add(TalkEnded, 500, contact="c")
    assert life(log) == [(200, S.IN_CONTACT), (500, S.WRAP_UP)]


@pytest.mark.parametrize(("wrap_up_s", "ends_ms"), [(None, 9000), (2, 2500), (30, 9000), (0, 500)])
def test_wrap_up_ends_by_itself_or_with_the_next_contact(wrap_up_s: float | None, ends_ms: int) -> None:
    config = Config(sources=[SourceConfig(id="pbx", kind="http", wrap_up_s=wrap_up_s)])
    log = Log("main")
    lea(log, AgentAccepted, 200, queue="q")
    lea(log, TalkEnded, 500, queue="q")
    lea(log, AgentAccepted, 9000, "next", queue="q")
    states = life(log, config)
    idle = [(ends_ms, S.AVAILABLE)] if ends_ms < 9000 else []
    wrap = [(500, S.WRAP_UP)] if ends_ms > 500 else []
    assert states == [(200, S.IN_CONTACT), *wrap, *idle, (9000, S.IN_CONTACT)]


def test_in_contact_beats_wrap_up_beats_ringing() -> None:
    log = Log("main")
    lea(log, AgentAccepted, 100, "a", queue="q")
    lea(log, AgentAccepted, 200, "b", queue="q")
    lea(log, TalkEnded, 300, "a", queue="q")
    lea(log, AgentOffered, 350, "c", queue="q")
    lea(log, TalkEnded, 400, "b", queue="q")
    lea(log, WrapEnd, 500, "a")
    lea(log, WrapEnd, 600, "b")
    lea(log, AgentNoAnswer, 700, "c", queue="q")
    assert life(log) == [(100, S.IN_CONTACT), (400, S.WRAP_UP), (600, S.RINGING), (700, S.AVAILABLE)]


def test_occupancy_by_hand() -> None:
    log = Log("main")
    says(log, 0, S.AVAILABLE, ("q",))
    says(log, 10_000, S.RINGING)
    says(log, 12_000, S.IN_CONTACT)
    says(log, 30_000, S.WRAP_UP)
    says(log, 36_000, S.PAUSED)
    says(log, 50_000, S.AVAILABLE)
    says(log, 60_000, S.IN_CONTACT, ("other",))
    lives = agents(log.events, Config()).values()
    whole = occupancy(lives, 0, 70_000, queue="q")
    assert (whole.numerator, whole.denominator, whole.value) == (24.0, 46.0, 24 / 46)
    clipped = occupancy(lives, 11_000, 35_000, queue="q")
    assert (clipped.numerator, clipped.denominator) == (23.0, 24.0)
    site = occupancy(lives, 0, 70_000, queue=None)
    assert (site.numerator, site.denominator) == (34.0, 56.0)


def test_an_agent_of_two_queues_counts_once_on_the_site() -> None:
    log = Log("main")
    says(log, 0, S.AVAILABLE, ("q", "r"))
    lives = agents(log.events, Config()).values()
    assert occupancy(lives, 0, 1000, queue=None).denominator == 1.0
    assert [state_counts(lives, 500, queue=q).available for q in ("q", "r", "other")] == [1, 1, 0]
    assert state_counts(lives, 500, queue=None) == StateCounts(available=1)


def test_agents_of_two_sites_are_two_agents() -> None:
    log = Log("main")
    says(log, 0, S.AVAILABLE)
    says(log, 0, S.PAUSED, site="other")
    assert set(agents(log.events, Config())) == {("main", "lea"), ("other", "lea")}
