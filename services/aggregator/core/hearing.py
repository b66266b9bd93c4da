"""What a site's sources are known by: when each was last heard, and so each queue. SEMANTICS.md §6."""

from collections.abc import Collection, Sequence

from schemas.config import SourceConfig
from schemas.vocabulary import Channel
from services.aggregator.core.queues import Queue
from services.aggregator.core.sources import NEVER, Heard, Source, heard, quietest, stale_after_ms


class Hearing:
    """The sources of one site, those configured and those that spoke. `ingest_ms`: ingest's last word."""

    def __init__(self, configured: Sequence[SourceConfig]) -> None:
        self.configured = {source.id: source for source in configured}
        self._configured_for: dict[str, set[str]] = {}
        for source in configured:
            for queue in source.queues or ():
                self._configured_for.setdefault(queue, set()).add(source.id)
        self.sources: dict[str, Source] = {}
        self.ingest_ms: int | None = None
        self.behind_ms = 0
        """How far behind the log we are: what a source said since has not been read, so it is not silent."""

    def source(self, name: str) -> Source:
        """The source of that name, which may speak for the first time."""
        found = self.sources.get(name)
        if found is None:
            found = self.sources[name] = Source(name)
        return found

    def skews(self) -> dict[str, int]:
        """Milliseconds to add to a source's instants, where its clock is off (SEMANTICS.md §2)."""
        return {s.name: s.skew_ms for s in self.sources.values() if s.skew_ms}

    def of_queue(self, queue: Queue) -> Heard:
        """When the queue was last heard: by its quietest source."""
        return quietest([self._heard(name, queue.channel) for name in self.sources_of(queue)] or [NEVER])

    def sources_of(self, queue: Queue) -> set[str]:
        """The sources of a queue: those configured for it, and those that have sent events for it."""
        return queue.sources.union(self._configured_for.get(queue.config.id, ()))

    def of_source(self, name: str, queues: Collection[Queue]) -> Heard:
        """When a source was last heard; its limit is that of its most impatient queue."""
        config = self.configured.get(name)
        own = frozenset((config.queues if config else None) or ())
        channels = {q.channel for q in queues if name in q.sources or q.config.id in own}
        return quietest([self._heard(name, channel) for channel in channels or {Channel.PHONE}])

    def silent(self, queues: Collection[Queue], now_ms: int) -> dict[str, int]:
        """Sources with heartbeats of their own that are stale, since when: nobody speaks for their agents."""
        found = {}
        for source in self.sources.values():
            if not source.own_heartbeat or not self._heard(source.name, Channel.PHONE).is_stale(now_ms):
                continue  # nobody is stale sooner than for a phone queue
            heard = self.of_source(source.name, queues)
            if heard.stale_at_ms is not None and heard.is_stale(now_ms):
                found[source.name] = heard.stale_at_ms
        return found

    def _heard(self, name: str, channel: Channel) -> Heard:
        source = self.sources.get(name)
        if source is None:
            return NEVER
        limit_ms = stale_after_ms(self.configured.get(name), channel)
        return heard(source, self.ingest_ms, limit_ms).later(self.behind_ms)
