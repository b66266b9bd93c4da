"""Two sources of one system tell the same, one of them to the second: whose outcome holds, whose instant."""

import random

import pytest
from msgspec import structs

from schemas.vocabulary import AgentState, Outcome
from services.aggregator.core.facts import (
    ACCEPTED,
    CONTACT_ENDED,
    ENTERED,
    LEFT,
    OFFER_ENDED,
    OFFERED,
    TALK_ENDED,
    WRAP_END,
    WRAP_START,
    Fact,
)
from services.aggregator.core.visits import Story, tell


def exact(kind: int, at_ms: int, *, word: str | None = None, agent: str | None = None) -> Fact:
    return _fact("ami", kind, at_ms, word=word, agent=agent)


def whole(kind: int, at_ms: int, *, word: str | None = None, agent: str | None = None) -> Fact:
    """To the second, by the source that knows outcomes better."""
    return _fact("queue_log", kind, at_ms, word=word, agent=agent, rank=2, precision_ms=1000)


def _fact(
    source: str,
    kind: int,
    at_ms: int,
    *,
    word: str | None,
    agent: str | None,
    rank: int = 0,
    precision_ms: int = 0,
) -> Fact:
    segment = None if kind == CONTACT_ENDED else "c/support/1"
    queue = "support" if kind == ENTERED else None
    agent = agent or ("lea" if kind in (ACCEPTED, OFFERED, OFFER_ENDED, TALK_ENDED) else None)
    name = f"{kind}/{at_ms}"
    return Fact(kind, at_ms, name, source, rank, segment, queue, agent, word, precision_ms=precision_ms)


def told(*facts: Fact) -> Story:
    """The story, which is the same in whatever order the facts are told."""
    stories = []
    for seed in range(6):
        in_order = list(facts)
        random.Random(seed).shuffle(in_order)
        story = tell("c", in_order, lambda source, queue: None, {})
        stories.append((story, sorted(story.spans, key=lambda s: (s.agent, s.state, s.start_ms))))
    (first, spans), *others = stories
    for other, its_spans in others:
        assert its_spans == spans
        for visit, its in zip(first.visits, other.visits, strict=True):
            assert visit.waited_like(its)
            assert visit.handled_like(its)
    return Story(first.visits, spans)


ENTRY = exact(ENTERED, 1000)

ENDS = [
    # what else is told, outcome, instant
    ("only to the second", [whole(LEFT, 5000, word="timeout")], "timeout", 5000),
    (
        "the outcome of one, the instant of the other",
        [whole(LEFT, 5000, word="timeout"), exact(LEFT, 5712, word="abandoned")],
        *("timeout", 5712),
    ),
    (
        "exactly 2 s away is the same",
        [whole(LEFT, 5000, word="key"), exact(LEFT, 7000, word="abandoned")],
        *("key", 7000),
    ),
    (
        "more than 2 s away is something else",
        [whole(LEFT, 5000, word="key"), exact(LEFT, 7001, word="abandoned")],
        *("key", 5000),
    ),
    (
        "of several the most precise",
        [
            whole(LEFT, 5000, word="empty"),
            _fact("crm", LEFT, 5400, word="empty", agent=None, precision_ms=100),
            exact(LEFT, 5712, word="empty"),
        ],
        *("empty", 5712),
    ),
    (
        "of equally precise ones the first",
        [whole(LEFT, 5000, word="empty"), exact(LEFT, 5712, word="empty"), exact(LEFT, 5700, word="empty")],
        *("empty", 5700),
    ),
    (
        "those that are equally precise are settled as ever",
        [exact(LEFT, 5712, word="abandoned"), _fact("b", LEFT, 5000, word="abandoned", agent=None)],
        *("abandoned", 5000),
    ),
    (
        "an answer that lost tells when the contact left",
        [whole(LEFT, 5000, word="abandoned"), exact(ACCEPTED, 5900)],
        *("abandoned", 5900),
    ),
    (
        "an answer is timed by answers only",
        [whole(ACCEPTED, 5000), exact(LEFT, 5200, word="abandoned")],
        *("answered", 5000),
    ),
    (
        "an answer is timed by answers",
        [whole(ACCEPTED, 5000), exact(ACCEPTED, 5650), exact(LEFT, 5200, word="abandoned")],
        *("answered", 5650),
    ),
    (
        "without accepts by those who say answered",
        [whole(LEFT, 5000, word="answered"), exact(LEFT, 5650, word="answered")],
        *("answered", 5650),
    ),
    ("the end of the contact too", [whole(CONTACT_ENDED, 5000), exact(CONTACT_ENDED, 5321)], "unknown", 5321),
]


