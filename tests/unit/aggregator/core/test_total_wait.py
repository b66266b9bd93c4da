"""The total wait of a contact goes with it from queue to queue. SEMANTICS.md §1."""

from schemas.board import AgentRow
from schemas.codec import decode_key, decode_row
from schemas.config import Config
from schemas.events import AgentAccepted, QueueEntered, QueueLeft, TalkEnded
from schemas.vocabulary import Outcome
from tests.unit.aggregator.core.watching import START_MS, Watching

MINUTE = 60_000


def waited(watching: Watching, agent: str, now_ms: int) -> list[float | None]:
    """What is told of the contacts that the agent has in hand."""
    watching.at(now_ms)
    for publication in watching.partition.rows(START_MS + now_ms, everything=True):
        if decode_key(publication.key)[0] == "agent":
            row = decode_row("agent", publication.value or b"")
            assert isinstance(row, AgentRow)
            if row.agent == agent:
                return [contact.waited_s for contact in row.contacts]
    raise AssertionError("no such agent")


def test_it_adds_up_over_transfers_and_lasts_while_the_contact_is_in_hand() -> None:
    watching = Watching(Config())
    watching.tell(QueueEntered, 0, contact="a", queue="support", segment="1")
    watching.tell(AgentAccepted, 30_000, contact="a", queue="support", segment="1", agent="lea")
    assert waited(watching, "lea", 31_000) == [30.0]
    watching.tell(TalkEnded, 90_000, contact="a", segment="1", agent="lea")
    watching.tell(QueueEntered, 90_000, contact="a", queue="sales", segment="2")
    watching.tell(QueueLeft, 100_000, contact="a", segment="2", outcome=Outcome.TRANSFERRED)
    watching.tell(QueueEntered, 100_000, contact="a", queue="billing", segment="3")
    watching.tell(AgentAccepted, 105_000, contact="a", segment="3", agent="noe")
    assert waited(watching, "noe", 106_000) == [45.0]
    for now_ms in range(2 * MINUTE, 30 * MINUTE, MINUTE):
        watching.at(now_ms)
    watching.restart(30 * MINUTE)
    assert waited(watching, "noe", 30 * MINUTE) == [45.0]


def test_of_a_contact_that_nobody_saw_entering_nothing_is_known() -> None:
    watching = Watching(Config())
    watching.tell(AgentAccepted, 0, contact="a", queue="support", agent="lea")
    assert waited(watching, "lea", 1000) == [None]
