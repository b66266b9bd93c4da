"""Histories of contact centres, realistic and nasty: for hypothesis, and by a seed for long runs.

One teller (`tests.oracle.story`) serves both: `histories()` feeds it a seed that hypothesis chooses
(recording every draw of a history costs a hundred times more), `big_history` one of the caller's.
"""

import random
from datetime import UTC, datetime

from hypothesis import strategies as st
from msgspec import structs

from schemas.config import Config
from schemas.events import AnyEvent
from schemas.vocabulary import LIVE_CHANNELS
from tests.oracle.story import HOUR_MS, LATENESS_MS, MINUTE_MS, SECOND_MS, History, make_history


@st.composite
def histories(draw: st.DrawFn, max_contacts: int = 8, *, is_explicit: bool = False) -> History:
    """Short histories of up to two sites, with the cases of SEMANTICS.md §1 to §5."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    now_ms = draw(nows())
    contacts = draw(st.integers(0, max_contacts))
    span_ms = draw(st.sampled_from((10 * MINUTE_MS, 70 * MINUTE_MS, 3 * HOUR_MS, 26 * HOUR_MS)))
    return make_history(
        rng, contacts, now_ms=now_ms, span_ms=span_ms, agents_per_site=3, is_explicit=is_explicit
    )


@st.composite
def shuffled(draw: st.DrawFn, history: History) -> list[AnyEvent]:
    """The same events in another order, some of them several times, none of them late."""
    return delivered(random.Random(draw(st.integers(0, 2**32))), history.events)


def nows() -> st.SearchStrategy[int]:
    """Instants worth looking at: plain, midnight and the two DST nights of Europe/Paris, edges of buckets."""
    anchors = [
        datetime(2026, 11, 18, 10, 17, tzinfo=UTC),
        datetime(2026, 11, 17, 23, 0, tzinfo=UTC),  # midnight in Paris
        datetime(2026, 11, 17, 18, 30, tzinfo=UTC),  # midnight in Kolkata
        datetime(2027, 3, 28, 1, 0, tzinfo=UTC),  # 02:00 becomes 03:00 in Paris
        datetime(2027, 3, 28, 22, 0, tzinfo=UTC),  # the end of that day of 23 hours
        datetime(2026, 10, 25, 1, 0, tzinfo=UTC),  # 03:00 becomes 02:00 in Paris
        datetime(2026, 10, 25, 23, 0, tzinfo=UTC),  # the end of that day of 25 hours
    ]
    offsets = st.one_of(
        st.sampled_from((-1, 0, 1, 9_999, 10_000, 10_001, 59_999, 60_000)),
        st.integers(0, 75 * MINUTE_MS),
    )
    return st.builds(lambda anchor, ms: _ms(anchor) + ms, st.sampled_from(anchors), offsets)


def big_history(
    seed: int,
    contacts: int,
    *,
    now_ms: int | None = None,
    span_ms: int = 2 * HOUR_MS,
    agents_per_site: int = 20,
    is_explicit: bool = False,
) -> History:
    """A long history, the same for the same arguments, with nothing of hypothesis in it."""
    at_ms = _ms(datetime(2026, 11, 18, 10, 17, 3, tzinfo=UTC)) if now_ms is None else now_ms
    return make_history(
        random.Random(seed),
        contacts,
        now_ms=at_ms,
        span_ms=span_ms,
        agents_per_site=agents_per_site,
        is_explicit=is_explicit,
    )


HOURS = (
    None,
    "Mo-Fr 08:00-12:00,13:00-19:00",
    "Mo-Su 10:15-11:17,11:20-11:21",
    "Mo-Su 22:00-02:30; Su 00:00-03:15",
    "Mo-Su off",
)


def with_hours(rng: random.Random, history: History) -> History:
    """The same history where queues of deferred channels have opening hours."""
    queues = [
        q if q.channel in LIVE_CHANNELS else structs.replace(q, hours=rng.choice(HOURS))
        for q in history.config.queues
    ]
    config: Config = structs.replace(history.config, queues=queues)
    return structs.replace(history, config=config)


def delivered(
    rng: random.Random, events: list[AnyEvent], *, max_delay_ms: int = LATENESS_MS - SECOND_MS
) -> list[AnyEvent]:
    """The events as a network could bring them: out of order, repeated, each within the lateness bound."""
    copies = [e for e in events for _ in range(rng.choice((1, 1, 1, 2, 3)))]
    arrivals = [(e.occurred_ms + rng.randint(0, max_delay_ms), n, e) for n, e in enumerate(copies)]
    return [event for _, _, event in sorted(arrivals, key=lambda a: a[:2])]


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
