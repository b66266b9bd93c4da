"""What nobody can fill: our memory and our time, with made-up names. SEMANTICS.md §10, §12."""

from schemas.config import Config
from schemas.events import AgentOffered, ContactEnded, MessageIn, QueueEntered
from schemas.vocabulary import Reason
from services.aggregator.core.contacts import MAX_FACTS
from tests.unit.aggregator.core.folding import rows
from tests.unit.aggregator.core.watching import QUEUE, SITE, START_MS, Watching


def outcomes(watching: Watching) -> dict[Reason, int]:
    return {reason: n for (_, reason), n in watching.partition.observe().events.items()}


class TestContacts:
    def test_of_one_contact_so_many_facts_are_kept_and_the_rest_is_counted(self) -> None:
        watching = Watching(Config())
        for n in range(MAX_FACTS + 50):
            watching.tell(QueueEntered, n, contact="unknown", queue=QUEUE)
        watching.tell(ContactEnded, 1000, contact="unknown")
        watching.at(1000)
        assert outcomes(watching) == {Reason.ACCEPTED: MAX_FACTS, Reason.TOO_MANY: 51}
        watching.restart(1000)
        watching.tell(QueueEntered, 1001, contact="unknown", queue=QUEUE)
        watching.tell(QueueEntered, 0, id="e000000", contact="unknown", queue=QUEUE)
        watching.tell(QueueEntered, 1002, contact="somebody", queue=QUEUE)
        assert outcomes(watching) == {Reason.TOO_MANY: 1, Reason.DUPLICATE: 1, Reason.ACCEPTED: 1}
        found, _ = rows(watching.partition, START_MS + 1002)
        assert found[SITE, QUEUE].waiting == MAX_FACTS + 1

    def test_news_of_a_full_contact_are_taken_and_only_so_many_remembered(self) -> None:
        watching = Watching(Config())
        for n in range(MAX_FACTS):
            watching.tell(AgentOffered, n, contact="a", queue=QUEUE, agent=f"a{n % 20}")
        for n in range(1200):
            watching.tell(MessageIn, 1000 + n, contact="a")
        contact = watching.partition.sites[SITE].contacts["a"]
        assert len(contact.seen) == 1000 * 8
        assert contact.news_ms == START_MS + 2199
        assert outcomes(watching) == {Reason.ACCEPTED: MAX_FACTS + 1200}
