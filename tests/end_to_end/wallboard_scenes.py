"""Scripted boards for the pictures and the browser tests: figures as in the reference pictures.

A scene is a function of the instant: rows and alerts as a worker would have published them then.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from schemas.board import (
    Alert,
    Lever,
    Limits,
    QueueRow,
    Ratio,
    ServiceLevel,
    SiteRow,
    SourceRow,
    StateCounts,
    Trend,
)
from schemas.vocabulary import AlertState, Attribution, Channel, Freshness, Severity
from tests.unit.api import rows

START_MS = 1_795_181_527_000
"""2026-11-20 14:32:07 in Paris: the instant of the reference pictures' clock."""

SINCE_MS = 1_790_805_600_000
"""2026-10-01 00:00 in Paris: definitions in force since then."""

Row = QueueRow | SiteRow


@dataclass(frozen=True)
class Queue:
    """What a scene says of a queue; waits are seconds at START_MS."""

    id: str
    name: str
    channel: Channel = Channel.PHONE
    wait_s: float | None = None
    waiting: int = 0
    asa_s: float | None = None
    service: tuple[int, int] = (0, 0)
    threshold_s: float = 20
    abandoned: tuple[int, int] | None = None
    occupancy: float | None = None
    agents: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)
    limit_s: float = 120
    level: float = 0.4
    heard_ago_s: float = 1
    offered: int | None = None
    changed: dict[str, Any] = field(default_factory=dict)


PHONES = (
    Queue(
        "service-client",
        "Service client",
        wait_s=48,
        waiting=3,
        asa_s=14,
        service=(60, 72),
        abandoned=(3, 72),
        occupancy=0.82,
        agents=(4, 11, 2, 2, 5),
    ),
    Queue(
        "facturation",
        "Facturation",
        wait_s=67,
        waiting=2,
        asa_s=17,
        service=(41, 48),
        abandoned=(2, 48),
        occupancy=0.79,
        agents=(2, 7, 1, 1, 3),
        level=0.5,
    ),
    Queue(
        "support",
        "Support technique",
        wait_s=82,
        waiting=4,
        asa_s=21,
        service=(33, 41),
        abandoned=(2, 41),
        occupancy=0.84,
        agents=(1, 9, 3, 2, 4),
        level=0.6,
        heard_ago_s=2,
    ),
    Queue(
        "ventes",
        "Ventes",
        waiting=0,
        asa_s=9,
        service=(27, 30),
        abandoned=(0, 30),
        occupancy=0.76,
        agents=(5, 6, 1, 1, 2),
        level=0.2,
    ),
)
OTHERS = (
    Queue(
        "chat",
        "Chat du site",
        Channel.CHAT,
        wait_s=22,
        waiting=2,
        asa_s=26,
        service=(44, 50),
        threshold_s=60,
        abandoned=(1, 50),
        occupancy=0.81,
        agents=(3, 5, 1, 0, 2),
        level=0.3,
    ),
    Queue(
        "email",
        "E-mail",
        Channel.EMAIL,
        wait_s=61_920,
        waiting=38,
        asa_s=34_800,
        service=(23, 24),
        threshold_s=172_800,
        occupancy=0.78,
        agents=(2, 8, 0, 1, 4),
        limit_s=86_400,
        level=0.7,
        heard_ago_s=3,
    ),
    Queue(
        "social",
        "Réseaux sociaux",
        Channel.SOCIAL,
        wait_s=3_900,
        waiting=6,
        asa_s=2_460,
        service=(11, 12),
        threshold_s=21_600,
        occupancy=0.77,
        agents=(1, 2, 0, 0, 1),
        limit_s=7_200,
        level=0.5,
        heard_ago_s=2,
    ),
    Queue(
        "courrier",
        "Courrier",
        Channel.LETTER,
        wait_s=273_600,
        waiting=212,
        asa_s=180_000,
        service=(9, 9),
        threshold_s=604_800,
        occupancy=0.80,
        agents=(1, 3, 0, 0, 2),
        limit_s=432_000,
        level=0.6,
        heard_ago_s=14,
    ),
)
NORMAL = PHONES + OTHERS


