"""Which sources a queue is known by, and so how fresh it is. SEMANTICS.md §6."""

import pytest

from schemas.config import Config, QueueConfig, SiteConfig, SourceConfig
from schemas.events import AgentStateChanged, QueueEntered, SourceHeartbeat
from schemas.vocabulary import AgentState, Channel, Freshness
from tests.unit.aggregator.core.folding import rows
from tests.unit.aggregator.core.watching import QUEUE, SITE, START_MS, Watching

STALE = 15_000


def seen(watching: Watching, now_ms: int) -> tuple[list[str], Freshness]:
    watching.at(now_ms)
    row = rows(watching.partition, START_MS + now_ms)[0][SITE, QUEUE]
    return row.sources, row.freshness


def test_a_pbx_without_calls_speaks_for_the_queues_of_its_agents() -> None:
    watching = Watching(Config(sites=[SiteConfig(id=SITE)], queues=[QueueConfig(id=QUEUE, site=SITE)]))
    assert seen(watching, 0) == ([], Freshness.UNKNOWN)
    watching.tell(SourceHeartbeat, 0)
    assert seen(watching, 0) == ([], Freshness.UNKNOWN)
    watching.tell(AgentStateChanged, 0, agent="lea", state=AgentState.AVAILABLE, queues=[QUEUE])
    for restarts in (False, True):
        if restarts:
            watching.restart(0)
        assert seen(watching, 0) == (["pbx"], Freshness.LIVE)
        assert seen(watching, STALE) == (["pbx"], Freshness.STALE)


@pytest.mark.parametrize("tells", [False, True])
def test_a_source_configured_for_a_queue_is_one_of_its_sources(tells: bool) -> None:
    source = SourceConfig(id="pbx", kind="http", site=SITE, queues=[QUEUE])
    watching = Watching(
        Config(sites=[SiteConfig(id=SITE)], queues=[QueueConfig(id=QUEUE, site=SITE)], sources=[source])
    )
    assert seen(watching, 0) == (["pbx"], Freshness.UNKNOWN)
    watching.tell(SourceHeartbeat, 0)
    if tells:
        watching.tell(QueueEntered, 0, contact="a", queue=QUEUE, source="crm")
    assert seen(watching, 0) == (["crm", "pbx"] if tells else ["pbx"], Freshness.LIVE)
    assert seen(watching, STALE)[1] is Freshness.STALE


def test_a_source_configured_for_patient_queues_is_patient() -> None:
    source = SourceConfig(id="pbx", kind="http", site=SITE, queues=[QUEUE])
    queue = QueueConfig(id=QUEUE, site=SITE, channel=Channel.EMAIL)
    watching = Watching(Config(sites=[SiteConfig(id=SITE)], queues=[queue], sources=[source]))
    watching.tell(SourceHeartbeat, 0)
    watching.at(STALE)
    [row] = rows(watching.partition, START_MS + STALE)[1].values()
    assert [(s.source, s.freshness) for s in row.sources] == [("pbx", Freshness.LIVE)]
