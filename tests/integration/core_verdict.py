"""Is what the aggregator left behind right, whatever was done to it? Read from Kafka alone.

Beside it stands one uninterrupted fold of the same log by the same core, and for some sites the
slow fold of tests/oracle, which shares no code with it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from msgspec import structs

from schemas import codec
from schemas.board import Alert, QueueRow, SiteRow
from schemas.config import Config
from schemas.events import AnyEvent
from schemas.topics import ALERTS, EVENTS, SNAPSHOTS, STATE, partition_of
from schemas.vocabulary import OPEN_ALERT_STATES
from services.aggregator.core import records
from services.aggregator.core.partition import Partition
from services.aggregator.state_log import Loaded, StateLog, create_producer
from services.aggregator.verify.rows import plain, unlike
from tests.integration.core_load import LATE, PARTITIONS, SITES
from tests.integration.crash_worker import read
from tests.oracle.compare import differences
from tests.oracle.episodes import Episode, wait_alerts
from tests.oracle.fold import figures


@dataclass
class Verdict:
    """What was found; `faults` is empty when all holds."""

    events: int = 0
    rows: int = 0
    oracle_rows: int = 0
    alerts: int = 0
    transitions: int = 0
    repeats: int = 0
    late: int = 0
    corrected: int = 0
    suppressed: int = 0
    episodes: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.events} events; {self.rows} rows beside one fold of the log, {self.oracle_rows} beside "
            f"the oracle's; {self.episodes} episodes by the oracle, {self.alerts} alerts in "
            f"{self.transitions} versions ({self.repeats} sent again, {self.late} late, "
            f"{self.corrected} corrected, {self.suppressed} suppressed); "
            f"{len(self.faults)} differences"
        )


@dataclass
class Left:
    """Everything in Kafka at the end."""

    events: list[ConsumerRecord]
    rows: dict[bytes, ConsumerRecord]
    alerts: list[ConsumerRecord]
    state: dict[int, Loaded]


async def read_everything(bootstrap: str) -> Left:
    rows = {record.key: record for record in await read(bootstrap, SNAPSHOTS.name)}
    return Left(
        await read(bootstrap, EVENTS.name),
        rows,
        await read(bootstrap, ALERTS.name),
        await read_state(bootstrap),
    )


async def read_state(bootstrap: str) -> dict[int, Loaded]:
    """The state topic as a worker that starts now would read it."""
    producer = create_producer(bootstrap)
    try:
        return await StateLog(producer, bootstrap).load(range(PARTITIONS))
    finally:
        await producer.stop()


async def read_applied(bootstrap: str, *, tail: int = 2000) -> list[int]:
    """The offset that each partition's state is as of, from the end of the state topic alone.

    Looking must not keep the workers from working: the whole topic is hundreds of megabytes after minutes.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    tps = [TopicPartition(STATE.name, number) for number in range(PARTITIONS)]
    applied = dict.fromkeys(tps, -1)
    await consumer.start()
    try:
        consumer.assign(tps)
        first, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        for tp in tps:
            consumer.seek(tp, max(first[tp], ends[tp] - tail))
        while any([await consumer.position(tp) < ends[tp] for tp in tps]):
            for tp, found in (await consumer.getmany(timeout_ms=500)).items():
                for record in found:
                    if record.key == records.APPLIED_KEY and record.value is not None:
                        applied[tp] = records.unpack(records.APPLIED_KEY, record.value)[1].offset
    finally:
        await consumer.stop()
    return [applied[tp] for tp in tps]


def restored(state: dict[int, Loaded], config: Config, now_ms: int) -> list[Partition]:
    """Every partition from its state."""
    partitions = [Partition(number, config, now_ms) for number in range(PARTITIONS)]
    for partition in partitions:
        partition.restore(state[partition.number].records, now_ms)
    return partitions


def judge(left: Left, config: Config, *, settled_ms: int, oracle_sites: Sequence[str]) -> Verdict:
    """Compares all. `settled_ms`: from then on rows show the whole log."""
    verdict = Verdict(events=len(left.events))
    rows = _rows(left, settled_ms, verdict)
    afresh = _fold_afresh(left.events, config, settled_ms)
    for partition in restored(left.state, config, settled_ms):
        applied, wanted = partition.applied, afresh[partition.number].applied
        if applied != wanted:
            verdict.faults.append(f"partition {partition.number}: applied {applied}, log {wanted}")
    _judge_rows(rows, afresh, config, verdict)
    events = [codec.decode_event(record.value) for record in left.events]
    _judge_by_oracle(rows, events, config, oracle_sites, verdict)
    _judge_alerts(left, events, config, settled_ms, verdict)
    return verdict


def _rows(left: Left, settled_ms: int, verdict: Verdict) -> list[QueueRow | SiteRow]:
    """The newest row of each queue and site; one that was not renewed after `settled_ms` is a fault."""
    rows: list[QueueRow | SiteRow] = []
    for key, record in left.rows.items():
        kind, *_ = codec.decode_key(key)
        row = codec.decode_row(kind, record.value)
        if not isinstance(row, QueueRow | SiteRow):
            continue
        if row.as_of_ms < settled_ms:
            verdict.faults.append(f"{key.decode()}: last row {settled_ms - row.as_of_ms} ms before the end")
            continue
        rows.append(row)
    return sorted(rows, key=lambda row: row.as_of_ms)


def _fold_afresh(log: Iterable[ConsumerRecord], config: Config, now_ms: int) -> list[Partition]:
    partitions = [Partition(number, config, now_ms) for number in range(PARTITIONS)]
    for record in log:
        partitions[record.partition].fold(
            record.value, offset=record.offset, appended_ms=record.timestamp, now_ms=now_ms
        )
    return partitions


