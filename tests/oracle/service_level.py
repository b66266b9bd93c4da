"""Service level and abandonment of a set of visits, and the instant that places a visit.

SEMANTICS.md §3 (attribution) and §4 (the letters, the eight definitions, abandonment).
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

from schemas.board import Ratio, ServiceLevel
from schemas.config import QueueConfig
from schemas.vocabulary import LIVE_CHANNELS, Attribution, Outcome, ServiceLevelDefinition
from tests.oracle.visits import Visit


class Parts(Struct, frozen=True, kw_only=True):
    """The letters of SEMANTICS.md §4."""

    a: int
    a_t: int
    b: int
    b_t: int
    s: int
    d_waiting: int
    d_left: int
    d_all: int
    c_t: int

    @property
    def d(self) -> int:
        return self.d_waiting + self.d_left


_D = ServiceLevelDefinition
DEFINITIONS: dict[ServiceLevelDefinition, Callable[[Parts], tuple[int, int]]] = {
    _D.ALL_ABANDONS_COUNT_AGAINST: lambda p: (p.a_t, p.a + p.b + p.d),
    _D.ANSWERED_ONLY: lambda p: (p.a_t, p.a),
    _D.ABANDONS_WITHIN_T_COUNT_AS_MET: lambda p: (p.a_t + p.b_t, p.a + p.b + p.d),
    _D.ABANDONS_WITHIN_T_EXCLUDED: lambda p: (p.a_t, p.a + p.b - p.b_t + p.d),
    _D.SHORT_ABANDONS_COUNT_AS_MET: lambda p: (p.a_t + p.s, p.a + p.b + p.d),
    _D.SHORT_ABANDONS_EXCLUDED: lambda p: (p.a_t, p.a + p.b - p.s + p.d),
    _D.REMOVED_FROM_QUEUE: lambda p: (p.a_t + p.b_t + p.c_t, p.a + p.b + p.d + p.c_t),
    _D.WITH_FLOW_OUTS: lambda p: (p.a_t, p.a + p.b + p.d_all),
}


def attributed(own: Sequence[Visit], settings: QueueConfig, *, now_ms: int) -> list[tuple[Visit, int]]:
    """The visits that may count in a service level, each with the instant that places it.

    Phone and chat: the instant of entering. Others: the instant of decision, min(left, entered + T);
    one that is neither left nor past T is not decided yet.
    """
    if settings.channel in LIVE_CHANNELS:
        return [(v, v.entered_ms) for v in own]
    found = []
    for visit in own:
        limit_ms = visit.entered_ms + round(settings.threshold_in_force_s * 1000)
        if visit.outcome_ms is not None:
            found.append((visit, max(visit.entered_ms, min(visit.outcome_ms, limit_ms))))
        elif visit.wait_ms(now_ms) > limit_ms - visit.entered_ms:
            found.append((visit, limit_ms))
    return found


def parts_of(judged: Sequence[Visit], settings: QueueConfig, *, now_ms: int) -> Parts:
    limit_ms = settings.threshold_in_force_s * 1000
    short_ms = settings.short_abandon_in_force_s * 1000
    answered = [v.wait_ms(now_ms) for v in judged if v.outcome is Outcome.ANSWERED]
    abandoned = [v.wait_ms(now_ms) for v in judged if v.outcome is Outcome.ABANDONED]
    called_back = [v.wait_ms(now_ms) for v in judged if v.outcome is Outcome.CALLBACK]
    waiting = [v.wait_ms(now_ms) for v in judged if v.outcome is None]
    left = [v.wait_ms(now_ms) for v in judged if has_left_otherwise(v)]
    d_waiting = sum(1 for w in waiting if w > limit_ms)
    return Parts(
        a=len(answered),
        a_t=sum(1 for w in answered if w <= limit_ms),
        b=len(abandoned),
        b_t=sum(1 for w in abandoned if w <= limit_ms),
        s=sum(1 for w in abandoned if w < short_ms),
        d_waiting=d_waiting,
        d_left=sum(1 for w in left if w > limit_ms),
        d_all=len(left) + d_waiting,
        c_t=sum(1 for w in called_back if w <= limit_ms),
    )


def has_left_otherwise(visit: Visit) -> bool:
    return visit.outcome not in (None, Outcome.ANSWERED, Outcome.ABANDONED)


def service_level_of(parts: Parts, settings: QueueConfig) -> ServiceLevel:
    definition = settings.service_level.definition
    numerator, denominator = DEFINITIONS[definition](parts)
    is_live = settings.channel in LIVE_CHANNELS
    return ServiceLevel(
        value=numerator / denominator if denominator else None,
        numerator=numerator,
        denominator=denominator,
        threshold_s=settings.threshold_in_force_s,
        definition=definition,
        since_ms=0,
        attribution=Attribution.OFFER if is_live else Attribution.DECISION,
    )


def abandonment_of(entered: Sequence[Visit], settings: QueueConfig, *, now_ms: int) -> Ratio | None:
    if settings.channel not in LIVE_CHANNELS:
        return None
    parts = parts_of(entered, settings, now_ms=now_ms)
    leaves_out_short = settings.service_level.definition is _D.SHORT_ABANDONS_EXCLUDED
    short = parts.s if leaves_out_short else 0
    numerator, denominator = parts.b - short, len(entered) - short
    value = numerator / denominator if denominator else None
    return Ratio(value=value, numerator=numerator, denominator=denominator)
