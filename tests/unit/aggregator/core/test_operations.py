"""Operations alerts: a source that is silent, a log with a hole, as a script of times."""

from schemas.board import Alert
from schemas.config import Config, SiteConfig, SourceConfig
from schemas.events import (
    API_SOURCE,
    NOTIFIER_SOURCE,
    AlertAcknowledge,
    AlertResolve,
    NoticeUndelivered,
    QueueEntered,
    SourceHeartbeat,
)
from schemas.vocabulary import AlertState, Severity
from services.aggregator.core.alerts import alert_id
from tests.unit.aggregator.core.test_alerts import brief
from tests.unit.aggregator.core.watching import QUEUE, SITE, START_MS, Watching

HOUR = 3_600_000
PBX = Config(
    sites=[SiteConfig(id=SITE)],
    sources=[SourceConfig(id="pbx1", kind="asterisk_ami", site=SITE, stale_after_s=20)],
)


def told(watching: Watching) -> list[Alert]:
    """What went out on operations since this was last asked."""
    found = list(watching.on_operations)
    watching.on_operations.clear()
    return found


def beaten(config: Config = PBX) -> Watching:
    """A source with heartbeats of its own, heard at 60 s, by a worker that has run for a minute."""
    watching = Watching(config)
    watching.tell(QueueEntered, 0, source="pbx1", contact="a", queue=QUEUE)
    for at_ms in (0, 30_000, 60_000):
        watching.tell(SourceHeartbeat, at_ms, source="pbx1")
        watching.at(at_ms)
    assert told(watching) == []
    return watching


class TestSilentSource:
    def test_fires_when_it_has_been_silent_past_its_limit(self) -> None:
        watching = beaten()
        watching.at(79_999)
        assert told(watching) == []
        watching.at(80_000)
        [alert] = told(watching)
        assert (alert.state, alert.rule, alert.severity) == (
            AlertState.FIRING,
            "source_silent",
            Severity.WARNING,
        )
        assert (alert.source, alert.queue, alert.channel, alert.team) == ("pbx1", "", None, None)
        assert (alert.metric, alert.value, alert.threshold) == ("source_age_s", 20.0, 20.0)
        assert (alert.crossed_ms, alert.late) == (START_MS + 80_000, False)
        assert alert.alert_id == alert_id(SITE, "pbx1", "source_silent", START_MS + 80_000)
        watching.at(200_000)
        assert told(watching) == []

    def test_ends_when_it_is_heard_again(self) -> None:
        watching = beaten()
        watching.at(80_000)
        watching.restart(85_000)
        watching.tell(SourceHeartbeat, 90_000, source="pbx1")
        watching.at(91_000)
        _, ended = told(watching)
        assert (ended.state, ended.version, ended.resolved_ms) == (
            AlertState.RESOLVED,
            2,
            START_MS + 90_000,
        )

    def test_is_taken_and_closed_like_any_other(self) -> None:
        watching = beaten()
        watching.at(80_000)
        [alert] = told(watching)
        for make, command in ((AlertAcknowledge, "a"), (AlertResolve, "r")):
            watching.tell(make, 81_000, source=API_SOURCE, alert_id=alert.alert_id, command=command, by="zoe")
        watching.at(81_000)
        assert brief(told(watching)) == [("acknowledged", 2), ("resolved", 3)]
        watching.at(200_000)
        assert told(watching) == []  # still silent: it was closed by hand
        watching.tell(SourceHeartbeat, 201_000, source="pbx1")
        watching.at(201_000)
        watching.at(222_000)
        assert brief(told(watching)) == [("firing", 1)]

    def test_one_that_never_sent_a_heartbeat_is_spoken_for_by_ingest(self) -> None:
        watching = Watching()
        watching.tell(QueueEntered, 0, source="shop", contact="a", queue=QUEUE)
        for at_ms in (0, 30_000, 60_000):
            watching.at(at_ms)
        watching.at(76_000, is_heard=False)
        [alert] = told(watching)
        assert (alert.source, alert.crossed_ms) == ("vigie/ingest", START_MS + 75_000)
        watching.at(80_000)
        assert brief(told(watching)) == [("resolved", 2)]

    def test_while_ingest_is_silent_nobody_knows_of_the_others(self) -> None:
        watching = beaten()
        for at_ms in range(61_000, 120_000, 1000):
            watching.at(at_ms, is_heard=False)
        assert [alert.source for alert in told(watching)] == ["vigie/ingest"]

    def test_a_worker_that_starts_gives_them_their_time(self) -> None:
        """A system that was stopped for an hour is not silent for having been stopped."""
        watching = beaten()
        watching.restart(HOUR)
        watching.at(HOUR + 14_000, is_heard=False)
        assert told(watching) == []
        watching.tell(SourceHeartbeat, HOUR + 15_000, source="pbx1")
        watching.at(HOUR + 16_000)
        assert told(watching) == []
        watching.restart(2 * HOUR)
        watching.at(2 * HOUR + 19_000)
        assert told(watching) == []
        watching.at(2 * HOUR + 20_000)
        [alert] = told(watching)
        assert (alert.source, alert.late) == ("pbx1", True)

    def test_while_the_log_is_behind_nobody_is_called_silent(self) -> None:
        watching = beaten()
        now_ms = START_MS + 200_000
        watching.partition.set_lag(end_reached=False, last_appended_ms=START_MS + 60_000, now_ms=now_ms)
        watching.at(200_000)
        assert told(watching) == []