def _judge_rows(
    rows: list[QueueRow | SiteRow], afresh: list[Partition], config: Config, verdict: Verdict
) -> None:
    """Every row, field by field, against the uninterrupted fold moved to the row's own instant."""
    for row in rows:
        partition = afresh[partition_of(row.site.encode(), config.kafka.partitions)]
        partition.advance(row.as_of_ms)
        key = codec.queue_key(row.site, row.queue) if isinstance(row, QueueRow) else codec.site_key(row.site)
        wanted = next(p for p in partition.rows(row.as_of_ms, everything=True) if p.key == key)
        kind = "queue" if isinstance(row, QueueRow) else "site"
        expected = codec.decode_row(kind, wanted.value or b"")
        verdict.rows += 1
        verdict.faults += [f"{key.decode()} {line}" for line in unlike(plain(expected), plain(row))]


def _judge_by_oracle(
    rows: list[QueueRow | SiteRow],
    events: list[AnyEvent],
    config: Config,
    sites: Sequence[str],
    verdict: Verdict,
) -> None:
    """The rows of some sites against the slow fold, at each row's own instant."""
    known: dict[tuple[str, int], dict[tuple[str, str], object]] = {}
    for row in rows:
        if not isinstance(row, QueueRow) or row.site not in sites:
            continue
        at = (row.site, row.as_of_ms)
        if at not in known:
            own = [e for e in events if e.site == row.site and not e.id.startswith(LATE)]
            known[at] = dict(figures(own, _only(config, row.site), now_ms=row.as_of_ms))
        found = differences(known[at][row.site, row.queue], row)  # type: ignore[arg-type]
        verdict.oracle_rows += 1
        verdict.faults += [f"oracle {row.site}/{row.queue} {line}" for line in found]


def _only(config: Config, site: str) -> Config:
    queues = [q for q in config.queues if q.site == site]
    return structs.replace(config, sites=[config.site(site)], queues=queues)


def _judge_alerts(
    left: Left, events: list[AnyEvent], config: Config, settled_ms: int, verdict: Verdict
) -> None:
    """One content per (id, version), no version missing, the last as in the state, none lost."""
    contents: dict[str, dict[int, set[bytes]]] = defaultdict(lambda: defaultdict(set))
    partitions = restored(left.state, config, settled_ms)
    # a worker that was asked to stop may leave alerts in the flushed outbox, for its next start
    outbox = [publication.value or b"" for partition in partitions for publication in partition.outbox()]
    for value in [*(record.value for record in left.alerts), *outbox]:
        alert = codec.decode_alert(value)
        contents[alert.alert_id][alert.version].add(value)
    verdict.alerts = len(contents)
    verdict.transitions = sum(len(versions) for versions in contents.values())
    verdict.repeats = len(left.alerts) + len(outbox) - verdict.transitions
    last: dict[str, Alert] = {}
    for name, versions in contents.items():
        verdict.faults += [f"alert {name} v{v}: two contents {c}" for v, c in versions.items() if len(c) > 1]
        if sorted(versions) != list(range(1, max(versions) + 1)):
            verdict.faults.append(f"alert {name}: versions {sorted(versions)}")
        last[name] = codec.decode_alert(next(iter(versions[max(versions)])))
        told = [codec.decode_alert(c) for several in versions.values() for c in several]
        verdict.faults += [f"alert {name}: early" for a in told if a.fired_ms < a.crossed_ms]
        verdict.suppressed += sum(a.state == "suppressed" for a in told)
    verdict.late = sum(a.late for a in last.values())
    verdict.corrected = sum(a.reason == "corrected" for a in last.values())
    for partition in partitions:
        stored = [a for site in partition.sites.values() for a in site.alerts.stored.alerts]
        verdict.faults += [
            f"alert {a.alert_id}: state has {a}, log {last.get(a.alert_id)}"
            for a in stored
            if a != last.get(a.alert_id)
        ]
        still_open = {a.alert_id for a in stored if a.state in OPEN_ALERT_STATES}
        sites = set(partition.sites)
        verdict.faults += [
            f"alert {a.alert_id}: open in the log, not in the state"
            for a in last.values()
            if a.site in sites and a.state in OPEN_ALERT_STATES and a.alert_id not in still_open
        ]
    _judge_episodes(last, events, config, settled_ms, verdict)


def _judge_episodes(
    last: dict[str, Alert], events: list[AnyEvent], config: Config, settled_ms: int, verdict: Verdict
) -> None:
    """Alerts are the log's episodes: each there, with its end; those told too early were corrected."""
    wanted: dict[str, Episode] = {}
    for site in SITES:
        own = [e for e in events if e.site == site and not e.id.startswith(LATE)]
        wanted.update({e.alert_id: e for e in wait_alerts(own, _only(config, site), now_ms=settled_ms)})
    verdict.episodes = len(wanted)
    for name, episode in wanted.items():
        alert = last.get(name)
        if alert is None:
            verdict.faults.append(f"lost alert: {episode}")
        elif (
            alert.reason != "corrected"
            and alert.resolved_ms != episode.resolved_ms
            and not (episode.resolved_ms is None and (alert.resolved_ms or 0) > settled_ms)
        ):
            verdict.faults.append(
                f"{episode.site}/{episode.queue}: {alert.resolved_ms} not {episode.resolved_ms}: {alert}"
            )
    verdict.faults += [
        f"alert without episode: {alert}"
        for name, alert in last.items()
        if alert.source is None  # not on a source: of those the log has no episodes
        and name not in wanted
        and alert.reason != "corrected"
        and alert.crossed_ms <= settled_ms
    ]
