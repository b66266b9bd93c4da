"""Queues and sites that leave the file. SEMANTICS.md §8: rule, queue gone is withdrawn."""

from typing import Any

from schemas.codec import agent_key, decode_alert, queue_key, site_key
from schemas.config import Config, QueueConfig, SiteConfig
from schemas.events import AgentAccepted, AgentStateChanged, QueueEntered, QueueLeft, TalkEnded
from schemas.topics import SNAPSHOTS
from schemas.vocabulary import AgentState, AlertState, Outcome, Reason
from services.aggregator.core.records import APPLIED_KEY
from tests.unit.aggregator.core.folding import rows
from tests.unit.aggregator.core.watching import QUEUE, SITE, START_MS, Watching

LIMIT = 60_000
BOTH = Config(
    sites=[SiteConfig(id=SITE)],
    queues=[QueueConfig(id=QUEUE, site=SITE, wait_limit_s=LIMIT / 1000), QueueConfig(id="sales", site=SITE)],
)
SALES = Config(sites=[SiteConfig(id=SITE)], queues=[QueueConfig(id="sales", site=SITE)])
ELSEWHERE = Config(sites=[SiteConfig(id="lyon")])


def fired() -> Watching:
    """A contact that has waited the limit, its alert just out."""
    watching = Watching(BOTH)
    watching.tell(QueueEntered, 0, contact="a", queue=QUEUE)
    [alert] = watching.at(LIMIT)
    assert alert.state is AlertState.FIRING
    return watching


def left(watching: Watching, at_ms: int) -> None:
    watching.tell(QueueLeft, at_ms, contact="a", queue=QUEUE, outcome=Outcome.ABANDONED)


def gone(watching: Watching, now_ms: int, *, everything: bool = False) -> list[bytes]:
    """The keys of the rows that are removed now."""
    due = watching.partition.rows(START_MS + now_ms, everything=everything)
    assert {p.topic for p in due} <= {SNAPSHOTS.name}
    return [p.key for p in due if p.value is None]


class TestQueues:
    def test_the_alert_is_withdrawn_and_no_rule_looks_at_who_still_waits(self) -> None:
        watching = fired()
        watching.restart(LIMIT, SALES)
        assert [a.state for a in watching.at(LIMIT)] == [AlertState.WITHDRAWN]
        assert watching.due_ms(LIMIT) is None
        assert watching.at(10 * LIMIT) == []
        found, _ = rows(watching.partition, START_MS + 10 * LIMIT)
        assert (found[SITE, QUEUE].waiting, found[SITE, QUEUE].position) == (1, None)

    def test_the_row_goes_once_nobody_waits(self) -> None:
        watching = fired()
        watching.restart(LIMIT, SALES)
        watching.at(LIMIT)
        assert gone(watching, LIMIT, everything=True) == []
        left(watching, LIMIT + 1000)
        watching.at(LIMIT + 1000)
        assert gone(watching, LIMIT + 1000) == [queue_key(SITE, QUEUE)]
        assert gone(watching, LIMIT + 2000) == []
        watching.restart(LIMIT + 3000)
        assert gone(watching, LIMIT + 3000, everything=True) == [queue_key(SITE, QUEUE)]
        assert list(rows(watching.partition, START_MS + LIMIT + 3000)[0]) == [(SITE, "sales")]

    def test_an_empty_one_goes_at_once(self) -> None:
        watching = Watching(BOTH)
        watching.at(0)
        watching.restart(0, SALES)
        assert gone(watching, 0, everything=True) == [queue_key(SITE, QUEUE)]

    def test_the_row_stays_while_an_agent_has_the_queue(self) -> None:
        watching = fired()
        watching.tell(AgentAccepted, LIMIT + 1000, contact="a", queue=QUEUE, agent="lea")
        watching.restart(LIMIT + 1000, SALES)
        watching.at(LIMIT + 1000)
        assert gone(watching, LIMIT + 1000, everything=True) == []
        watching.tell(TalkEnded, LIMIT + 2000, contact="a", queue=QUEUE, agent="lea")
        watching.at(LIMIT + 2000)
        assert gone(watching, LIMIT + 2000) == [queue_key(SITE, QUEUE)]

    def test_the_row_stays_while_an_agent_says_it_has_the_queue(self) -> None:
        watching = Watching(BOTH)
        words: dict[str, Any] = {"agent": "lea", "state": AgentState.AVAILABLE}
        watching.tell(AgentStateChanged, 0, **words, queues=[QUEUE])
        watching.restart(0, SALES)
        assert gone(watching, 0, everything=True) == []
        watching.tell(AgentStateChanged, 1000, **words, queues=["sales"])
        assert gone(watching, 1000) == [queue_key(SITE, QUEUE)]

    def test_entered_again_it_is_a_queue_that_appears_by_itself(self) -> None:
        watching = fired()
        left(watching, LIMIT + 1000)
        watching.restart(LIMIT + 1000, SALES)
        watching.at(LIMIT + 1000)
        assert gone(watching, LIMIT + 1000, everything=True) == [queue_key(SITE, QUEUE)]
        watching.tell(QueueEntered, 2 * LIMIT, contact="b", queue=QUEUE)
        for restarts in (False, True):
            if restarts:
                watching.restart(2 * LIMIT)
            found, _ = rows(watching.partition, START_MS + 2 * LIMIT)
            assert (found[SITE, QUEUE].limits.wait_s, found[SITE, QUEUE].waiting) == (120, 1)
        assert [a.state for a in watching.at(2 * LIMIT + 120_000)] == [AlertState.FIRING]
        left(watching, 5 * LIMIT)
        assert gone(watching, 5 * LIMIT) == []

    def test_one_that_was_never_in_the_file_stays(self) -> None:
        watching = Watching(SALES)
        watching.tell(QueueEntered, 0, contact="a", queue=QUEUE)
        left(watching, 1000)
        watching.restart(1000)
        assert gone(watching, 1000, everything=True) == []


