"""How the sources stand that post events (`POST /v1/events`), for the source panel.

Those of [[sources]] are there from the start, others once they are heard. Senders choose their names, so
there is a bound: of too many, whoever was silent for longest is forgotten. Metrics have no part in this:
their labels are the configured sources alone.
"""

from collections.abc import Callable

from schemas.config import DEFAULT_SITE, Config
from schemas.events import SourceEvent
from schemas.sources import SourceState, SourceStatus
from schemas.vocabulary import Reason
from services.ingest.cloudevents import Refused
from services.ingest.intake import Intake
from services.ingest.receiving import Unsigned
from services.ingest.tally import Tally

KIND = "http"
MAX_UNLISTED = 100
"""Sources that are not in the file and are counted one by one."""

_Place = tuple[str, str]


class Posted:
    """Site and source, and what came of it. `clock` gives epoch milliseconds."""

    def __init__(self, config: Config, *, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._since_ms = clock()
        self._labels = {(s.site, s.id): s.label for s in config.sources if s.kind == KIND}
        self._site_of = {s.id: s.site for s in config.sources}
        self._others = frozenset(s.id for s in config.sources if s.kind != KIND)
        self._sites = frozenset(site.id for site in config.sites)
        self._listed: dict[_Place, Tally] = {place: Tally() for place in self._labels}
        self._unlisted: dict[_Place, Tally] = {}

    def take(self, intake: Intake) -> None:
        """Counts what became of a body, once the log has its events."""
        now_ms = self._clock()
        for event in intake.events:
            tally = self._tally((event.site, event.source), now_ms)
            if tally is not None:
                tally.event(event)
                tally.types({_word(event): 1})
        for refused in intake.refused:
            tally = self._of_refused(intake, refused, now_ms)
            if tally is not None:
                tally.outcomes[refused.reason] += 1
                if refused.word is not None:
                    tally.unknown({refused.word: 1})
        for letter in intake.letters:
            tally = self._known(intake, letter.site, letter.source)
            if tally is not None:
                tally.letter(letter)
        for source, n in intake.unsigned.items():
            tally = self._listed.get((self._site_of[source], source))
            if tally is not None:
                tally.unsigned[Unsigned.MISSING] += n

    def statuses(self, instance: str) -> list[SourceStatus]:
        """As of now."""
        return [
            SourceStatus(
                source=source,
                instance=instance,
                site=site,
                kind=KIND,
                label=self._labels.get((site, source)),
                state=SourceState.LISTENING,
                as_of_ms=self._clock(),
                since_ms=self._since_ms,
                **tally.fields(),
            )
            for (site, source), tally in [*self._listed.items(), *self._unlisted.items()]
        ]

    def _of_refused(self, intake: Intake, refused: Refused, now_ms: int) -> Tally | None:
        """Nobody makes a source appear on a site that is not there."""
        if refused.source is None or refused.reason is Reason.NOT_ALLOWED:
            return None
        place = self._place(intake, refused.site, refused.source)
        is_there = place is not None and (place[0] in self._sites or not self._sites)
        return self._tally(place, now_ms) if place is not None and is_there else None

    def _known(self, intake: Intake, site: str | None, source: str) -> Tally | None:
        place = self._place(intake, site, source)
        return None if place is None else self._listed.get(place) or self._unlisted.get(place)

    def _place(self, intake: Intake, site: str | None, source: str) -> _Place | None:
        """Whose it is that was refused; None where the sender may not speak for it.

        What could not be read may lack its site; that of the file stands in for it.
        """
        site = site if site is not None else self._site_of.get(source, DEFAULT_SITE)
        is_own = intake.signers.get(source) == site if intake.signers else intake.sender.covers(site)
        return (site, source) if is_own else None

    def _tally(self, place: _Place, now_ms: int) -> Tally | None:
        """None where a source of another kind has the name: it counts for itself."""
        if place[1] in self._others:
            return None
        tally = self._listed.get(place) or self._unlisted.pop(place, None) or Tally()
        tally.received_ms = now_ms
        if place not in self._listed:
            self._unlisted[place] = tally  # the last one is the one that was heard last
            if len(self._unlisted) > MAX_UNLISTED:
                del self._unlisted[next(iter(self._unlisted))]
        return tally


def _word(event: SourceEvent) -> str:
    """Its type, without `vigie.` and the version."""
    return str(type(event).__struct_config__.tag)
