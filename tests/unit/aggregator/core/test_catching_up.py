"""Rules wait while events that are in the log already are not folded in. DESIGN.md §2.11."""

from schemas.board import Alert
from schemas.codec import decode_alert
from schemas.config import Config, QueueConfig
from schemas.events import EVERY_SITE, INGEST_SOURCE, AnyEvent, QueueEntered, QueueLeft, SourceHeartbeat
from schemas.vocabulary import AlertState, Freshness, Outcome
from services.aggregator.core.partition import Partition
from tests.unit.aggregator.core.folding import StateTopic, fold, rows, whole

_T0 = 1_795_000_000_000
_CONFIG = Config(queues=[QueueConfig(id="support", wait_limit_s=5)])


def _beat(at_ms: int) -> AnyEvent:
    return SourceHeartbeat(
        id=f"b{at_ms}", source=INGEST_SOURCE, site=EVERY_SITE, occurred_ms=at_ms, received_ms=at_ms
    )


def _entered(at_ms: int) -> AnyEvent:
    return QueueEntered(
        id="e", source="pbx", site="main", contact="c", queue="support", occurred_ms=at_ms, received_ms=at_ms
    )


def _left(at_ms: int) -> AnyEvent:
    return QueueLeft(
        id="l",
        source="pbx",
        site="main",
        contact="c",
        queue="support",
        outcome=Outcome.ABANDONED,
        occurred_ms=at_ms,
        received_ms=at_ms,
    )


def _alerts(partition: Partition) -> list[Alert]:
    return [decode_alert(publication.value or b"") for publication in partition.outbox()]


def _taken_up(before: list[AnyEvent], now_ms: int) -> Partition:
    """A worker that starts now, from what another had flushed; nothing of the log is folded yet."""
    topic = StateTopic()
    partition = whole(_CONFIG, _T0)
    partition.claim()
    topic.flush(fold(before, _CONFIG, _T0 + 1000, partition=partition))
    return topic.restored(_CONFIG, now_ms)


def test_worker_that_takes_over_fires_nothing_before_it_has_read_the_log() -> None:
    now_ms = _T0 + 5500
    partition = _taken_up([_beat(_T0), _entered(_T0)], now_ms)
    partition.set_lag(end_reached=False, last_appended_ms=None, now_ms=now_ms)
    partition.advance(now_ms)
    assert partition.next_deadline_ms(now_ms) is None
    assert _alerts(partition) == []
    fold([_left(_T0 + 4000)], _CONFIG, now_ms, partition=partition)
    partition.set_lag(end_reached=True, last_appended_ms=_T0 + 4000, now_ms=now_ms)
    partition.advance(now_ms)
    assert _alerts(partition) == []


def test_worker_that_takes_over_after_half_a_minute_takes_nobody_for_silent() -> None:
    topic = StateTopic()
    partition = whole(_CONFIG, _T0)
    partition.claim()
    fold([_beat(_T0), _entered(_T0)], _CONFIG, _T0 + 6000, partition=partition)
    topic.flush(partition)
    now_ms = _T0 + 36_000
    again = topic.restored(_CONFIG, now_ms)
    again.set_lag(end_reached=False, last_appended_ms=None, now_ms=now_ms)
    again.advance(now_ms)
    assert again.is_catching_up
    assert again.behind_s == 36.0
    assert [alert.state for alert in _alerts(again)] == [AlertState.FIRING]


def test_rules_go_on_once_the_backlog_is_nearly_folded() -> None:
    now_ms = _T0 + 5500
    partition = _taken_up([_beat(_T0), _entered(_T0)], now_ms)
    partition.set_lag(end_reached=False, last_appended_ms=None, now_ms=now_ms)
    partition.advance(now_ms)
    partition.set_lag(end_reached=False, last_appended_ms=now_ms - 400, now_ms=now_ms)
    partition.advance(now_ms)
    assert [alert.state for alert in _alerts(partition)] == [AlertState.FIRING]


def test_the_first_events_of_a_log_are_no_reason_to_wait_long() -> None:
    partition = whole(_CONFIG, _T0)
    partition.set_lag(end_reached=False, last_appended_ms=None, now_ms=_T0)
    assert (partition.behind_s, partition.is_catching_up) == (0.0, False)
    assert _alerts(partition) == []


def test_while_the_log_is_behind_no_source_is_called_silent() -> None:
    """What it said since lies in the log, unread: the queue catches up, it is not stale."""
    now_ms = _T0 + 60_000
    partition = fold([_beat(_T0), _entered(_T0)], _CONFIG, now_ms)
    partition.set_lag(end_reached=False, last_appended_ms=_T0, now_ms=now_ms)
    queues, sites = rows(partition, now_ms)
    assert queues["main", "support"].freshness is Freshness.CATCHING_UP
    assert (queues["main", "support"].stale_at_ms or 0) > now_ms
    assert sites["main"].freshness is Freshness.CATCHING_UP
    partition.set_lag(end_reached=True, last_appended_ms=now_ms, now_ms=now_ms)
    assert rows(partition, now_ms)[0]["main", "support"].freshness is Freshness.STALE