class TestSites:
    def test_alerts_are_withdrawn_rows_and_then_records_removed(self) -> None:
        watching = fired()
        watching.tell(AgentAccepted, LIMIT, contact="b", queue=QUEUE, agent="lea")
        watching.restart(LIMIT, ELSEWHERE)
        assert watching.partition.sites.keys() == {"lyon"}
        keys = {queue_key(SITE, QUEUE), queue_key(SITE, "sales"), agent_key(SITE, "lea"), site_key(SITE)}
        assert set(gone(watching, LIMIT, everything=True)) == keys
        assert [a.state for a in watching.at(LIMIT)] == [AlertState.WITHDRAWN]
        assert gone(watching, LIMIT) == []
        assert set(gone(watching, LIMIT + 1000)) == keys
        for now_ms in (LIMIT + 10_000, LIMIT + 11_000):
            assert [a.state for a in watching.at(now_ms)] == []
            assert set(gone(watching, now_ms)) == (keys if now_ms == LIMIT + 10_000 else set())
        assert not [key for key in watching.topic.records if SITE.encode() in key]
        watching.restart(LIMIT + 12_000)
        assert gone(watching, LIMIT + 12_000, everything=True) == []

    def test_a_crash_before_the_withdrawal_went_out_repeats_it_as_it_was(self) -> None:
        watching = fired()
        watching.restart(LIMIT, ELSEWHERE)
        watching.topic.flush(watching.partition)
        [first] = [decode_alert(p.value or b"") for p in watching.partition.outbox()]
        watching.restart(LIMIT + 5000)
        assert watching.at(LIMIT + 5000) == [first]
        assert watching.at(LIMIT + 6000) == []
        assert site_key(SITE) in gone(watching, LIMIT + 6000)

    def test_what_is_told_of_an_unlisted_site_is_counted_and_has_no_row(self) -> None:
        watching = Watching(ELSEWHERE)
        watching.tell(QueueEntered, 0, contact="a", queue=QUEUE)
        watching.at(1000)
        assert rows(watching.partition, START_MS + 1000)[1].keys() == {"lyon"}
        assert watching.partition.observe().events == {("http", Reason.UNKNOWN_SITE): 1}
        assert [key for key in watching.topic.records if key != APPLIED_KEY and b"lyon" not in key] == []

    def test_without_a_list_no_site_leaves(self) -> None:
        watching = fired()
        watching.restart(LIMIT, Config())
        assert [a.state for a in watching.at(LIMIT)] == [AlertState.WITHDRAWN]  # the queue has left
        assert rows(watching.partition, START_MS + LIMIT)[1].keys() == {SITE}
