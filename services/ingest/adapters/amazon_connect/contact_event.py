"""One contact event as it stands in EventBridge, read. Pure; raises `Unreadable`, never anything else.

Fields: docs.aws.amazon.com/connect/latest/adminguide/contact-events.html. Of what describes the customer
only `customerEndpoint` is read, for the pseudonym; attributes, tags, recordings and references are not.
"""

from msgspec import Struct

from schemas.config import SourceConfig
from schemas.vocabulary import Channel, Direction, EndedBy, Outcome
from services.ingest.adapters.amazon_connect.wire import (
    AGENT_QUEUE,
    CHANNELS,
    Fields,
    Unreadable,
    last_part,
    queue_of,
)
from services.ingest.facts import Spot
from services.ingest.names import contact_name, our_queue

TYPES = frozenset(
    {
        *("INITIATED", "CONNECTED_TO_SYSTEM", "QUEUED", "CONNECTED_TO_AGENT", "DISCONNECTED", "COMPLETED"),
        *("CONTACT_DATA_UPDATED", "PAUSED", "RESUMED", "AMD_DISABLED", "WEBRTC_API"),
    }
)
GOES_ON = {
    "TRANSFER": Outcome.TRANSFERRED,
    "QUEUE_TRANSFER": Outcome.TRANSFERRED,
    "CALLBACK": Outcome.CALLBACK,
}
"""How the contact before left its queue, by the `initiationMethod` of the one that goes on with it."""

NOT_A_CUSTOMERS = frozenset({"MONITOR"})
"""A supervisor who listens."""

_OUTBOUND = frozenset(
    {"OUTBOUND", "EXTERNAL_OUTBOUND", "CAMPAIGN_PREVIEW", "AGENT_REPLY", "CALLBACK", "FLOW"}
)
_NOT_QUEUED = frozenset({"OUTBOUND", "EXTERNAL_OUTBOUND", "AGENT_REPLY"})
"""Begun by an agent, who waits for nobody; a queue that is named is where the call is booked."""

_ENDED_BY = {
    "CUSTOMER_DISCONNECT": EndedBy.CUSTOMER,
    "AGENT_DISCONNECT": EndedBy.AGENT,
    "AGENT_COMPLETED": EndedBy.AGENT,
    "DISCARDED": EndedBy.AGENT,
    "TRANSFERRED": EndedBy.TRANSFER,
}
_LEFT_AS = {
    "EXPIRED": Outcome.TIMEOUT,
    "IDLE_DISCONNECT": Outcome.TIMEOUT,
    "TRANSFERRED": Outcome.TRANSFERRED,
    **dict.fromkeys(
        ("CONTACT_FLOW_DISCONNECT", "API", "DISCARDED", "BARGED", "AGENT_DISCONNECT", "AGENT_COMPLETED"),
        Outcome.WITHDRAWN,
    ),
}
"""By `disconnectReason`, of one whom no agent spoke with: it was not the customer who ended the wait."""


