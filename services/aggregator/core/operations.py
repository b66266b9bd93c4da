"""Operations alerts: on the system itself, in force everywhere without being configured. DESIGN.md §2.11.

`source_silent`: a source that sends heartbeats of its own has been silent past its limit; for all the
others ingest speaks, so its silence is one alert. `log_gap`: events are missing from the log, so the
figures of the last 24 hours may miss them. `notice_undelivered`: somebody could not be told of an alert
by one of their channels; one alert a day for each channel.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from schemas.board import Alert
from schemas.topics import EVENTS
from schemas.vocabulary import AlertState, OperationsRule, Severity
from services.aggregator.core.episodes import Span
from services.aggregator.core.following import Crossing
from services.aggregator.core.sources import STALE_AFTER_LIVE_MS, Heard

TOLD_MS = 24 * 3600_000
"""How long a fact is told of: as long as a window of a day holds it."""
_METRICS = {
    OperationsRule.LOG_GAP: "events_missed",
    OperationsRule.NOTICE_UNDELIVERED: "notice_tries",
}
INGEST_BEAT_MS = 10_000
"""Two of ingest's heartbeats: without any for so long it may be ingest that is silent, not the source."""


class SilenceSight(NamedTuple):
    """A source as one look hears it. `since_ms`: since when this worker listens to it.

    What was said before is in the log, but what is not said yet may be about to be: a system that
    starts is not silent for having been stopped.
    """

    site: str
    source: str
    heard: Heard
    is_sure: bool
    since_ms: int
    now_ms: int

    @property
    def turns(self) -> int:
        return 2

    @property
    def limit_ms(self) -> int:
        return (self.heard.stale_at_ms or 0) - (self.heard.heard_ms or 0)

    def crossing(self, past: Sequence[Span]) -> Crossing | None:
        at_ms = self.heard.stale_at_ms
        if at_ms is None or not self.is_sure or self.now_ms < max(at_ms, self.since_ms + self.limit_ms):
            return None
        return Crossing(at_ms, at_ms)

    def crossed_ms(self, told_ms: int) -> int | None:
        return told_ms

    def over_ms(self, from_ms: int) -> int | None:
        heard_ms = self.heard.heard_ms
        return (
            max(from_ms, heard_ms) if heard_ms is not None and not self.heard.is_stale(self.now_ms) else None
        )

    def passed(self, past: Sequence[Span]) -> Sequence[Span]:
        return ()

    def asks_for(self, span: Span) -> bool:
        return False

    def alert(self, crossing: Crossing) -> Alert:
        return _alert(
            self.site,
            self.source,
            OperationsRule.SOURCE_SILENT,
            metric="source_age_s",
            threshold=self.limit_ms / 1000,
            crossed_ms=crossing.told_ms,
            now_ms=self.now_ms,
            **self.figures(),
        )

    def figures(self) -> dict[str, Any]:
        return {"value": round((self.now_ms - (self.heard.heard_ms or 0)) / 1000, 1)}


class FactSight(NamedTuple):
    """Something that happened once, at `at_ms`: events are missing from the log, a notice is undelivered.

    `at_ms` is None at all later looks; `told_ms` is the fact that is told of already. Its alert lasts
    until a day has passed or somebody closes it. Another hole ends it, too, and is told of itself; of notices
    one alert tells of all of that day. `value` None: nobody knows how many.
    """

    site: str
    source: str
    rule: OperationsRule
    told_ms: int | None
    now_ms: int
    at_ms: int | None = None
    value: int | None = None

    @property
    def turns(self) -> int:
        return 2

    def crossing(self, past: Sequence[Span]) -> Crossing | None:
        if self.at_ms is None or self.now_ms >= self.at_ms + TOLD_MS:
            return None
        is_known = any(span.told_ms == self.at_ms for span in past)
        return None if is_known else Crossing(self.at_ms, self.at_ms)

    def crossed_ms(self, told_ms: int) -> int | None:
        return told_ms

    def over_ms(self, from_ms: int) -> int | None:
        is_hole = self.rule is OperationsRule.LOG_GAP
        is_another = is_hole and self.at_ms is not None and self.at_ms > from_ms
        is_old = self.told_ms is not None and self.now_ms >= self.told_ms + TOLD_MS
        return self.now_ms if is_another or is_old else None

    def passed(self, past: Sequence[Span]) -> Sequence[Span]:
        return ()

    def asks_for(self, span: Span) -> bool:
        return False

    def alert(self, crossing: Crossing) -> Alert:
        return _alert(
            self.site,
            self.source,
            self.rule,
            metric=_METRICS[self.rule],
            value=self.value,
            threshold=0,
            crossed_ms=crossing.told_ms,
            now_ms=self.now_ms,
        )

    def figures(self) -> dict[str, Any]:
        return {}


def log_source(partition: int) -> str:
    """The source that a hole in the log is told of."""
    return f"{EVENTS.name}/{partition}"


def channel_source(person: str, channel: str) -> str:
    """The source that a notice which reached nobody is told of: a channel of a person."""
    return f"{person}/{channel}"


def ingest_heard(ingest_ms: int | None, behind_ms: int) -> Heard:
    """When ingest itself was last heard."""
    if ingest_ms is None:
        return Heard(None, None)
    return Heard(ingest_ms, ingest_ms + STALE_AFTER_LIVE_MS).later(behind_ms)


def _alert(
    site: str, source: str, rule: OperationsRule, *, crossed_ms: int, now_ms: int, **more: Any
) -> Alert:
    return Alert(
        alert_id="",
        rule=rule.value,
        severity=Severity.WARNING,
        site=site,
        queue="",
        channel=None,
        team=None,
        source=source,
        state=AlertState.FIRING,
        crossed_ms=crossed_ms,
        fired_ms=now_ms,
        updated_ms=now_ms,
        **more,
    )
