"""Notices to people and what became of each: the records of `vigie.deliveries`.

A delivery is one notice (one version of one alert) to one channel of one person. Its newest record
says how it stands. Rules: SEMANTICS.md §8; written by the notifier, read by it and by the api.
"""

from enum import StrEnum

from msgspec import Struct

from schemas.vocabulary import Notice

GIVE_UP_MS = 3_600_000
"""After this long a delivery is given up; the last try is made when it is over."""


class ChannelKind(StrEnum):
    """The ways to reach a person."""

    WEBHOOK = "webhook"
    EMAIL = "email"


class DeliveryState(StrEnum):
    """How a delivery stands, or what its last try came to.

    delivered    the receiver took it
    accepted     somebody took it who passes it on (a mail relay)
    throttled    the receiver asks for less: again at `due_ms`
    unavailable  it was not taken and nobody was reached: again at `due_ms`
    ambiguous    it left and no answer came, so it may have arrived
    rejected     the receiver will never take it
    given_up     an hour of tries is over
    overtaken    it never left: the episode was over, or a newer notice says more
    """

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    ACCEPTED = "accepted"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    AMBIGUOUS = "ambiguous"
    REJECTED = "rejected"
    GIVEN_UP = "given_up"
    OVERTAKEN = "overtaken"


class Delivery(Struct, frozen=True, kw_only=True):
    """One delivery as it stands at `at_ms`.

    `delivery_id` is computed from alert, version, channel and person, and goes out with every try, so
    that whoever gets it twice can tell. `channel` names one channel of the person: its kind, numbered
    from the second of a kind on. `attempt` counts tries, the running one included. `due_ms`: when the
    next try is due; null when none is to come. `since_ms`: when it was first due. `doubtful`: a try
    may have arrived of which no answer came. `reason` says why, without address or content.
    """

    delivery_id: str
    alert_id: str
    version: int
    notice: Notice
    site: str
    queue: str
    person: str
    channel: str
    kind: ChannelKind
    state: DeliveryState
    since_ms: int
    at_ms: int
    attempt: int = 0
    due_ms: int | None = None
    doubtful: bool = False
    reason: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be tried."""
        return self.due_ms is None and self.state not in (DeliveryState.PENDING, DeliveryState.SENDING)

    @property
    def has_told(self) -> bool:
        """Whether it reached the person, or may have."""
        return self.doubtful or self.state in (DeliveryState.DELIVERED, DeliveryState.ACCEPTED)
