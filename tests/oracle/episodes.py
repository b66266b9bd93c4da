"""Exact episodes of too long a wait in one queue, and their ids. SEMANTICS.md §8."""

import hashlib
from collections.abc import Iterable, Sequence

from msgspec import Struct

from schemas.config import DEFAULT_RULE, Config, FlapConfig
from schemas.events import AnyEvent
from tests.oracle.facts import distinct
from tests.oracle.visits import channels_seen, waits

DEFAULT_CLEAR = 0.75
"""The clear value of the default rule, as a share of the wait limit."""


class Episode(Struct, frozen=True, kw_only=True):
    """One alert of the default rule as it should have been, had every fact been known at once."""

    alert_id: str
    site: str
    queue: str
    crossed_ms: int
    resolved_ms: int | None


def episodes(
    visits: Sequence[tuple[int, int | None]], limit_ms: int, clear_ms: int, *, until_ms: int
) -> list[tuple[int, int | None]]:
    """(crossed_ms, resolved_ms or None when still open at `until_ms`), in order.

    `visits` are (entered, left or None); somebody waits over [entered, left). An episode opens at
    the first instant at which a waiting contact has waited `limit_ms` and none is open; it ends at
    the first instant at which the longest wait of those still waiting is below `clear_ms`, nobody
    waiting being 0. `clear_ms` is `limit_ms` at most.
    """
    found: list[tuple[int, int | None]] = []
    free_from_ms = -1
    while True:
        crossings = [
            entered + limit_ms
            for entered, left in visits
            if entered + limit_ms >= free_from_ms and (left is None or left > entered + limit_ms)
        ]
        crossed_ms = min(crossings, default=until_ms + 1)
        if crossed_ms > until_ms:
            return found
        resolved_ms = _resolved(visits, crossed_ms, clear_ms, until_ms=until_ms)
        found.append((crossed_ms, resolved_ms))
        if resolved_ms is None:
            return found
        free_from_ms = resolved_ms


def flapping_joined(
    told: Sequence[tuple[int, int | None]], flap: FlapConfig, *, until_ms: int
) -> list[tuple[int, int | None]]:
    """The alerts that episodes make: (crossed_ms of the first, resolved_ms of the alert).

    An episode before which `flap.episodes` others began within `flap.within_s` makes an alert that lasts
    until so long a time has passed without a crossing; those that begin meanwhile are part of it.
    """
    within_ms = round(flap.within_s * 1000)
    found: list[tuple[int, int | None]] = []
    place = 0
    while place < len(told):
        first_ms, over_ms = told[place]
        is_flapping = sum(first_ms - within_ms < c <= first_ms for c, _ in told[:place]) >= flap.episodes
        last_ms = first_ms
        place += 1
        while is_flapping:
            calm_ms = last_ms + within_ms
            if calm_ms <= (until_ms if over_ms is None else over_ms):
                break  # it still lasted when it had been calm: an alert like any other from then on
            if place < len(told) and told[place][0] < calm_ms:
                last_ms, over_ms = told[place]
                place += 1
                continue
            over_ms = calm_ms if calm_ms <= until_ms else None
            break
        found.append((first_ms, over_ms))
    return found


def wait_alerts(events: Iterable[AnyEvent], config: Config, *, now_ms: int) -> list[Episode]:
    """The alerts of the default rule on every queue, by queue and instant."""
    known = distinct(events)
    channels = channels_seen(known)
    found = []
    for (site, queue), stays in sorted(waits(known, config, now_ms=now_ms).items()):
        settings = config.queue(site, queue, channels.get((site, queue)))
        limit_ms = round(settings.wait_limit_in_force_s * 1000)
        clear_ms = round(DEFAULT_CLEAR * limit_ms)
        told = episodes(stays, limit_ms, clear_ms, until_ms=now_ms)
        for crossed_ms, resolved_ms in flapping_joined(told, config.flap, until_ms=now_ms):
            found.append(
                Episode(
                    alert_id=alert_id(site, queue, DEFAULT_RULE.id, crossed_ms),
                    site=site,
                    queue=queue,
                    crossed_ms=crossed_ms,
                    resolved_ms=resolved_ms,
                )
            )
    return found


def longest_wait_ms(visits: Sequence[tuple[int, int | None]], at_ms: int) -> int:
    """The longest wait of those waiting at `at_ms`; 0 when nobody is."""
    waiting = [entered for entered, left in visits if entered <= at_ms and (left is None or left > at_ms)]
    return at_ms - min(waiting, default=at_ms)


def alert_id(site: str, queue: str, rule: str, crossed_ms: int) -> str:
    """First 16 hex digits of SHA-256(`site|queue|rule|crossed_ms`)."""
    return hashlib.sha256(f"{site}|{queue}|{rule}|{crossed_ms}".encode()).hexdigest()[:16]


def _resolved(
    visits: Sequence[tuple[int, int | None]], crossed_ms: int, clear_ms: int, *, until_ms: int
) -> int | None:
    """The longest wait only ever drops at the instant at which somebody leaves."""
    departures = sorted({left for _, left in visits if left is not None and crossed_ms < left <= until_ms})
    return next((at for at in departures if longest_wait_ms(visits, at) < clear_ms), None)
