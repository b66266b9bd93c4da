"""An alert's life as the aggregator tells it, and a centre whose leads can be reached."""

from typing import Any

from msgspec.structs import replace

from schemas.board import Alert
from schemas.config import (
    ChannelConfig,
    Config,
    PersonConfig,
    QueueConfig,
    SiteConfig,
    SmtpConfig,
    TeamConfig,
)
from schemas.notices import notice_of
from schemas.vocabulary import AlertState
from tests.unit.api.rows import NOW, alert

LEA = PersonConfig(
    id="lea", channels=[ChannelConfig(kind="webhook", url="https://phone.test/lea", secret_env="LEA")]
)
BOB = PersonConfig(id="bob", channels=[ChannelConfig(kind="email", address="bob@x.test")])
IDLE = PersonConfig(id="idle")

CENTRE = Config(
    sites=[SiteConfig(id="paris", time_zone="Europe/Paris", label="Paris")],
    queues=[QueueConfig(id="support", site="paris", team="n1", label="Support N1")],
    teams=[TeamConfig(id="n1", leads=["lea"])],
    people=[LEA, BOB, IDLE],
    smtp=SmtpConfig(sender="Vigie <vigie@x.test>"),
)


def led_by(*leads: str) -> Config:
    """The centre with other leads."""
    return replace(CENTRE, teams=[TeamConfig(id="n1", leads=list(leads))])


class Story:
    """One alert: each step gives its next version, at its instant."""

    def __init__(self, alert_id: str = "00000000000000a1", *, now_ms: int = NOW, **changed: Any) -> None:
        self.now = alert(alert_id, now_ms=now_ms + 1000, waiting=3, **changed)

    def fired(self) -> Alert:
        return self.now

    def moved(self, state: AlertState, **changed: Any) -> Alert:
        at_ms = (self.now.updated_ms or 0) + 1000
        before = self.now
        now = replace(before, state=state, version=before.version + 1, updated_ms=at_ms, **changed)
        self.now = replace(now, notice=notice_of(before, now))
        return self.now

    def acknowledged(self, by: str = "Léa") -> Alert:
        at_ms = (self.now.updated_ms or 0) + 1000
        return self.moved(AlertState.ACKNOWLEDGED, acknowledged_by=by, acknowledged_ms=at_ms)

    def snoozed(self, until_ms: int = NOW + 600_000) -> Alert:
        return self.moved(AlertState.SNOOZED, snoozed_until_ms=until_ms)

    def suppressed(self) -> Alert:
        return self.moved(AlertState.SUPPRESSED, reason="stale")

    def back(self, state: AlertState) -> Alert:
        """Live again, or the end of a snooze: the state before."""
        return self.moved(state, reason=None)

    def resolved(self, reason: str | None = None) -> Alert:
        at_ms = (self.now.updated_ms or 0) + 1000
        return self.moved(AlertState.RESOLVED, resolved_ms=at_ms, reason=reason)

    def withdrawn(self) -> Alert:
        return self.moved(AlertState.WITHDRAWN, resolved_ms=self.now.updated_ms)