def queue_row(queue: Queue, now_ms: int) -> QueueRow:
    """The row a worker would write at `now_ms`."""
    entered = [] if queue.wait_s is None else [START_MS - round(queue.wait_s * 1000)]
    soon = queue.changed.get("entered_ms", entered)
    heard_ms = now_ms - round(queue.heard_ago_s * 1000)
    available, contact, wrap, paused, offline = queue.agents
    values: dict[str, Any] = {
        "now_ms": now_ms,
        "label": queue.name,
        "short": queue.name,
        "channel": queue.channel,
        "sources": [source_of(queue.channel)],
        "heard_ms": heard_ms,
        "stale_at_ms": heard_ms + 15_000,
        "limits": Limits(wait_s=queue.limit_s, service_level=0.8),
        "agents": StateCounts(
            available=available, in_contact=contact, wrap_up=wrap, paused=paused, offline=offline
        ),
        "windows": {name: window(queue, now_ms) for name in ("5m", "15m", "30m", "60m", "today")},
        "trend": trend(queue, now_ms),
        "entered_ms": soon,
    }
    values |= queue.changed
    row = rows.queue_row(queue.id, **values)
    return replace(row, waiting=queue.changed.get("waiting", queue.waiting))


def window(queue: Queue, now_ms: int) -> Any:
    met, counted = queue.service
    offered = counted if queue.offered is None else queue.offered
    level = rows.window().service_level
    service = ServiceLevel(
        value=met / counted if counted else None,
        numerator=met,
        denominator=counted,
        threshold_s=queue.threshold_s,
        definition=level.definition,
        since_ms=SINCE_MS,
        attribution=Attribution.OFFER,
    )
    is_deferred = queue.channel not in (Channel.PHONE, Channel.CHAT)
    lost = queue.abandoned or (0, 0)
    seconds = 0 if queue.occupancy is None else 3600
    return rows.window(
        now_ms,
        offered=offered,
        answered=met,
        abandoned=lost[0],
        left={},
        service_level=service,
        abandonment=None if is_deferred else rows.ratio(*lost),
        asa_s=Ratio(
            value=queue.asa_s, numerator=(queue.asa_s or 0) * 10, denominator=0 if queue.asa_s is None else 10
        ),
        occupancy=rows.ratio((queue.occupancy or 0) * seconds, seconds),
    )


