"""Following one rule in one place from look to look: its alert fires, resolves, flaps. SEMANTICS.md §8.

What a look shows is a `Sight`: exact for waits (wait_rules.py), as seen each second for other figures
(figure_rules.py, operations.py). An alert that begins and ends within one look is published once.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from msgspec import structs

from schemas.board import Alert
from schemas.config import FlapConfig
from schemas.vocabulary import AlertState, Notice
from services.aggregator.core.alerts import AlertBook, Watch, alert_id
from services.aggregator.core.episodes import Key, Span
from services.aggregator.core.transitions import Step

LATE_AFTER_MS = 2000
FORGET_MS = 70 * 60_000
"""How long past episodes are remembered, if flapping does not need them for longer."""
_EPISODES_IN_MS = 600_000
_SEEN_STEP_MS = 600_000


class Crossing(NamedTuple):
    """An instant at which a value reached its limit: on our clock, and as its source told it."""

    at_ms: int
    told_ms: int
    key: Key = ("", "")


class Sight(Protocol):
    """What one look at one rule in one place shows."""

    @property
    def now_ms(self) -> int: ...

    @property
    def turns(self) -> int:
        """How many episodes may have begun or ended since the last look."""

    def crossing(self, past: Sequence[Span]) -> Crossing | None:
        """The next crossing, up to now, that no past episode tells of."""

    def crossed_ms(self, told_ms: int) -> int | None:
        """A known crossing on our clock; None: what was told since shows that it was not due."""

    def over_ms(self, from_ms: int) -> int | None:
        """The first instant from `from_ms` on, up to now, at which the clear value was met."""

    def passed(self, past: Sequence[Span]) -> Sequence[Span]:
        """Episodes that began and ended since the last look, in a place that is closed."""

    def asks_for(self, span: Span) -> bool:
        """Whether a past episode may still be brought up, however long ago it was."""

    def alert(self, crossing: Crossing) -> Alert:
        """The alert that a crossing makes; who it is and which version is not its matter."""

    def figures(self) -> dict[str, Any]:
        """What the alert says of now."""


def review(
    book: AlertBook, place: str, rule: str, sight: Sight, *, flap: FlapConfig, is_open: bool, is_stale: bool
) -> None:
    """Looks at one rule in one place: fires, resolves, suspends, takes up, withdraws."""
    watch = book.watch(place, rule)
    if not is_open:
        book.withdraw(watch, sight.now_ms)
        if passed := sight.passed(watch.past):
            watch.past = [*watch.past, *passed]
            book.is_changed = True
    elif is_stale:
        alert = book.find(watch.alert_id)
        if alert is not None:
            book.step(alert, Step.STALE, sight.now_ms, reason="stale")
    else:
        alert = book.find(watch.alert_id)
        if alert is not None:
            book.step(alert, Step.LIVE, sight.now_ms, reason=None)
        _Following(book, place, rule, watch, sight, flap).run()
    since_ms = sight.now_ms - max(FORGET_MS, _within_ms(flap))
    if any(span.ended_ms <= since_ms for span in watch.past):
        watch.past = [s for s in watch.past if s.ended_ms > since_ms or sight.asks_for(s)]
    book.keep(place, rule, watch)


class _Following:
    """One look. `fresh` is an alert that began in it: nobody has heard of it yet, so it has one version."""

    def __init__(
        self, book: AlertBook, place: str, rule: str, watch: Watch, sight: Sight, flap: FlapConfig
    ) -> None:
        self.book, self.place, self.rule = book, place, rule
        self.watch, self.sight, self.flap = watch, sight, flap
        self.fresh: Alert | None = None
        self._began_ms = 0

    def run(self) -> None:
        for _ in range(2 * self.sight.turns + 2):
            if not self._turn():
                break
        if self.fresh is not None:
            self.book.begin(self.fresh)
            self.book.delays.append((self.rule, max(0, self.sight.now_ms - self._began_ms)))

    def _turn(self) -> bool:
        """One change, if one is due; True when another may follow."""
        alert = self.fresh or self.book.find(self.watch.alert_id)
        if self.watch.told_ms is not None:
            return self._in_course(alert, self.watch.told_ms)
        crossing = self.sight.crossing(self.watch.past)
        if alert is not None:
            return self._between(alert, crossing)
        if crossing is not None:
            self._begin(crossing)
        return crossing is not None

    def _in_course(self, alert: Alert | None, told_ms: int) -> bool:
        now_ms = self.sight.now_ms
        crossed_ms = self.sight.crossed_ms(told_ms)
        if crossed_ms is None:
            return self._correct(alert, told_ms)
        over_ms = self.sight.over_ms(max(crossed_ms, self.watch.seen_ms))
        if alert is not None and alert.flapping:
            calm_ms = crossed_ms + _within_ms(self.flap)
            if calm_ms <= (now_ms if over_ms is None else over_ms):
                self._amend(alert, flapping=False)
                return True
        if over_ms is None:
            if now_ms - self.watch.seen_ms > _SEEN_STEP_MS:
                self.watch.seen_ms = now_ms
                self.book.is_changed = True
            return False
        if alert is not None and not alert.flapping:
            self._resolve(alert, over_ms)
        self._over(Span(crossed_ms, over_ms, told_ms))
        return True

    def _between(self, alert: Alert, crossing: Crossing | None) -> bool:
        """A flapping alert whose value is back: it crosses again, or is over once it has been calm."""
        crossed = (span.crossed_ms for span in self.watch.past)  # forgotten, if it was suppressed for long
        calm_ms = max(crossed, default=self.watch.seen_ms) + _within_ms(self.flap)
        if crossing is not None and crossing.at_ms < calm_ms:
            self._take(crossing)
            self._amend(alert, episodes_10m=1 + self._episodes(crossing, _EPISODES_IN_MS))
        elif calm_ms <= self.sight.now_ms:
            self._resolve(alert, calm_ms)
        else:
            return False
        return True

    def _begin(self, crossing: Crossing) -> None:
        watch, told_ms = self.watch, crossing.told_ms
        name = alert_id(self.book.site, self.place, self.rule, told_ms)
        known = self.book.find(name)
        corrected = [span.version for span in watch.past if span.told_ms == told_ms]
        self.fresh = structs.replace(
            self.sight.alert(crossing),
            alert_id=name,
            version=1 + max(0, *corrected, known.version if known else 0),
            late=self.sight.now_ms - crossing.at_ms > LATE_AFTER_MS,
            episodes_10m=1 + self._episodes(crossing, _EPISODES_IN_MS),
            flapping=self._episodes(crossing, _within_ms(self.flap)) >= self.flap.episodes,
            notice=Notice.FIRED,
        )
        watch.alert_id, self._began_ms = name, crossing.at_ms
        self._take(crossing)

    def _take(self, crossing: Crossing) -> None:
        watch = self.watch
        watch.told_ms, watch.trigger, watch.seen_ms = crossing.told_ms, crossing.key, crossing.at_ms
        self.book.is_changed = True

    def _over(self, span: Span) -> None:
        self.watch.told_ms = None
        self.watch.past = [*self.watch.past, span]
        self.book.is_changed = True

    def _correct(self, alert: Alert | None, told_ms: int) -> bool:
        """The episode in course was not due; should it be after all, the same alert goes on."""
        version = 0
        if alert is not None and not alert.flapping:
            self._resolve(alert, self.sight.now_ms, reason="corrected")
            version = alert.version + 1
        self._over(Span(told_ms, told_ms, told_ms, version))
        return True

    def _resolve(self, alert: Alert, at_ms: int, **changes: Any) -> None:
        """One that nobody has heard of is published once, as it ended, and nobody is notified."""
        if self.fresh is None:
            changes |= self.sight.figures()
            self.book.step(alert, Step.CLEAR, self.sight.now_ms, resolved_ms=at_ms, **changes)
            return
        self.book.begin(
            structs.replace(alert, state=AlertState.RESOLVED, resolved_ms=at_ms, late=True, notice=None)
        )
        self.fresh = self.watch.alert_id = None

    def _amend(self, alert: Alert, **changes: Any) -> None:
        if self.fresh is None:
            self.book.amend(alert, self.sight.now_ms, **changes)
        else:
            self.fresh = structs.replace(alert, **changes)

    def _episodes(self, crossing: Crossing, within_ms: int) -> int:
        """Episodes that began in so long a time before a crossing."""
        since_ms = crossing.at_ms - within_ms
        return sum(
            1 for span in self.watch.past if since_ms < span.crossed_ms <= crossing.at_ms and not span.version
        )


def _within_ms(flap: FlapConfig) -> int:
    return round(flap.within_s * 1000)
