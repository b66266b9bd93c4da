"""How one source stands: what is counted of it, said of it once in the log, and shown in the panel.

One object per source, shared by whoever talks to it. Metrics and log lines of a connection come from here
and nowhere else, so every source says the same things in the same words.
"""

from collections.abc import Callable, Sequence

import structlog

from schemas.board import DeadLetter
from schemas.config import SourceConfig
from schemas.events import SourceEvent
from schemas.sources import SourceState, SourceStatus
from schemas.vocabulary import Reason
from services.ingest.metrics import Metrics
from services.ingest.tally import Tally
from services.ingest.translated import Translated

log = structlog.get_logger()


class Report:
    """`clock` gives epoch milliseconds. `is_webhook`: the source comes to us."""

    def __init__(
        self,
        source: SourceConfig,
        *,
        metrics: Metrics,
        clock: Callable[[], int],
        is_webhook: bool = False,
    ) -> None:
        self.source = source
        self._metrics = metrics
        self._clock = clock
        self._is_webhook = is_webhook
        self._since_ms = clock()
        self._is_up = False
        self._is_refused = False
        self._is_stopped = False
        self._connected_ms: int | None = None
        self._fault: str | None = None
        self._told: str | None = None
        self._attempts = 1
        self._reconnects = 0
        self._tally = Tally()

    # --- the connection ---

    @property
    def attempts(self) -> int:
        """Which attempt to connect this is, from 1; 1 again once it has succeeded."""
        return self._attempts

    def try_again(self) -> None:
        """Another attempt to connect begins."""
        self._attempts += 1
        self._reconnects += 1
        self._metrics.source_reconnects.labels(self.source.id).inc()

    def up(self) -> None:
        """The source is connected and whole; said once."""
        if self._is_up:
            return
        self._is_up, self._is_refused, self._connected_ms = True, False, self._clock()
        log.info("source_connected", source=self.source.id, attempt=self._attempts)
        self._told, self._attempts = None, 1
        self._show()

    def listening(self) -> None:
        """Webhooks of the source are taken: of one that only comes to us, that is all there is to say."""
        if self._is_webhook:
            self.up()

    def lost(self, reason: str, *, is_refused: bool = False) -> None:
        """The connection is gone, or did not come about; said when it was up or the reason is another one.

        `is_refused`: the source does not let us in, which somebody has to mend.
        """
        if self._is_up or reason != self._told:
            say = log.error if is_refused else log.warning
            say("source_lost", source=self.source.id, reason=reason)
        self._is_up, self._is_refused, self._told, self._connected_ms = False, is_refused, reason, None
        self._show()

    def fault(self, fault: str | None) -> None:
        """What makes the source's events unusable is said once, and once that it is mended."""
        if fault == self._fault:
            return
        if fault is not None:
            log.error("source_unusable", source=self.source.id, reason=fault)
        else:
            log.info("source_usable", source=self.source.id)
        self._fault = fault
        self._show()

    def stopped(self) -> None:
        self._is_up, self._is_stopped = False, True
        self._show()

    # --- what came ---

    def take(self, translated: Translated) -> None:
        """Counts what payloads amounted to, but for their events and dead letters."""
        self._tally.received_ms = self._clock()
        self._tally.types(translated.types)
        self._tally.unknown(translated.unknown)
        if unknown := translated.unknown.total():
            self.count(Reason.UNKNOWN_TYPE, unknown)
        for reason, n in translated.dropped.items():
            self.count(reason, n)
        self.fault(translated.fault)

    def handed_on(self, messages: Sequence[SourceEvent | DeadLetter | SourceStatus]) -> None:
        """These are on their way into the log."""
        for message in messages:
            if isinstance(message, SourceStatus):
                continue
            if isinstance(message, DeadLetter):
                self._tally.letter(message)
            else:
                self._tally.event(message)

    def count(self, reason: Reason, n: int = 1) -> None:
        """So many payloads were dropped, for that reason."""
        self._tally.outcomes[reason] += n
        self._metrics.count(self.source.id, reason, n)

    def unsigned(self, reason: str) -> None:
        """A webhook was refused: its signature is missing, wrong or old."""
        if reason not in self._tally.unsigned:
            log.warning("webhook_refused", source=self.source.id, reason=reason)
        self._tally.unsigned[reason] += 1
        self._metrics.unsigned(self.source.id, reason)

    def status(self, instance: str) -> SourceStatus:
        """As of now."""
        return SourceStatus(
            source=self.source.id,
            instance=instance,
            site=self.source.site,
            kind=self.source.kind,
            label=self.source.label,
            state=self._state(),
            reason=self._fault or (None if self._is_up or self._is_stopped else self._told),
            as_of_ms=self._clock(),
            since_ms=self._since_ms,
            connected_ms=self._connected_ms,
            reconnects=self._reconnects,
            is_open=self.source.allow_unsigned,
            **self._tally.fields(),
        )

    def _state(self) -> SourceState:
        if self._is_stopped:
            return SourceState.STOPPED
        if self._fault is not None:
            return SourceState.UNUSABLE
        if self._is_up:
            return SourceState.LISTENING if self._is_webhook else SourceState.CONNECTED
        if self._is_refused:
            return SourceState.REFUSED
        return SourceState.CONNECTING if self._told is None else SourceState.LOST

    def _show(self) -> None:
        is_fit = self._is_up and self._fault is None
        self._metrics.source_up.labels(self.source.id).set(1 if is_fit else 0)
