"""Service levels and abandonment of `vectors/`, as cohorts of contacts."""

from collections.abc import Callable, Iterator, Mapping

from schemas.config import Config, ServiceLevelConfig
from schemas.events import AnyEvent
from schemas.vocabulary import Outcome, ServiceLevelDefinition, WindowName
from tests.data.vector_case import (
    MIDNIGHT_MS,
    MINUTE_MS,
    SECOND_MS,
    SITE,
    Case,
    Row,
    config_of,
    contact_told,
    rows,
)
from tests.oracle.telling import Log


def _cohort(waits: list[tuple[int, Outcome]], now_ms: int) -> list[AnyEvent]:
    """One contact per (wait, outcome), entered evenly over the 45 minutes that ended 10 minutes ago."""
    log = Log(SITE)
    for n, (wait_ms, outcome) in enumerate(waits):
        entered_ms = now_ms - 55 * MINUTE_MS + n * 45 * MINUTE_MS // len(waits)
        contact_told(log, f"c{n}", entered_ms, wait_ms=wait_ms, outcome=outcome)
    return log.in_order()


def _waits(
    *,
    answered: int,
    answered_in_t: int,
    abandoned: int,
    abandoned_in_t: int,
    short: int,
    t_ms: int,
    short_ms: int,
) -> list[tuple[int, Outcome]]:
    """Waits that give these counts, as near their limits as they may be."""
    late_abandons = abandoned - abandoned_in_t
    return [
        *[(t_ms - (t_ms if n % 2 else 0), Outcome.ANSWERED) for n in range(answered_in_t)],
        *[(t_ms + (1 if n % 2 else 80_000), Outcome.ANSWERED) for n in range(answered - answered_in_t)],
        *[(short_ms - 1, Outcome.ABANDONED)] * short,
        *[(t_ms if n % 2 else short_ms, Outcome.ABANDONED) for n in range(abandoned_in_t - short)],
        *[(t_ms + (1 if n % 2 else 100_000), Outcome.ABANDONED) for n in range(late_abandons)],
    ]


def service_levels() -> Iterator[Case]:
    """service_level.csv, whole: the configured definition of the queue is the row's variant."""
    now_ms = MIDNIGHT_MS + 10 * 60 * MINUTE_MS + 123
    for row in rows("service_level.csv"):
        t_s, short_s = float(row["t_s"]), float(row["short_s"] or 0)
        waits = _waits(
            answered=int(row["answered"]),
            answered_in_t=int(row["answered_within_t"]),
            abandoned=int(row["abandoned"]),
            abandoned_in_t=int(row["abandoned_within_t"]),
            short=int(row["abandoned_short"]),
            t_ms=round(t_s * 1000),
            short_ms=round(short_s * 1000),
        )
        definition = ServiceLevelDefinition(row["variant"])
        level = ServiceLevelConfig(threshold_s=t_s, short_abandon_s=short_s, definition=definition)
        yield from _percentages(
            f"service_level {row['id']} {definition}", row, _cohort(waits, now_ms), config_of(level),
            now_ms=now_ms, figure=lambda r: r.windows[WindowName.M60].service_level.value,
        )  # fmt: skip


def abandonments() -> Iterator[Case]:
    """abandon_rate.csv, whole; `short_abandons_excluded` is the queue's definition of that name."""
    now_ms = MIDNIGHT_MS + 10 * 60 * MINUTE_MS + 123
    for row in rows("abandon_rate.csv"):
        short = int(row["abandoned_short"] or 0)
        waits = _waits(
            answered=int(row["handled"]),
            answered_in_t=int(row["handled"]),
            abandoned=int(row["abandoned"]),
            abandoned_in_t=int(row["abandoned"]),
            short=short,
            t_ms=20 * SECOND_MS,
            short_ms=5 * SECOND_MS,
        )
        assert len(waits) == int(row["offered"])
        excluded = row["variant"] == "short_abandons_excluded"
        definition = ServiceLevelDefinition.SHORT_ABANDONS_EXCLUDED
        level = ServiceLevelConfig(definition=definition) if excluded else ServiceLevelConfig()
        yield from _percentages(
            f"abandon_rate {row['id']} {row['variant']}", row, _cohort(waits, now_ms), config_of(level),
            now_ms=now_ms, figure=_abandonment,
        )  # fmt: skip


def _abandonment(row: Row) -> float | None:
    ratio = row.windows[WindowName.M60].abandonment
    return ratio.value if ratio else None


def _percentages(
    name: str,
    row: Mapping[str, str],
    events: list[AnyEvent],
    config: Config,
    *,
    now_ms: int,
    figure: Callable[[Row], float | None],
) -> Iterator[Case]:
    """The exact figure to its six printed digits, and the published one within its own tolerance."""
    wanted = (("expected_exact_pct", 1e-6), ("expected_published_pct", float(row["abs_tol"])))
    for column, tolerance_pct in wanted:
        if row[column]:
            yield Case(
                name=f"{name} {column.split('_')[1]}",
                events=events,
                config=config,
                now_ms=now_ms,
                figure=figure,
                expected=float(row[column]) / 100,
                tolerance=tolerance_pct / 100 + 1e-12,
            )
