"""Events as they stand in the topic `vigie.events`: one frozen struct per row of INTERFACE.md §4.

An event is flat: the envelope (who said it, when) and its data side by side, told apart by
`type`. The wire form that people post (CloudEvents) is ingest's matter; this is the log's.

Identity is (`source`, `id`): a repeat changes nothing. Instants are epoch milliseconds, UTC.
New fields need a default; a changed meaning is a new event.
"""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, Struct

from schemas.vocabulary import (
    AgentState,
    Author,
    Channel,
    Direction,
    EndedBy,
    OfferEnd,
    Outcome,
    TransferKind,
)

Name = Annotated[str, Meta(min_length=1, max_length=256)]
"""An identifier as its owner spells it: opaque, never a number (SOURCES.md §1.6)."""

Word = Annotated[str, Meta(max_length=256)]
"""A short free word: a pause reason, a survey programme."""

Instant = Annotated[int, Meta(ge=0, le=9_007_199_254_740_991)]
"""Epoch milliseconds, UTC; the upper bound is the last whole number that every JSON reader keeps."""


Rank = Annotated[int, Meta(ge=-1000, le=1000)]
"""How well a source knows; bounded, because it is kept in records of fixed width."""

PrecisionMs = Annotated[int, Meta(ge=0, le=3_600_000)]
"""Milliseconds."""


