"""Which sites and queues an event may be about. SEMANTICS.md §10, §12.

Pure. With a file that lists sites, those and no others. Without one, sites and queues appear by
themselves, up to a bound: nobody can fill the wall, or our memory, with made-up names.
"""

from schemas.config import MAX_QUEUES_PER_SITE_UNCONFIGURED, MAX_SITES_UNCONFIGURED
from schemas.events import SourceEvent, queues_of
from schemas.vocabulary import Reason
from services.ingest.cloudevents import Refused


class Admission:
    """`sites`: those of the file; empty: none are listed. What appeared is known until the process ends."""

    def __init__(
        self,
        sites: frozenset[str],
        *,
        max_sites: int = MAX_SITES_UNCONFIGURED,
        max_queues: int = MAX_QUEUES_PER_SITE_UNCONFIGURED,
    ) -> None:
        self._listed = sites
        self._max_sites = max_sites
        self._max_queues = max_queues
        self._queues: dict[str, set[str]] = {}

    def refuse(self, event: SourceEvent) -> Refused | None:
        """Why the event may not come in, or None; then its site and queues are known from now on."""
        if self._listed:
            listed = event.site in self._listed
            return None if listed else _refused(event, Reason.UNKNOWN_SITE, "site: not in the settings")
        known = self._queues.get(event.site)
        if known is None and len(self._queues) >= self._max_sites:
            return _refused(event, Reason.TOO_MANY, f"site: {self._max_sites} sites are known already")
        queues = set(queues_of(event))
        if queues and len(queues | (known or set())) > self._max_queues and not queues <= (known or set()):
            return _refused(event, Reason.TOO_MANY, f"queue: the site has {self._max_queues} already")
        self._queues.setdefault(event.site, set()).update(queues)
        return None


def _refused(event: SourceEvent, reason: Reason, detail: str) -> Refused:
    return Refused(reason=reason, detail=detail, source=event.source, site=event.site)
