"""Where a task stands, as one payload tells it by itself: contact, channel, visit to a queue. Pure.

A call or conversation is the contact; a second task of the same is a transfer. A task may come into one
queue several times: the instant at which it entered (TaskQueueEnteredDate, in every payload since) tells
its visits apart. A payload without that instant names queue and time, and the fold finds the visit by
them (docs/decisions/0009, 3).
"""

from msgspec import Struct

from schemas.config import SourceConfig
from schemas.errors import InvalidMessage
from schemas.vocabulary import Channel, Direction, Outcome
from services.ingest.adapters.twilio_taskrouter.attributes import attributes_of, channel_of
from services.ingest.adapters.twilio_taskrouter.payload import Payload
from services.ingest.names import contact_name
from services.ingest.translated import Pseudonyms

_ENDED = frozenset({"assigned", "wrapping", "completed", "canceled"})
"""Assignment statuses of a task of which its own event has told how it left the queue."""


class Visit(Struct, frozen=True):
    """A stay in a queue. `entered_s`: epoch seconds, None where it is not told."""

    contact: str
    segment: str
    queue: str
    entered_s: int | None


class Task(Struct, frozen=True, kw_only=True):
    """`is_alone`: it is about no call and no conversation, so it is the contact itself."""

    sid: str
    at_ms: int
    contact: str
    is_alone: bool
    channel: Channel
    direction: Direction | None
    customer: str | None
    visit: Visit | None

    @property
    def is_offered(self) -> bool:
        """Whether it waits for somebody; who is called by us does not."""
        return self.direction is not Direction.OUTBOUND

    def needs_visit(self) -> Visit:
        if self.visit is None:
            raise InvalidMessage("task_queue_sid: missing")
        return self.visit


def at_ms_of(payload: Payload) -> int:
    """When it happened, by Twilio's clock. Raises `InvalidMessage`."""
    at_ms = payload.instant_ms("timestamp_ms", "timestamp")
    if at_ms is None:
        raise InvalidMessage("timestamp: missing, or no instant")
    return at_ms


def task_of(payload: Payload, source: SourceConfig, pseudonyms: Pseudonyms) -> Task:
    """Raises `InvalidMessage`."""
    sid, at_ms = payload.needs("task_sid"), at_ms_of(payload)
    attributes = attributes_of(payload, pseudonyms)
    number = attributes.call or attributes.conversation
    contact = contact_name(source, number or sid)
    return Task(
        sid=sid,
        at_ms=at_ms,
        contact=contact,
        is_alone=number is None,
        channel=channel_of(payload, attributes),
        direction=attributes.direction,
        customer=attributes.customer,
        visit=_visit_of(payload, source, contact, task=sid, unnamed=f"{sid}@{at_ms}"),
    )


def queue_of(source: SourceConfig, number: str | None, name: str | None) -> str | None:
    """Our name of a queue: as `map` says of its name or number, else its name, else its number."""
    for theirs in (name, number):
        if theirs in source.map:
            return source.map[theirs]
    return name or number


def outcome_of(payload: Payload, outcomes: dict[str, Outcome]) -> Outcome | None:
    """How a canceled task left its queue, by the words of its reason; None where it has none.

    `outcomes` of the settings go before. A caller's hang-up is "hangup", a task that became too old
    "Task TTL Exceeded" or "Task canceled on Workflow timeout"; applications write their own.
    """
    reason = payload.text("task_canceled_reason", "reason")
    if reason is None:
        return None
    if reason in outcomes:
        return outcomes[reason]
    letters = "".join(c for c in reason.lower() if c.isalpha())
    if "hangup" in letters or "hungup" in letters:
        return Outcome.ABANDONED
    return Outcome.TIMEOUT if any(w in letters for w in ("ttl", "timeout", "timedout")) else Outcome.CLOSED


def is_settled(payload: Payload) -> bool:
    """Whether the task was answered or canceled before: deleting it tells nothing then."""
    return (payload.text("task_assignment_status") or "").lower() in _ENDED


def _visit_of(
    payload: Payload, source: SourceConfig, contact: str, *, task: str, unnamed: str
) -> Visit | None:
    """`unnamed`: what is put into identities where the instant of entry is not told."""
    number, name = payload.text("task_queue_sid"), payload.text("task_queue_name")
    queue = queue_of(source, number, name)
    if queue is None:
        return None
    entered_ms = payload.instant_ms("task_queue_entered_date")
    entered_s = entered_ms // 1000 if entered_ms is not None else None
    visit = f"{task}-{entered_s}" if entered_s is not None else unnamed
    return Visit(contact, f"{contact}/{number or name}/{visit}", queue, entered_s)
