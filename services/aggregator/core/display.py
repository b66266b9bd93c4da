"""Which rows of a site are due to be shown, and the rows. SEMANTICS.md §6, §9.

A row leaves when it changed, at most every 100 ms, at once when `waiting` changed; and each second,
because time changes windows.
"""

from collections.abc import Iterator, Mapping
from operator import attrgetter

from schemas.board import AgentContact, AgentRow, QueueRow, SiteRow, SiteWindow, SourceRow
from schemas.codec import Row, agent_key, queue_key, site_key
from schemas.vocabulary import AgentState, Channel, WindowName
from services.aggregator.core.agents import Agent, Moment
from services.aggregator.core.queues import Queue
from services.aggregator.core.rows import (
    Surroundings,
    freshness,
    occupancy,
    queue_row,
    seconds,
    state_counts,
    uncounted_of,
)
from services.aggregator.core.site import Site
from services.aggregator.core.sources import NEVER, Heard

ROW_EVERY_MS = 100
SECOND_MS = 1000


class _Shown:
    """What was last shown of a queue."""

    __slots__ = ("at_ms", "version", "waiting")

    def __init__(self) -> None:
        self.at_ms = 0
        self.version = -1
        self.waiting = -1


class Display:
    """What of one site has been shown, and when."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._queues: dict[str, _Shown] = {}
        self._site_ms = 0
        self._agents_ms = 0
        self._silent: dict[str, int] = {}

    def rows(
        self, now_ms: int, *, behind_s: float, is_catching_up: bool, everything: bool = False
    ) -> Iterator[tuple[bytes, Row | None]]:
        """The rows that are due, with their keys; None: gone. While catching up, only once a second."""
        site = self.site
        self._look_for_silence(now_ms)
        for queue in site.queues.values():
            if site.is_gone(queue, now_ms):
                if self._queues.pop(queue.config.id, None) is not None or everything:
                    yield queue_key(site.id, queue.config.id), None
                continue
            shown = self._queues.get(queue.config.id)
            if shown is None:
                shown = self._queues[queue.config.id] = _Shown()
            if everything or _is_due(queue, shown, now_ms, is_catching_up=is_catching_up):
                row = self._queue_row(queue, shown, now_ms, behind_s, is_catching_up=is_catching_up)
                yield queue_key(site.id, queue.config.id), row
        if everything or now_ms - self._site_ms >= SECOND_MS or now_ms < self._site_ms:
            self._site_ms = now_ms
            yield site_key(site.id), self._site_row(now_ms, behind_s, is_catching_up=is_catching_up)
        every_ms = SECOND_MS if is_catching_up else ROW_EVERY_MS
        if everything or now_ms - self._agents_ms >= every_ms or now_ms < self._agents_ms:
            self._agents_ms = now_ms
            for name in set(site.agents) if everything else site.shown_agents:
                agent = site.agents[name]
                yield agent_key(site.id, name), agent_row(site, agent, now_ms, silent=self._silent)
            site.shown_agents.clear()

    def _look_for_silence(self, now_ms: int) -> None:
        """Agents of a source that went silent, or is heard again, are to be shown."""
        site = self.site
        silent = site.hearing.silent(site.queues.values(), now_ms)
        if silent != self._silent:
            changed = {source for source, _ in silent.items() ^ self._silent.items()}
            site.shown_agents.update(a.name for a in site.agents.values() if a.source in changed)
            self._silent = silent

    def _queue_row(
        self, queue: Queue, shown: _Shown, now_ms: int, behind_s: float, *, is_catching_up: bool
    ) -> QueueRow:
        site = self.site
        is_open, changes_ms = site.openings.of(queue.config, now_ms)
        around = Surroundings(
            agents=[site.agents[name] for name in queue.agents],
            sources=site.hearing.sources_of(queue),
            heard=site.hearing.of_queue(queue),
            skews=site.hearing.skews(),
            silent=self._silent,
            behind_s=behind_s,
            is_catching_up=is_catching_up,
            is_open=is_open,
            changes_ms=changes_ms,
            now_ms=now_ms,
        )
        shown.at_ms, shown.version, shown.waiting = now_ms, queue.version, len(queue.waiting)
        return queue_row(queue, around)

    def _site_row(self, now_ms: int, behind_s: float, *, is_catching_up: bool) -> SiteRow:
        site = self.site
        hearing, queues = site.hearing, site.queues.values()
        heard = _loudest([hearing.of_source(name, queues) for name in hearing.sources])
        midnight_ms = site.calendar.day(now_ms).start_ms
        uncounted = uncounted_of(site.agents.values(), now_ms, None, silent=self._silent)
        return SiteRow(
            site=site.id,
            time_zone=site.time_zone,
            label=site.config.site(site.id).label,
            as_of_ms=now_ms,
            freshness=freshness(heard, now_ms, is_catching_up=is_catching_up),
            age_ms=None,
            heard_ms=heard.heard_ms,
            stale_at_ms=heard.stale_at_ms,
            behind_s=behind_s,
            sources=list(self._source_rows(now_ms, is_catching_up=is_catching_up)),
            agents=state_counts(site.agents.values(), now_ms, None, silent=self._silent),
            windows={
                name: SiteWindow(occupancy=occupancy(site.state_time, name, uncounted, now_ms, midnight_ms))
                for name in WindowName
            },
            alerts=site.alerts.stored.alerts,
        )

    def _source_rows(self, now_ms: int, *, is_catching_up: bool) -> Iterator[SourceRow]:
        site = self.site
        hearing = site.hearing
        for name in sorted(hearing.sources.keys() | hearing.configured.keys()):
            heard = hearing.of_source(name, site.queues.values())
            config, source = hearing.configured.get(name), hearing.sources.get(name)
            yield SourceRow(
                source=name,
                kind=config.kind if config else "http",
                label=config.label if config else None,
                freshness=freshness(heard, now_ms, is_catching_up=is_catching_up),
                age_ms=None,
                heard_ms=heard.heard_ms,
                stale_at_ms=heard.stale_at_ms,
                skew_ms=source.skew_ms if source else 0,
            )


def agent_row(site: Site, agent: Agent, now_ms: int, *, silent: Mapping[str, int]) -> AgentRow:
    """One agent as of now: state, since when, why, and the contacts in hand."""
    moment = agent.now(now_ms)
    stale_at_ms = silent.get(agent.source or "")
    if stale_at_ms is not None and moment is not None and moment.state is not AgentState.OFFLINE:
        return _silent_row(site.id, agent, now_ms, since_ms=stale_at_ms, moment=moment)
    word = agent.word(now_ms)
    spans = [
        s
        for several in agent.spans.values()
        for s in several
        if s.start_ms <= now_ms and (s.end_ms is None or s.end_ms > now_ms)
    ]
    return AgentRow(
        site=site.id,
        agent=agent.name,
        state=moment.state if moment else AgentState.OFFLINE,
        since_ms=_since(agent, now_ms),
        reason=word.reason if word else None,
        queues=list(moment.queues) if moment else [],
        contacts=[
            AgentContact(
                contact=s.contact,
                queue=s.queue,
                state=s.state,
                since_ms=s.start_ms,
                waited_s=seconds(site.waited_ms(s.contact, now_ms)),
            )
            for s in sorted(spans, key=attrgetter("start_ms", "contact"))
        ],
        inferred=word.inferred if word else False,
        as_of_ms=now_ms,
        capacity=_capacity(moment),
    )


def _silent_row(site: str, agent: Agent, now_ms: int, *, since_ms: int, moment: Moment) -> AgentRow:
    """An agent whose source is silent: nothing is known of it any more (SEMANTICS.md §5)."""
    return AgentRow(
        site=site,
        agent=agent.name,
        state=AgentState.OFFLINE,
        since_ms=since_ms,
        reason=None,
        queues=list(moment.queues),
        contacts=[],
        inferred=True,
        as_of_ms=now_ms,
        capacity=_capacity(moment),
    )


def _capacity(moment: Moment | None) -> dict[Channel, int] | None:
    return None if moment is None or moment.capacity is None else dict(moment.capacity)


def _since(agent: Agent, now_ms: int) -> int:
    """Since when the agent has been in the state it is in, words that repeat it left aside."""
    since = None
    state = None
    for moment in reversed(agent.timeline):
        if moment.at_ms > now_ms:
            continue
        if state is None:
            state = moment.state
        elif moment.state is not state:
            break
        since = moment.at_ms
    return since if since is not None else (agent.timeline[0].at_ms if agent.timeline else 0)


def _is_due(queue: Queue, shown: _Shown, now_ms: int, *, is_catching_up: bool) -> bool:
    since = now_ms - shown.at_ms
    if since >= SECOND_MS or since < 0:
        return True
    if is_catching_up:
        return False
    if len(queue.waiting) != shown.waiting:
        return True
    return queue.version != shown.version and since >= ROW_EVERY_MS


def _loudest(several: list[Heard]) -> Heard:
    """A site is stale when all its sources are."""
    known = [h for h in several if h.heard_ms is not None]
    return max(known, key=lambda h: h.stale_at_ms or 0) if known else NEVER
