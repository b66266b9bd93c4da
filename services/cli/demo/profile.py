"""The simulated centre on paper: its queues, its people, its hours, its habits.

Only values and pure functions of them live here; what happens from second to second is
`simulation.py`. Figures are chosen so that the wall looks like a centre on an ordinary day:
service levels of 75 to 95 %, occupancies of 75 to 88 %, a few per cent abandoned.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import cycle, islice
from random import Random
from zoneinfo import ZoneInfo

from msgspec import Struct

from schemas.vocabulary import Channel

SITE = "lyon"
SOURCE = "demo"
TIME_ZONE = ZoneInfo("Europe/Paris")
CONTACTS_PER_MIN = 12.0
"""Default pace of the whole site: about fifty people at work."""


class QueueProfile(Struct, frozen=True, kw_only=True):
    """How one queue lives. `share`: of the site's contacts; `talk_s`, `wrap_s`: means; `patience_s`: median.

    `load`: contacts in hand at once per person at work, at the occupancy wished for.
    `max_wait_s`: then the caller leaves a message (outcome `timeout`).
    """

    id: str
    channel: Channel
    share: float
    talk_s: float
    wrap_s: float
    load: float
    patience_s: float | None = None
    max_wait_s: float | None = None
    skills: tuple[tuple[str, ...], ...]
    moves_to: str | None = None
    reasons: tuple[str, ...]


SERVICE = QueueProfile(
    id="service-client",
    channel=Channel.PHONE,
    share=0.26,
    talk_s=150,
    wrap_s=25,
    load=0.72,
    patience_s=120,
    max_wait_s=300,
    skills=(("facturation", "email"), ("ventes", "email"), ("support-technique",), ("facturation", "ventes")),
    moves_to="facturation",
    reasons=("Suivi de commande", "Livraison", "Retour", "Compte client"),
)
BILLING = QueueProfile(
    id="facturation",
    channel=Channel.PHONE,
    share=0.18,
    talk_s=165,
    wrap_s=30,
    load=0.72,
    patience_s=120,
    max_wait_s=300,
    skills=(("service-client", "email"), ("support-technique",), ("ventes", "email")),
    moves_to="service-client",
    reasons=("Facture", "Prélèvement", "Échéancier", "Remboursement"),
)
SUPPORT = QueueProfile(
    id="support-technique",
    channel=Channel.PHONE,
    share=0.14,
    talk_s=240,
    wrap_s=30,
    load=0.70,
    patience_s=150,
    max_wait_s=300,
    skills=(("service-client",), ("facturation", "email"), ("ventes", "email")),
    moves_to="service-client",
    reasons=("Panne", "Installation", "Mise à jour", "Accès"),
)
SALES = QueueProfile(
    id="ventes",
    channel=Channel.PHONE,
    share=0.12,
    talk_s=180,
    wrap_s=25,
    load=0.70,
    patience_s=110,
    max_wait_s=75,
    skills=(("support-technique", "email"), ("service-client",), ("facturation", "email")),
    moves_to="service-client",
    reasons=("Devis", "Souscription", "Offre en cours"),
)
CHAT = QueueProfile(
    id="chat",
    channel=Channel.CHAT,
    share=0.17,
    talk_s=300,
    wrap_s=15,
    load=1.7,
    patience_s=160,
    max_wait_s=280,
    skills=(("email",),),
    reasons=("Question produit", "Suivi de commande", "Accès"),
)
MAIL = QueueProfile(
    id="email",
    channel=Channel.EMAIL,
    share=0.13,
    talk_s=200,
    wrap_s=10,
    load=1.3,
    skills=(("chat",),),
    reasons=("Réclamation", "Facture", "Document"),
)
QUEUES = (SERVICE, BILLING, SUPPORT, SALES, CHAT, MAIL)
BY_ID = {queue.id: queue for queue in QUEUES}

BREAK_SHARE = 0.09
"""Share of the people at work who are on a break, on average."""
SPARE_SHARE = 0.08
"""People on the roster beyond the busiest hour's need: they show as offline."""

_HOURS = (
    *(0.72, 0.72, 0.72, 0.72, 0.72, 0.72, 0.74, 0.80, 0.90, 1.02, 1.10, 1.08),
    *(0.92, 0.90, 1.04, 1.08, 1.06, 1.02, 0.94, 0.86, 0.80, 0.76, 0.74, 0.72),
)
"""Contacts by local hour against the mean. The night is kept busy: a demonstration has no closing time."""
BUSIEST = max(_HOURS)


def hour_factor(instant_ms: int) -> float:
    """Arrivals at this instant against the mean pace, interpolated between the middles of the hours."""
    local = datetime.fromtimestamp(instant_ms / 1000, UTC).astimezone(TIME_ZONE)
    place = local.hour + local.minute / 60 - 0.5
    before = math.floor(place)
    part = place - before
    return _HOURS[before % 24] * (1 - part) + _HOURS[(before + 1) % 24] * part


def people_wanted(queue: QueueProfile, rate: float, *, factor: float) -> int:
    """People to have at work for a queue, those on a break included; `rate` in contacts/min of the site."""
    in_hand = rate * factor * queue.share * (queue.talk_s + queue.wrap_s) / 60
    return max(3, round(in_hand / queue.load / (1 - BREAK_SHARE)))


class Person(Struct, frozen=True, kw_only=True):
    """Somebody on the roster: the queues they serve, their own first."""

    id: str
    queues: tuple[str, ...]


def roster(rate: float) -> list[Person]:
    """Everybody employed by a site of `rate` contacts/min, enough for its busiest hour."""
    return [
        Person(id=f"agent-{number:03d}", queues=queues)
        for number, queues in enumerate(_skills(rate), start=1)
    ]


def _skills(rate: float) -> Iterator[tuple[str, ...]]:
    for queue in QUEUES:
        count = math.ceil(people_wanted(queue, rate, factor=BUSIEST) * (1 + SPARE_SHARE))
        for others in islice(cycle(queue.skills), count):
            yield (queue.id, *others)


def around_ms(random: Random, mean_s: float, *, spread: float = 0.6) -> int:
    """A duration by log-normal law of the given mean; `spread` is sigma of its logarithm."""
    return max(500, round(1000 * mean_s * random.lognormvariate(-spread * spread / 2, spread)))


def patience_ms(random: Random, median_s: float) -> int:
    """How long a caller waits before hanging up: log-normal; 1.5 % hang up at once (short abandons)."""
    if random.random() < 0.015:
        return random.randint(1200, 4900)
    return max(6000, round(1000 * median_s * random.lognormvariate(0, 0.8)))


def between_ms(random: Random, low_s: float, high_s: float) -> int:
    """A duration by uniform law."""
    return round(1000 * random.uniform(low_s, high_s))
