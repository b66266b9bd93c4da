"""The closed sets of words that travel: channels, outcomes, states, freshness.

Words are those of INTERFACE.md §4 and §5; each member's value is the word on the wire and,
where it labels a metric, the label.
"""

from enum import StrEnum


class Channel(StrEnum):
    """How the customer reaches the centre."""

    PHONE = "phone"
    CHAT = "chat"
    EMAIL = "email"
    SOCIAL = "social"
    LETTER = "letter"
    SMS = "sms"


LIVE_CHANNELS = frozenset({Channel.PHONE, Channel.CHAT})
"""Channels where somebody waits in person. The others are deferred: SEMANTICS.md §3, §4."""


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Outcome(StrEnum):
    """How a visit to a queue ended."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    TIMEOUT = "timeout"
    KEY = "key"
    EMPTY = "empty"
    WITHDRAWN = "withdrawn"
    TRANSFERRED = "transferred"
    OVERFLOW = "overflow"
    CALLBACK = "callback"
    CLOSED = "closed"
    UNKNOWN = "unknown"


LEFT_OTHERWISE = tuple(o for o in Outcome if o not in (Outcome.ANSWERED, Outcome.ABANDONED))
"""Outcomes that a window shows under `left`."""


class OfferEnd(StrEnum):
    """Why a ringing attempt ended without answer or time-out."""

    LOST_RACE = "lost_race"
    CALLER_LEFT = "caller_left"
    CANCELLED = "cancelled"


class EndedBy(StrEnum):
    CUSTOMER = "customer"
    AGENT = "agent"
    TRANSFER = "transfer"


class TransferKind(StrEnum):
    BLIND = "blind"
    ATTENDED = "attended"
    QUEUE = "queue"


class Author(StrEnum):
    CUSTOMER = "customer"
    AGENT = "agent"
    BOT = "bot"


class AgentState(StrEnum):
    AVAILABLE = "available"
    RINGING = "ringing"
    IN_CONTACT = "in_contact"
    WRAP_UP = "wrap_up"
    PAUSED = "paused"
    UNREACHABLE = "unreachable"
    OFFLINE = "offline"


class Freshness(StrEnum):
    """Whether a figure may be trusted now. SEMANTICS.md §6."""

    LIVE = "live"
    CATCHING_UP = "catching_up"
    STALE = "stale"
    UNKNOWN = "unknown"


class AlertState(StrEnum):
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    SUPPRESSED = "suppressed"
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"


OPEN_ALERT_STATES = frozenset(
    {AlertState.FIRING, AlertState.ACKNOWLEDGED, AlertState.SNOOZED, AlertState.SUPPRESSED}
)


class Notice(StrEnum):
    """What a new version of an alert tells people: a notice's type is `alert.` and this word."""

    FIRED = "fired"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    SUPPRESSED = "suppressed"
    RESUMED = "resumed"
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"


class OperationsRule(StrEnum):
    """Rules of our own, always in force: alerts on the system itself instead of a queue."""

    SOURCE_SILENT = "source_silent"
    LOG_GAP = "log_gap"
    NOTICE_UNDELIVERED = "notice_undelivered"


class Severity(StrEnum):
    CRITICAL = "critical"
    WARNING = "warning"


class ServiceLevelDefinition(StrEnum):
    """The eight ways to count a service level. SEMANTICS.md §4."""

    ALL_ABANDONS_COUNT_AGAINST = "all_abandons_count_against"
    ANSWERED_ONLY = "answered_only"
    ABANDONS_WITHIN_T_COUNT_AS_MET = "abandons_within_t_count_as_met"
    ABANDONS_WITHIN_T_EXCLUDED = "abandons_within_t_excluded"
    SHORT_ABANDONS_COUNT_AS_MET = "short_abandons_count_as_met"
    SHORT_ABANDONS_EXCLUDED = "short_abandons_excluded"
    REMOVED_FROM_QUEUE = "removed_from_queue"
    WITH_FLOW_OUTS = "with_flow_outs"


class Attribution(StrEnum):
    """Which instant of a contact places it in a window. SEMANTICS.md §3."""

    OFFER = "offer"
    DECISION = "decision"


class WindowName(StrEnum):
    """The five rolling windows of the board."""

    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    M60 = "60m"
    TODAY = "today"


class Reason(StrEnum):
    """What became of an event that did not simply change a figure; also the metric label."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    LATE = "late"
    FUTURE = "future"
    INVALID = "invalid"
    UNKNOWN_TYPE = "unknown_type"
    UNKNOWN_SITE = "unknown_site"
    NOT_ALLOWED = "not_allowed"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    NOT_AN_EVENT = "not_an_event"
    AUTOMATIC = "automatic"