@pytest.mark.parametrize(("facts", "outcome", "ended_ms"), [e[1:] for e in ENDS], ids=[e[0] for e in ENDS])
def test_the_outcome_of_who_knows_best_and_the_instant_of_the_most_precise(
    facts: list[Fact], outcome: str, ended_ms: int
) -> None:
    (visit,) = told(ENTRY, *facts).visits
    assert (visit.outcome, visit.ended_ms) == (Outcome(outcome), ended_ms)


def test_an_entry_is_of_the_most_precise_and_of_its_clock() -> None:
    (visit,) = told(exact(ENTERED, 5650), whole(ENTERED, 5000)).visits
    assert (visit.entered_ms, visit.source) == (5650, "ami")


def test_an_instant_cut_down_to_before_the_entry_is_no_negative_wait() -> None:
    (visit,) = told(exact(ENTERED, 5650), whole(LEFT, 5000, word="abandoned")).visits
    assert visit.wait_ms == 0


def test_the_end_of_a_contact_cut_down_to_before_an_entry_may_still_be_its_end() -> None:
    (visit,) = told(exact(ENTERED, 5650), whole(CONTACT_ENDED, 5000)).visits
    assert (visit.outcome, visit.wait_ms) == (Outcome.UNKNOWN, 0)
    (visit,) = told(exact(ENTERED, 6000), whole(CONTACT_ENDED, 5000)).visits
    assert visit.outcome is None


def test_handling_is_measured_from_the_most_precise_to_the_most_precise() -> None:
    answer, end = (
        (whole(ACCEPTED, 5000), exact(ACCEPTED, 5650)),
        (whole(TALK_ENDED, 9000), exact(TALK_ENDED, 9100)),
    )
    wrap = (
        whole(WRAP_START, 9000),
        exact(WRAP_START, 9200),
        whole(WRAP_END, 12_000),
        exact(WRAP_END, 12_345),
    )
    (visit,) = told(ENTRY, *answer, *end, *wrap).visits
    assert (visit.talk_ended_ms, visit.handle_ms) == (9100, 9100 - 5650 + 12_345 - 9200)


SPANS = [
    (
        "one talk, though both tell of it",
        [whole(ACCEPTED, 5000), exact(ACCEPTED, 5650), whole(TALK_ENDED, 9000), exact(TALK_ENDED, 9900)],
        {(AgentState.IN_CONTACT, 5650, 9900), (AgentState.WRAP_UP, 9900, None)},
    ),
    (
        "a talk within a second has an end",
        [exact(ACCEPTED, 5650), whole(TALK_ENDED, 5000)],
        {(AgentState.IN_CONTACT, 5650, 5650), (AgentState.WRAP_UP, 5000, None)},
    ),
    (
        "an offer that only the other source ends",
        [exact(OFFERED, 5650), whole(OFFER_ENDED, 7000)],
        {(AgentState.RINGING, 5650, 7000)},
    ),
    (
        "no offer ends before it has begun",
        [exact(OFFERED, 5650), whole(LEFT, 5000, word="abandoned")],
        {(AgentState.RINGING, 5650, 5650)},
    ),
    (
        "a second offer is not the first",
        [whole(OFFERED, 5000), exact(OFFERED, 5650), whole(OFFERED, 25_000), exact(OFFER_ENDED, 20_650)],
        {(AgentState.RINGING, 5650, 20_650), (AgentState.RINGING, 25_000, None)},
    ),
    (
        "an end of talk that names nobody is told better by one who names the agent",
        [
            exact(ACCEPTED, 5650),
            structs.replace(whole(TALK_ENDED, 9000), agent=None),
            exact(TALK_ENDED, 9900),
        ],
        {(AgentState.IN_CONTACT, 5650, 9900), (AgentState.WRAP_UP, 9900, None)},
    ),
    (
        "the end of the contact told twice shortens nothing",
        [exact(ACCEPTED, 5650), whole(CONTACT_ENDED, 9000), exact(CONTACT_ENDED, 9900)],
        {(AgentState.IN_CONTACT, 5650, 9900)},
    ),
]


@pytest.mark.parametrize(("facts", "spans"), [s[1:] for s in SPANS], ids=[s[0] for s in SPANS])
def test_what_agents_do_is_told_once_and_not_shortened(
    facts: list[Fact], spans: set[tuple[AgentState, int, int | None]]
) -> None:
    found = [(s.state, s.start_ms, s.end_ms) for s in told(ENTRY, *facts).spans]
    assert (len(found), set(found)) == (len(spans), spans)
