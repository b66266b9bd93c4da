"""What the shell relies on, asked alike of the real fold and of the counting double."""

import pytest

from schemas import codec
from schemas.config import Config, QueueConfig
from schemas.errors import InvalidMessage
from schemas.events import EVERY_SITE, INGEST_SOURCE, QueueEntered, SourceHeartbeat
from schemas.topics import ALERTS, SNAPSHOTS
from services.aggregator.core.partition import Partition
from services.aggregator.folding import Folding, Make
from tests.doubles.counting_partition import CountingPartition

_T0 = 1_795_321_200_000
_CONFIG = Config(queues=[QueueConfig(id="support", wait_limit_s=120)])


@pytest.fixture(params=[Partition, CountingPartition], ids=["core", "counting"])
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


def _fold(partition: Folding, offset: int, *, at: int = _T0) -> None:
    event = QueueEntered(
        id=f"e{offset}",
        source="pbx1",
        site="main",
        queue="support",
        contact=f"c{offset}",
        occurred_ms=at,
        received_ms=at,
    )
    letter = partition.fold(codec.encode(event), offset=offset, appended_ms=at, now_ms=at)
    assert letter is None


def _hear_ingest(partition: Folding, offset: int, *, at: int) -> None:
    """Without it every source is stale, and rules wait."""
    beat = SourceHeartbeat(
        id=f"beat{offset}", source=INGEST_SOURCE, site=EVERY_SITE, occurred_ms=at, received_ms=at
    )
    partition.fold(codec.encode(beat), offset=offset, appended_ms=at, now_ms=at)


def _restored(make: Make, changes: list[tuple[bytes, bytes | None]], *, now_ms: int = _T0) -> Folding:
    partition = make(0, _CONFIG, now_ms)
    partition.restore({key: value for key, value in changes if value is not None}, now_ms)
    return partition


def test_new_partition_has_applied_nothing(make: Make) -> None:
    partition = make(0, _CONFIG, _T0)
    assert (partition.applied, partition.epoch) == (-1, 0)


def test_claim_is_a_change_and_comes_back_with_the_state(make: Make) -> None:
    partition = make(0, _CONFIG, _T0)
    partition.claim()
    restored = _restored(make, partition.changes())
    assert (restored.applied, restored.epoch) == (-1, 1)


def test_changes_end_with_applied_and_are_given_once(make: Make) -> None:
    partition = make(0, _CONFIG, _T0)
    partition.claim()
    applied_key = partition.changes()[-1][0]
    _fold(partition, 0)
    assert partition.changes()[-1][0] == applied_key
    assert partition.changes() == []


def test_applied_may_be_raised_before_the_claim(make: Make) -> None:
    partition = make(0, _CONFIG, _T0)
    partition.applied = 41
    partition.claim()
    assert _restored(make, partition.changes()).applied == 41


def test_what_is_no_event_is_a_dead_letter_and_still_applied(make: Make) -> None:
    partition = make(0, _CONFIG, _T0)
    for offset, value in enumerate((None, b"", b"\xff\xfe", b"[" * 20_000, b'{"type": "nothing"}')):
        letter = partition.fold(value, offset=offset, appended_ms=_T0, now_ms=_T0)
        assert letter is not None
        assert letter.size == len(value or b"")
    assert partition.applied == 4


def test_state_that_is_not_ours_is_refused(make: Make) -> None:
    with pytest.raises(InvalidMessage):
        make(0, _CONFIG, _T0).restore({b"nonsense": b"nonsense"}, _T0)


def test_wait_limit_is_a_deadline_also_after_a_restart(make: Make) -> None:
    partition = make(0, _CONFIG, _T0)
    partition.claim()
    _fold(partition, 0)
    for each in (partition, _restored(make, partition.changes())):
        each.set_lag(end_reached=True, last_appended_ms=_T0, now_ms=_T0 + 1)
        each.advance(_T0 + 1)
        due = each.next_deadline_ms(_T0 + 1)
        assert due is not None
        assert due <= _T0 + 120_000


def test_alert_stays_in_the_outbox_over_a_restart_until_published(make: Make) -> None:
    partition = make(0, _CONFIG, _T0)
    partition.claim()
    _fold(partition, 0)
    now = _T0 + 121_000
    _hear_ingest(partition, 1, at=now)
    partition.set_lag(end_reached=True, last_appended_ms=_T0, now_ms=now)
    partition.advance(now)
    changes = partition.changes()
    restored = _restored(make, changes, now_ms=now)
    waiting = restored.outbox()
    assert [each.topic for each in waiting] == [ALERTS.name]
    assert [each.value for each in waiting] == [each.value for each in partition.outbox()]
    restored.published(waiting)
    assert restored.outbox() == []
    again = _restored(make, changes + restored.changes(), now_ms=now)
    assert again.outbox() == []


def test_rows_of_everything_hold_each_queue(make: Make) -> None:
    partition = make(0, _CONFIG, _T0)
    _fold(partition, 0)
    rows = partition.rows(_T0, everything=True)
    assert codec.queue_key("main", "support") in {row.key for row in rows}
    assert {row.topic for row in rows} == {SNAPSHOTS.name}


def test_counts_are_given_once(make: Make) -> None:
    partition = make(0, _CONFIG, _T0)
    _fold(partition, 0)
    assert sum(partition.observe().offered.values()) == 1
    assert sum(partition.observe().offered.values()) == 0