class ContactEvent(Struct, frozen=True, kw_only=True):
    """`at_ms`: the event's own instant, to the second. `accepted_ms` None: no agent was connected, as far
    as is told. `queue`: ours; "" where none is told, or one that is not shown.
    """

    type: str
    id: str
    contact: str
    is_first: bool
    previous: str
    channel: Channel
    method: str
    reason: str
    at_ms: int
    initiated_ms: int | None
    disconnected_ms: int | None
    queue: str
    entered_ms: int | None
    agent: str
    accepted_ms: int | None
    is_agent_told_without_instant: bool
    wrap_start_ms: int | None
    wrap_end_ms: int | None
    customer: str

    @property
    def place(self) -> Spot:
        return Spot(self.contact, segment_of(self.contact, self.id), self.queue)

    @property
    def begun_ms(self) -> int:
        return self.initiated_ms or self.at_ms

    @property
    def left_ms(self) -> int:
        return self.disconnected_ms or self.at_ms

    @property
    def wrapped_ms(self) -> int | None:
        """When wrap-up was over. COMPLETED comes once it is: at its own instant where another is not told,
        with the talk where there was none.
        """
        if self.wrap_end_ms is not None or self.type != "COMPLETED":
            return self.wrap_end_ms
        return self.at_ms if self.wrap_start_ms is not None else self.left_ms

    @property
    def is_queued(self) -> bool:
        """Whether a customer waited, or waits, in a queue that is shown."""
        return bool(self.queue) and self.entered_ms is not None and self.method not in _NOT_QUEUED

    @property
    def direction(self) -> Direction:
        """API begins calls to customers (StartOutboundVoiceContact), and chats and e-mails of customers."""
        is_call_by_api = self.method == "API" and self.channel is Channel.PHONE
        return Direction.OUTBOUND if is_call_by_api or self.method in _OUTBOUND else Direction.INBOUND

    @property
    def ended_by(self) -> EndedBy | None:
        return _ENDED_BY.get(self.reason)

    @property
    def outcome(self) -> Outcome | None:
        """How the queue was left without an agent, where the reason says it."""
        return _LEFT_AS.get(self.reason)


def segment_of(contact: str, number: str) -> str:
    """Each contact of Connect visits one queue at the most (another queue is another contact), so its id
    names the visit: also for who knows it only as `previousContactId`, and not its queue.
    """
    return f"{contact}/{number}"


def number_of(segment: str) -> str:
    """The way back."""
    return segment.rpartition("/")[2]


def shown_queue(source: SourceConfig, raw: str) -> str:
    """Our name of it; "" for agents' own queues unless `map` names them."""
    return source.map.get(raw, "") if raw == AGENT_QUEUE else our_queue(source, raw)


def channel_of(told: Fields) -> Channel | None:
    """None: not a contact with a customer, or a channel nobody knows."""
    channel = CHANNELS.get(told.word("channel"))
    subtype = told.part("segmentAttributes").part("connect:Subtype").word("valueString")
    return Channel.SMS if channel is Channel.CHAT and subtype == "CONNECT:SMS" else channel


def read(detail: Fields, source: SourceConfig, *, at_ms: int) -> ContactEvent | None:
    """The event; None when it is of no customer's contact. Raises `Unreadable`."""
    number = last_part(detail.text("contactId"))
    if not number:
        raise Unreadable("contactId: missing")
    channel, method = channel_of(detail), detail.word("initiationMethod")
    if channel is None and not detail.word("channel"):
        raise Unreadable("channel: missing")
    if channel is None or method in NOT_A_CUSTOMERS:
        return None
    first = last_part(detail.text("initialContactId")) or number
    queue, agent = detail.part("queueInfo"), detail.part("agentInfo")
    agent_id = last_part(agent.text("agentArn", "arn"))
    return ContactEvent(
        type=detail.word("eventType"),
        id=number,
        contact=contact_name(source, first),
        is_first=first == number,
        previous=last_part(detail.text("previousContactId")),
        channel=channel,
        method=method,
        reason=detail.word("disconnectReason"),
        at_ms=at_ms,
        initiated_ms=detail.instant("initiationTimestamp"),
        disconnected_ms=detail.instant("disconnectTimestamp"),
        queue=shown_queue(source, queue_of(queue, "queueArn", "arn")),
        entered_ms=queue.instant("enqueueTimestamp"),
        agent=agent_id,
        accepted_ms=agent.instant("connectedToAgentTimestamp") if agent_id else None,
        is_agent_told_without_instant=bool(agent_id) and "connectedToAgentTimestamp" not in agent,
        wrap_start_ms=agent.instant("afterContactWorkStartTimestamp"),
        wrap_end_ms=agent.instant("afterContactWorkEndTimestamp"),
        customer=detail.part("customerEndpoint").text("address"),
    )