class TestHoleInTheLog:
    def test_is_told_once_on_every_site_of_the_partition(self) -> None:
        watching = beaten()
        watching.partition.tell_gap(12, START_MS + 61_000)
        watching.at(61_000)
        [alert] = told(watching)
        assert (alert.rule, alert.source, alert.severity) == (
            "log_gap",
            "vigie.events/0",
            Severity.WARNING,
        )
        assert (alert.metric, alert.value, alert.crossed_ms) == ("events_missed", 12, START_MS + 61_000)
        watching.restart(62_000)
        watching.at(63_000)
        assert told(watching) == []

    def test_how_many_may_be_unknown(self) -> None:
        watching = beaten()
        watching.partition.tell_gap(None, START_MS + 61_000)
        watching.at(61_000)
        assert [alert.value for alert in told(watching)] == [None]

    def test_ends_after_a_day(self) -> None:
        watching = Watching()
        watching.tell(QueueEntered, 0, contact="a", queue=QUEUE)
        watching.partition.tell_gap(12, START_MS)
        for hour in range(24):
            watching.at(hour * HOUR)
        assert brief(told(watching)) == [("firing", 1)]
        watching.at(24 * HOUR)
        assert brief(told(watching)) == [("resolved", 2)]

    def test_another_hole_takes_its_place(self) -> None:
        watching = beaten()
        watching.partition.tell_gap(12, START_MS + 61_000)
        watching.at(61_000)
        watching.partition.tell_gap(3, START_MS + 62_000)
        watching.at(62_000)
        assert [(a.state.value, a.value) for a in told(watching)] == [
            ("firing", 12),
            ("resolved", 12),
            ("firing", 3),
        ]

    def test_closed_by_hand_it_is_over_and_the_next_one_is_told(self) -> None:
        watching = beaten()
        watching.partition.tell_gap(12, START_MS + 61_000)
        watching.at(61_000)
        [alert] = told(watching)
        watching.tell(AlertResolve, 62_000, source=API_SOURCE, alert_id=alert.alert_id, command="r", by="zoe")
        watching.at(62_000)
        watching.at(65_000)
        assert brief(told(watching)) == [("resolved", 2)]
        watching.partition.tell_gap(1, START_MS + 66_000)
        watching.at(66_000)
        assert brief(told(watching)) == [("firing", 1)]


class TestUndeliveredNotice:
    def test_is_told_once_a_day_for_each_channel_of_a_person(self) -> None:
        watching = beaten()
        undelivered(watching, 61_000, "lea", "webhook", tries=64)
        undelivered(watching, 61_000, "lea", "email", tries=3)
        undelivered(watching, 70_000, "lea", "webhook", tries=64)
        watching.at(71_000)
        alerts = told(watching)
        assert [(a.rule, a.source, a.value) for a in alerts] == [
            ("notice_undelivered", "lea/webhook", 64),
            ("notice_undelivered", "lea/email", 3),
        ]
        assert {(a.metric, a.severity, a.queue, a.crossed_ms, a.version) for a in alerts} == {
            ("notice_tries", Severity.WARNING, "", START_MS + 61_000, 1)
        }
        watching.restart(72_000)
        undelivered(watching, 73_000, "lea", "webhook", tries=64)
        watching.at(74_000)
        assert told(watching) == []

    def test_ends_after_a_day_and_the_next_is_told(self) -> None:
        watching = Watching()
        watching.tell(QueueEntered, 0, contact="a", queue=QUEUE)
        undelivered(watching, 0, "lea", "webhook", tries=64)
        for hour in range(24):
            watching.at(hour * HOUR)
        undelivered(watching, 23 * HOUR + 1, "lea", "webhook", tries=64)
        assert brief(told(watching)) == [("firing", 1)]
        watching.at(24 * HOUR)
        assert brief(told(watching)) == [("resolved", 2)]
        undelivered(watching, 25 * HOUR, "lea", "webhook", tries=2)
        watching.at(25 * HOUR)
        assert brief(told(watching)) == [("firing", 1)]

    def test_one_of_the_day_before_is_told_to_nobody(self) -> None:
        watching = Watching()
        watching.tell(QueueEntered, 0, contact="a", queue=QUEUE)
        watching.at(25 * HOUR)
        undelivered(watching, 0, "lea", "webhook", tries=64, now_ms=25 * HOUR)
        watching.at(25 * HOUR + 1000)
        assert told(watching) == []

    def test_it_is_no_source(self) -> None:
        watching = beaten()
        undelivered(watching, 61_000, "lea", "webhook", tries=64)
        assert sorted(watching.partition.sites[SITE].hearing.sources) == ["pbx1"]


def undelivered(
    watching: Watching, at_ms: int, person: str, channel: str, *, tries: int, now_ms: int | None = None
) -> None:
    said = {"source": NOTIFIER_SOURCE, "person": person, "channel": channel, "tries": tries}
    watching.tell(NoticeUndelivered, at_ms, now_ms=now_ms, **said)
