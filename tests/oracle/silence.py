"""Agents of whom nobody speaks any more: offline from the instant at which their source is stale.

SEMANTICS.md §5 (no log-out: closed by heartbeat), §6 (when a source is stale). Only a source that ever
sent a heartbeat of its own can be silent; who is heard again was never gone.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import structs

from schemas.config import Config
from schemas.events import AgentStateChanged, AnyEvent, SourceHeartbeat
from schemas.vocabulary import LIVE_CHANNELS, AgentState
from tests.oracle.agents import Span
from tests.oracle.visits import channels_seen

AgentKey = tuple[str, str]
LIVE_LIMIT_MS, DEFERRED_LIMIT_MS = 15_000, 300_000


def without_silent(
    lives: Mapping[AgentKey, Sequence[Span]], events: Sequence[AnyEvent], config: Config, *, now_ms: int
) -> dict[AgentKey, Sequence[Span]]:
    """The lives, each cut where its source fell silent, offline from then on. `events` are distinct."""
    sources = _sources_of_agents(events)
    found: dict[AgentKey, Sequence[Span]] = {}
    for key, life in lives.items():
        stale_ms = _stale_ms(events, config, site=key[0], source=sources[key])
        found[key] = life if stale_ms is None or now_ms < stale_ms else _cut(life, stale_ms)
    return found


def _cut(life: Sequence[Span], at_ms: int) -> list[Span]:
    before = [structs.replace(s, end_ms=min(s.end_ms, at_ms)) for s in life if s.start_ms < at_ms]
    after = [
        structs.replace(s, start_ms=max(s.start_ms, at_ms), state=AgentState.OFFLINE)
        for s in life
        if s.end_ms > at_ms
    ]
    return [*before, *after]


def _sources_of_agents(events: Iterable[AnyEvent]) -> dict[AgentKey, str]:
    """The source of each agent's last word, else of the last contact event that names the agent."""
    words: dict[AgentKey, tuple[int, str, str]] = {}
    named: dict[AgentKey, tuple[int, str, str]] = {}
    for event in events:
        agent = getattr(event, "agent", None)
        if agent is not None:
            told = words if isinstance(event, AgentStateChanged) else named
            key, this = (event.site, agent), (event.occurred_ms, event.id, event.source)
            told[key] = max(told.get(key, this), this)
    return {key: source for key, (_, _, source) in {**named, **words}.items()}


def _stale_ms(events: Sequence[AnyEvent], config: Config, *, site: str, source: str) -> int | None:
    """When the source is stale if nothing more comes; None for one without heartbeats of its own."""
    own = [e for e in events if e.site == site and e.source == source]
    if not any(isinstance(e, SourceHeartbeat) for e in own):
        return None
    return max(e.received_ms for e in own) + _limit_ms(own, events, config, site=site, source=source)


def _limit_ms(
    own: Iterable[AnyEvent], events: Sequence[AnyEvent], config: Config, *, site: str, source: str
) -> int:
    """The configured limit, else that of its most impatient queue."""
    configured = next((s for s in config.sources if s.site == site and s.id == source), None)
    if configured is not None and configured.stale_after_s is not None:
        return int(configured.stale_after_s * 1000)
    queues = {q for e in own for q in (getattr(e, "queue", None),) if q is not None}
    queues |= {q for e in own if isinstance(e, AgentStateChanged) for q in e.queues or ()}
    queues |= set((configured.queues if configured else None) or ())
    told = channels_seen(events)
    channels = {config.queue(site, q, told.get((site, q))).channel for q in queues}
    return DEFERRED_LIMIT_MS if channels and not channels & LIVE_CHANNELS else LIVE_LIMIT_MS