def trend(queue: Queue, now_ms: int) -> Trend:
    """A line that wanders around `level` of the limit and ends at the wait of now."""
    wander = [0, 2, 1, 3, 1, 0, -2, -1, 0, -1, 1, 2, 0, 1, -1]
    points: list[float | None] = [queue.limit_s * (queue.level + 0.03 * wander[m % 15]) for m in range(60)]
    wait_s = queue.changed.get("trend_end_s", queue.wait_s)
    if wait_s is None:
        points[-18:] = [None] * 18
    else:
        start = points[50] or 0
        points[50:] = [start + (wait_s - start) * step / 9 for step in range(10)]
    return Trend(from_ms=now_ms // 60_000 * 60_000 - 59 * 60_000, longest_wait_s=points)


SOURCES = {
    Channel.PHONE: "pbx1",
    Channel.CHAT: "chat1",
    Channel.SOCIAL: "hub",
    Channel.EMAIL: "mail",
    Channel.LETTER: "post",
}
LABELS = {"pbx1": "Asterisk Lyon", "hub": "Hub social"}


def source_of(channel: Channel) -> str:
    return SOURCES.get(channel, "pbx1")


def site_row(
    queues: tuple[Queue, ...], now_ms: int, *, alerts: tuple[Alert, ...] = (), **changed: Any
) -> SiteRow:
    """A site whose sources were heard as long ago as their queues say."""
    heard = {source_of(q.channel): q for q in queues}
    sources = []
    for source, queue in heard.items():
        stale = queue.changed.get("freshness") is Freshness.STALE
        never = queue.changed.get("heard_ms", 0) is None
        heard_ms = None if never else queue.changed.get("heard_ms", now_ms - round(queue.heard_ago_s * 1000))
        sources.append(
            SourceRow(
                source=source,
                kind="http",
                label=LABELS.get(source),
                freshness=Freshness.UNKNOWN if never else Freshness.STALE if stale else Freshness.LIVE,
                age_ms=None,
                heard_ms=heard_ms,
                stale_at_ms=None if heard_ms is None else heard_ms + 15_000,
            )
        )
    row = rows.site_row(now_ms=now_ms, alerts=list(alerts), **changed)
    return replace(row, sources=sources, label="Relation client · Lyon", time_zone="Europe/Paris")


def alert(queue: Queue, *, crossed_ago_s: float, **changed: Any) -> Alert:
    """An alert of the wait rule, crossed that long before START_MS."""
    crossed_ms = START_MS - round(crossed_ago_s * 1000)
    values: dict[str, Any] = {
        "alert_id": f"alert-{queue.id}",
        "rule": "wait_over_two_minutes",
        "severity": Severity.CRITICAL,
        "site": "paris",
        "queue": queue.id,
        "channel": queue.channel,
        "team": "n1",
        "state": AlertState.FIRING,
        "metric": "longest_wait_s",
        "value": 120.0,
        "threshold": 120.0,
        "clear": 90.0,
        "crossed_ms": crossed_ms,
        "fired_ms": crossed_ms,
    }
    return Alert(**(values | changed))


@dataclass(frozen=True)
class Scene:
    """Queues and alerts. `rows(now_ms)` are what a worker publishes each second."""

    queues: tuple[Queue, ...]
    alerts: tuple[Alert, ...] = ()
    site: dict[str, Any] = field(default_factory=dict)

    def rows(self, now_ms: int) -> list[Row]:
        site = site_row(self.queues, now_ms, alerts=self.alerts, **self.site)
        return [site, *(queue_row(queue, now_ms) for queue in self.queues)]


def changed(queue: Queue, **values: Any) -> Queue:
    return dataclasses.replace(queue, **values)


def normal() -> Scene:
    """Calm; the last alert is over for half an hour."""
    last = alert(
        NORMAL[1],
        crossed_ago_s=34 * 60,
        state=AlertState.RESOLVED,
        resolved_ms=START_MS - 31 * 60_000,
        acknowledged_by="Léa M.",
        acknowledged_ms=START_MS - 33 * 60_000,
        version=3,
    )
    return Scene(NORMAL, (last,))


def soon_queue() -> Queue:
    entered = [START_MS - 101_000, START_MS - 98_000, START_MS - 96_000]
    return changed(NORMAL[2], wait_s=101, waiting=6, changed={"entered_ms": entered})


def critical_queue() -> Queue:
    return changed(
        NORMAL[1],
        wait_s=192,
        waiting=9,
        asa_s=58,
        service=(29, 48),
        abandoned=(6, 49),
        occupancy=0.94,
        agents=(0, 11, 1, 1, 3),
        level=0.45,
    )


def service_alert(queue: Queue, **values: Any) -> Alert:
    defaults: dict[str, Any] = {
        "rule": "service_below_target",
        "severity": Severity.WARNING,
        "metric": "service_level",
        "value": 0.72,
        "threshold": 0.8,
        "clear": 0.82,
        "window": "15m",
    }
    return alert(queue, crossed_ago_s=400, **(defaults | values))


def trouble() -> Scene:
    """The picture tv-alert: one of each."""
    critical = critical_queue()
    empty = changed(
        NORMAL[3],
        asa_s=None,
        service=(0, 0),
        abandoned=(0, 0),
        occupancy=0.12,
        agents=(6, 0, 0, 1, 2),
        offered=0,
    )
    warning = changed(
        NORMAL[4], wait_s=88, waiting=4, service=(36, 50), occupancy=0.88, agents=(1, 7, 1, 0, 2), level=0.3
    )
    silent = changed(
        NORMAL[6],
        wait_s=4_160,
        changed={
            "freshness": Freshness.STALE,
            "heard_ms": START_MS - 252_000,
            "as_of_ms": START_MS - 252_000,
        },
    )
    queues = (NORMAL[0], critical, soon_queue(), empty, warning, NORMAL[5], silent, NORMAL[7])
    lever = Lever(kind="help_from", team="n2", queue="service-client", available=4)
    alerts = (
        alert(critical, crossed_ago_s=72, lever=lever),
        service_alert(
            warning,
            state=AlertState.ACKNOWLEDGED,
            acknowledged_by="Léa M.",
            acknowledged_ms=START_MS - 305_000,
            version=2,
        ),
    )
    return Scene(queues, alerts)


def every_state() -> Scene:
    """The list « une file, dix états » of the picture states."""
    names = [
        "Service client",
        "Support technique",
        "Chat du site",
        "Facturation",
        "Sinistres",
        "Réseaux sociaux",
        "Assistance",
        "Chat application",
        "Ventes",
        "Courrier",
    ]
    base = critical_queue()
    warning = changed(NORMAL[4], wait_s=88, waiting=4, service=(36, 50), occupancy=0.88)
    taken = changed(
        base, id="sinistres", name=names[4], wait_s=178, waiting=7, service=(22, 34), occupancy=0.91
    )
    silent = changed(
        NORMAL[6],
        wait_s=4_160,
        changed={
            "freshness": Freshness.STALE,
            "heard_ms": START_MS - 252_000,
            "as_of_ms": START_MS - 252_000,
        },
    )
    behind = changed(
        NORMAL[0],
        id="assistance",
        name=names[6],
        wait_s=31,
        waiting=2,
        service=(51, 55),
        occupancy=0.8,
        changed={"freshness": Freshness.CATCHING_UP, "behind_s": 8.0},
    )
    never = Queue(
        "chat-app", names[7], Channel.SMS, changed={"heard_ms": None, "stale_at_ms": None, "sources": ["app"]}
    )
    empty = changed(NORMAL[3], asa_s=None, service=(0, 0), abandoned=(0, 0), occupancy=0.12, offered=0)
    closed = changed(
        NORMAL[7],
        service=(0, 0),
        occupancy=None,
        changed={"open": False, "changes_ms": START_MS + (18 * 3600 + 27 * 60 + 53) * 1000},
    )
    queues = (NORMAL[0], soon_queue(), warning, base, taken, silent, behind, never, empty, closed)
    alerts = (
        alert(base, crossed_ago_s=72),
        alert(
            taken,
            crossed_ago_s=58,
            state=AlertState.ACKNOWLEDGED,
            acknowledged_by="Léa M.",
            acknowledged_ms=START_MS,
        ),
        service_alert(warning),
    )
    return Scene(queues, alerts)


def alert_steps() -> Scene:
    """Every step of an alert: to take, taken, flapping, snoozed, suspended, over, falling."""
    queues = list(every_state().queues[:6])
    critical = queues[3]
    falling = changed(NORMAL[3], id="retour", name="Retours", wait_s=100, waiting=1)
    alerts = (
        alert(critical, crossed_ago_s=72),
        alert(
            queues[4],
            crossed_ago_s=118,
            state=AlertState.ACKNOWLEDGED,
            acknowledged_by="Léa M.",
            acknowledged_ms=START_MS - 7000,
        ),
        alert(queues[2], crossed_ago_s=20, flapping=True, episodes_10m=6, severity=Severity.WARNING),
        alert(
            queues[0],
            crossed_ago_s=200,
            state=AlertState.SNOOZED,
            snoozed_by="Karim B.",
            snoozed_until_ms=START_MS + 540_000,
        ),
        alert(queues[5], crossed_ago_s=300, state=AlertState.SUPPRESSED),
        alert(
            queues[1],
            crossed_ago_s=152,
            state=AlertState.RESOLVED,
            resolved_ms=START_MS - 27_000,
            acknowledged_by="Léa M.",
            acknowledged_ms=START_MS - 100_000,
        ),
        alert(falling, crossed_ago_s=95),
    )
    return Scene((*queues, falling), alerts)


def worst_texts() -> Scene:
    """The longest things a tile has to hold: SPEC §14."""
    long = "Support technique"
    wide = "Réclamations graves"[:17]
    queues = (
        changed(NORMAL[0], id="a", name=long, wait_s=723, waiting=212, asa_s=35_999, service=(99, 100)),
        changed(
            NORMAL[7],
            id="b",
            name=wide,
            waiting=212,
            service=(300, 300),
            occupancy=1.0,
            agents=(88, 188, 44, 44, 88),
        ),
        changed(
            NORMAL[7], id="c", name=long, wait_s=999_999, waiting=1248, service=(1999, 2000), occupancy=0.001
        ),
        changed(NORMAL[5], id="d", name=wide, wait_s=86_399, waiting=212, service=(1, 400)),
        changed(
            critical_queue(),
            id="e",
            name=long,
            wait_s=3599,
            waiting=212,
            abandoned=(399, 400),
            service=(1, 400),
        ),
        changed(critical_queue(), id="f", name=wide, wait_s=86_399, waiting=212),
    )
    alerts = (
        alert(queues[4], crossed_ago_s=3479),
        alert(
            queues[5],
            crossed_ago_s=86_279,
            state=AlertState.ACKNOWLEDGED,
            acknowledged_by="Marie-Antoinette de la Tour",
            acknowledged_ms=START_MS,
        ),
    )
    return Scene(queues, alerts)


def worst_of_eight() -> Scene:
    """The same on the smaller tiles of a full screen."""
    scene = worst_texts()
    more = (changed(NORMAL[3], id="y", name="Ventes"), changed(NORMAL[4], id="z", name="Chat du site"))
    return Scene((*scene.queues, *more), scene.alerts)


def many() -> Scene:
    """More queues than a screen of tiles holds."""
    return Scene(
        tuple(
            changed(NORMAL[n % 8], id=f"q{n:02}", name=f"{NORMAL[n % 8].name[:12]} {n + 1}")
            for n in range(20)
        )
    )


SCENES: dict[str, Callable[[], Scene]] = {
    "normal": normal,
    "alert": trouble,
    "states": every_state,
    "steps": alert_steps,
    "worst": worst_texts,
    "worst-8": worst_of_eight,
    "many": many,
    "empty": lambda: Scene(()),
}