class Event(Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """What all events carry.

    `rank` settles contradictions between sources: higher knows better (SEMANTICS.md §1);
    `inferred` marks what was derived (snapshot after a reconnect, log-out by silence);
    `precision_ms`: the source cut `occurred_ms` down to a multiple of so many ms (1000: whole seconds),
    and of those who tell the same happening the most precise knows when (docs/decisions/0009); 0: whole.
    """

    id: Name
    source: Name
    site: Name
    occurred_ms: Instant
    received_ms: Instant
    rank: Rank = 0
    inferred: bool = False
    precision_ms: PrecisionMs = 0


class ContactCreated(Event, frozen=True, kw_only=True, tag="contact.created"):
    contact: Name
    channel: Channel | None = None
    direction: Direction | None = None
    customer: Word | None = None
    request: Word | None = None


class ContactEnded(Event, frozen=True, kw_only=True, tag="contact.ended"):
    contact: Name
    channel: Channel | None = None
    direction: Direction | None = None
    customer: Word | None = None
    request: Word | None = None


class QueueEntered(Event, frozen=True, kw_only=True, tag="queue.entered"):
    contact: Name
    queue: Name
    segment: Name | None = None
    channel: Channel | None = None


class QueueLeft(Event, frozen=True, kw_only=True, tag="queue.left"):
    """`queue` may be left out when `segment` names the visit."""

    contact: Name
    outcome: Outcome
    queue: Name | None = None
    segment: Name | None = None
    agent: Name | None = None


class AgentOffered(Event, frozen=True, kw_only=True, tag="agent.offered"):
    contact: Name
    agent: Name
    queue: Name | None = None
    segment: Name | None = None


class AgentAccepted(Event, frozen=True, kw_only=True, tag="agent.accepted"):
    contact: Name
    agent: Name
    queue: Name | None = None
    segment: Name | None = None


class AgentNoAnswer(Event, frozen=True, kw_only=True, tag="agent.no_answer"):
    contact: Name
    agent: Name
    queue: Name | None = None
    segment: Name | None = None


class AgentOfferEnded(Event, frozen=True, kw_only=True, tag="agent.offer_ended"):
    contact: Name
    agent: Name
    queue: Name | None = None
    segment: Name | None = None
    reason: OfferEnd | None = None


class HoldStart(Event, frozen=True, kw_only=True, tag="hold.start"):
    contact: Name
    segment: Name | None = None
    agent: Name | None = None


class HoldEnd(Event, frozen=True, kw_only=True, tag="hold.end"):
    contact: Name
    segment: Name | None = None
    agent: Name | None = None


class TalkEnded(Event, frozen=True, kw_only=True, tag="talk.ended"):
    contact: Name
    segment: Name | None = None
    queue: Name | None = None
    agent: Name | None = None
    by: EndedBy | None = None


class WrapStart(Event, frozen=True, kw_only=True, tag="wrap.start"):
    contact: Name
    segment: Name | None = None
    agent: Name | None = None
    reason: Word | None = None


class WrapEnd(Event, frozen=True, kw_only=True, tag="wrap.end"):
    contact: Name
    segment: Name | None = None
    agent: Name | None = None
    reason: Word | None = None


class Transfer(Event, frozen=True, kw_only=True, tag="transfer"):
    contact: Name
    kind: TransferKind
    from_queue: Name | None = None
    to_queue: Name | None = None


class AgentStateChanged(Event, frozen=True, kw_only=True, tag="agent.state"):
    """`queues` is the whole set; None leaves it as it was (SEMANTICS.md §5)."""

    agent: Name
    state: AgentState
    reason: Word | None = None
    queues: Annotated[tuple[Name, ...], Meta(max_length=500)] | None = None
    capacity: dict[Channel, Annotated[int, Meta(ge=0, le=1000)]] | None = None


class MessageIn(Event, frozen=True, kw_only=True, tag="message.in"):
    contact: Name
    queue: Name | None = None
    channel: Channel | None = None
    author: Author | None = None
    agent: Name | None = None


class MessageOut(Event, frozen=True, kw_only=True, tag="message.out"):
    contact: Name
    queue: Name | None = None
    channel: Channel | None = None
    author: Author | None = None
    agent: Name | None = None


class SurveyAnswered(Event, frozen=True, kw_only=True, tag="survey.answered"):
    contact: Name
    score: Annotated[float, Meta(ge=-1000, le=1000)]
    queue: Name | None = None
    programme: Word | None = None
    scale: Word | None = None


class SourceHeartbeat(Event, frozen=True, kw_only=True, tag="source.heartbeat"):
    """The source is there. From `vigie/ingest` with site "*": every site of the partition it lies in."""

    clock_ms: Instant | None = None


class AlertAcknowledge(Event, frozen=True, kw_only=True, tag="alert.acknowledge"):
    """What a person did on the board; written by the api only (SEMANTICS.md §8)."""

    alert_id: Name
    command: Name
    by: Name
    note: Annotated[str, Meta(max_length=2000)] | None = None


class AlertSnooze(Event, frozen=True, kw_only=True, tag="alert.snooze"):
    alert_id: Name
    command: Name
    by: Name
    until_ms: Instant
    note: Annotated[str, Meta(max_length=2000)] | None = None


class AlertResolve(Event, frozen=True, kw_only=True, tag="alert.resolve"):
    alert_id: Name
    command: Name
    by: Name
    note: Annotated[str, Meta(max_length=2000)] | None = None


AlertCommand = AlertAcknowledge | AlertSnooze | AlertResolve


class NoticeUndelivered(Event, frozen=True, kw_only=True, tag="notice.undelivered"):
    """A notice that reached nobody, for good; written by the notifier only. Its id is the delivery's."""

    person: Name
    channel: Name
    tries: Annotated[int, Meta(ge=0, le=1_000_000)]


HandlingEvent = (
    AgentOffered
    | AgentAccepted
    | AgentNoAnswer
    | AgentOfferEnded
    | HoldStart
    | HoldEnd
    | TalkEnded
    | WrapStart
    | WrapEnd
)
"""What an agent does with a contact."""

VisitEvent = QueueEntered | QueueLeft | HandlingEvent

ContactEvent = ContactCreated | ContactEnded | VisitEvent | Transfer | MessageIn | MessageOut | SurveyAnswered

SourceEvent = ContactEvent | AgentStateChanged | SourceHeartbeat
"""What a source may say, by POST /v1/events or by an adapter."""

AnyEvent = SourceEvent | AlertCommand | NoticeUndelivered
"""Whatever may stand in `vigie.events`."""

AHEAD_MS = 300_000
"""How far ahead of its receipt an instant, or a source's clock, may lie. SEMANTICS.md §2."""


def queues_of(event: AnyEvent) -> Iterator[str]:
    """Every queue that the event names."""
    if isinstance(event, Transfer):
        names: tuple[str | None, ...] = (event.from_queue, event.to_queue)
    elif isinstance(event, AgentStateChanged):
        names = event.queues or ()
    else:
        names = (getattr(event, "queue", None),)
    return (name for name in names if name is not None)


EVERY_SITE = "*"
"""The site of ingest's own heartbeat: it speaks for each site of the partition it lies in."""

INGEST_SOURCE = "vigie/ingest"
API_SOURCE = "vigie/api"
NOTIFIER_SOURCE = "vigie/notifier"
