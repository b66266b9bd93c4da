"""What nobody can fill: our memory and our time, with made-up names. SEMANTICS.md §10, §12."""

from typing import Any

from schemas.config import MAX_QUEUES_PER_SITE_UNCONFIGURED, MAX_SITES_UNCONFIGURED, Config, SiteConfig
from schemas.events import (
    AgentOffered,
    AgentStateChanged,
    ContactEnded,
    MessageIn,
    QueueEntered,
    SourceHeartbeat,
    Transfer,
)
from schemas.vocabulary import AgentState, Reason, TransferKind
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


class TestNames:
    def test_without_a_list_so_many_sites_appear_and_no_more(self) -> None:
        watching = Watching(Config())
        for n in range(MAX_SITES_UNCONFIGURED + 3):
            watching.tell(SourceHeartbeat, 0, site=f"s{n}")
        watching.restart(0)
        watching.tell(SourceHeartbeat, 0, site="another")
        watching.tell(SourceHeartbeat, 0, site="s0")
        assert len(watching.partition.sites) == MAX_SITES_UNCONFIGURED
        assert outcomes(watching) == {Reason.TOO_MANY: 1, Reason.ACCEPTED: 1}

    def test_without_a_list_so_many_queues_appear_on_a_site_and_no_more(self) -> None:
        watching = Watching(Config())
        names = [f"q{n}" for n in range(MAX_QUEUES_PER_SITE_UNCONFIGURED)]
        word: dict[str, Any] = {"agent": "lea", "state": AgentState.AVAILABLE}
        watching.tell(AgentStateChanged, 0, **word, queues=names)
        assert outcomes(watching) == {Reason.ACCEPTED: 1}
        watching.restart(0)
        for _ in range(2):
            watching.tell(QueueEntered, 1000, contact="a", queue="one-more")
        watching.tell(AgentStateChanged, 0, **word, queues=["q0", "one-more"])
        watching.tell(Transfer, 0, contact="b", kind=TransferKind.QUEUE, from_queue="q1", to_queue="another")
        assert outcomes(watching) == {Reason.TOO_MANY: 4}
        watching.tell(QueueEntered, 1000, contact="a", queue="q7")
        assert outcomes(watching) == {Reason.ACCEPTED: 1}
        site = watching.partition.sites[SITE]
        assert (sorted(site.queues), list(site.contacts)) == (sorted(names), ["a"])

    def test_a_site_of_the_file_has_as_many_queues_as_it_names(self) -> None:
        watching = Watching(Config(sites=[SiteConfig(id=SITE)]))
        for n in range(MAX_QUEUES_PER_SITE_UNCONFIGURED + 1):
            watching.tell(QueueEntered, n, contact=f"c{n}", queue=f"q{n}")
        assert outcomes(watching) == {Reason.ACCEPTED: MAX_QUEUES_PER_SITE_UNCONFIGURED + 1}
