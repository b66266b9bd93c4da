"""Scripted boards for the pictures and the browser tests: figures as in the reference pictures."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from schemas.board import Alert, Lever
from schemas.vocabulary import AlertState, Channel, Freshness, Severity
from tests.end_to_end.wallboard_rows import START_MS, Queue, Scene, alert, changed

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
        items=(54, 97_920, 44_100),
        cleared=((21, 24), (24, 24)),
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
        items=(9, 8_100, 8_100),
        cleared=((11, 12), (11, 12)),
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
        items=(230, 291_600, 118_800),
        cleared=((9, 9), (9, 9)),
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
        "fires_below": True,
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


def on_source(source: str, **values: Any) -> Alert:
    told = alert(NORMAL[0], alert_id=f"alert-{source}", severity=Severity.WARNING, clear=None, **values)
    return replace(told, queue="", channel=None, team=None, source=source)


def operations() -> Scene:
    """What concerns the system itself: a source that is silent, events that are lost."""
    queue = NORMAL[0]
    silent = on_source(
        "pbx1",
        crossed_ago_s=20,
        rule="source_silent",
        metric="source_age_s",
        value=15.0,
        threshold=15.0,
    )
    lost = on_source(
        "vigie.events/2",
        crossed_ago_s=10,
        rule="log_gap",
        metric="events_missed",
        value=1248,
        threshold=0,
    )
    return Scene((queue,), (silent, lost))


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
            NORMAL[7],
            id="c",
            name=long,
            wait_s=999_999,
            waiting=1248,
            items=(1300, 999_999, 359_999),
            cleared=((1999, 2000), (2000, 2000)),
            service=(1999, 2000),
            occupancy=0.001,
        ),
        changed(
            NORMAL[5],
            id="d",
            name=wide,
            wait_s=86_399,
            waiting=212,
            items=(999, 863_999, 86_340),
            service=(1, 400),
        ),
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
    "operations": operations,
    "worst": worst_texts,
    "worst-8": worst_of_eight,
    "many": many,
    "empty": lambda: Scene(()),
}
