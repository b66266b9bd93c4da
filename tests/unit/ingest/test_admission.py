"""Which sites and queues may appear: SEMANTICS.md §10."""

from schemas.events import SourceEvent
from schemas.vocabulary import Reason
from services.ingest.admission import Admission
from tests.unit.ingest.posts import entered, post, taken


def event(site: str, queue: str = "q") -> SourceEvent:
    return taken(entered(site=site, data={"contact": "c", "queue": queue})).event


def reason(admission: Admission, said: SourceEvent) -> Reason | None:
    refused = admission.refuse(said)
    return refused.reason if refused else None


def test_listed_sites_only_when_some_are_listed() -> None:
    admission = Admission(frozenset({"paris", "lyon"}))
    assert reason(admission, event("lyon")) is None
    assert reason(admission, event("main")) is Reason.UNKNOWN_SITE


def test_queues_of_listed_sites_are_not_counted() -> None:
    admission = Admission(frozenset({"paris"}), max_queues=1)
    assert [reason(admission, event("paris", f"q{i}")) for i in range(3)] == [None] * 3


def test_sites_appear_up_to_the_bound_and_stay() -> None:
    admission = Admission(frozenset(), max_sites=2)
    outcomes = [reason(admission, event(site)) for site in ("a", "b", "c", "a", "b")]
    assert outcomes == [None, None, Reason.TOO_MANY, None, None]


def test_twenty_sites_and_five_hundred_queues_by_default() -> None:
    admission = Admission(frozenset())
    assert [reason(admission, event(f"s{i}")) for i in range(21)] == [None] * 20 + [Reason.TOO_MANY]
    outcomes = [reason(admission, event("s0", f"q{i}" if i else "q")) for i in range(501)]
    assert outcomes == [None] * 500 + [Reason.TOO_MANY]


def test_every_queue_that_an_event_names_is_counted() -> None:
    admission = Admission(frozenset(), max_queues=3)
    data = {"agent": "lea", "state": "available", "queues": ["a", "b"]}
    assert reason(admission, taken(post("vigie.agent.state.v1", data=data)).event) is None
    move = {"contact": "c", "kind": "queue", "from_queue": "a", "to_queue": "d"}
    assert reason(admission, taken(post("vigie.transfer.v1", data=move)).event) is None
    assert reason(admission, event("paris", "e")) is Reason.TOO_MANY
    assert reason(admission, event("paris", "d")) is None


def test_event_without_queue_needs_no_room() -> None:
    admission = Admission(frozenset(), max_queues=0)
    hold = post("vigie.hold.start.v1", data={"contact": "c"})
    assert reason(admission, taken(hold).event) is None


def test_what_is_refused_makes_nothing_known() -> None:
    admission = Admission(frozenset(), max_sites=2, max_queues=1)
    data = {"agent": "lea", "state": "available", "queues": ["a", "b"]}
    assert reason(admission, taken(post("vigie.agent.state.v1", data=data)).event) is Reason.TOO_MANY
    assert reason(admission, event("x")) is None
    assert reason(admission, event("y")) is None
