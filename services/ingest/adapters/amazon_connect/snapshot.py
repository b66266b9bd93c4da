"""What an agent event shows of its agent: status, queues, slots, contacts in hand. Pure.

Fields: docs.aws.amazon.com/connect/latest/adminguide/agent-event-stream-model.html. Names, user names,
hierarchy groups and attributes are not read.
"""

from collections.abc import Mapping

from msgspec import Struct, structs

from schemas.config import SourceConfig
from schemas.vocabulary import AgentState, Channel
from services.ingest.adapters.amazon_connect.contact_event import (
    NOT_A_CUSTOMERS,
    channel_of,
    segment_of,
    shown_queue,
)
from services.ingest.adapters.amazon_connect.wire import CHANNELS, Fields, last_part, queue_of, second_of
from services.ingest.facts import Spot
from services.ingest.names import contact_name, fit

RINGING = frozenset({"INCOMING", "PENDING", "CONNECTING"})
TALKING = frozenset({"CONNECTED", "CONNECTED_ONHOLD"})
MISSED = frozenset({"MISSED", "REJECTED", "ERROR"})
"""Until the agent clears such a contact, no other one is offered."""
HELD = "CONNECTED_ONHOLD"
ENDED = "ENDED"

MAX_IN_HAND = 64
"""Contacts of one agent that are read and remembered; Connect gives ten chats, ten tasks and a call."""
MAX_QUEUES = 500
MAX_SLOTS = 1000

_BY_TYPE = {"ROUTABLE": AgentState.AVAILABLE, "CUSTOM": AgentState.PAUSED, "OFFLINE": AgentState.OFFLINE}
_BY_NAME = {"AVAILABLE": AgentState.AVAILABLE, "OFFLINE": AgentState.OFFLINE}
"""Streams of 2018 and 2019 have no type of a status; these two names are given by Connect."""


class Held(Struct, frozen=True):
    """A contact in hand. `place` None: not a customer's. `accepted_ms` None: not connected yet."""

    state: str
    since_ms: int
    place: Spot | None
    accepted_ms: int | None = None


class Standing(Struct, frozen=True):
    """What `agent.state` says; compared with what was said before."""

    state: AgentState
    reason: str | None
    queues: tuple[str, ...] | None
    capacity: Mapping[Channel, int] | None


class Snapshot(Struct, frozen=True):
    """`status_ms`: since when the agent has the status that he chose; None where not told."""

    standing: Standing
    status_ms: int | None
    contacts: Mapping[str, Held]


def read(told: Fields, source: SourceConfig, *, at_ms: int, is_coarse: bool = False) -> Snapshot:
    """`is_coarse`: its instants are whole seconds. Raises `Unreadable` when one is none."""
    status = told.part("AgentStatus")
    profile = told.part("Configuration").part("RoutingProfile")
    contacts = dict(_contacts(told, source, at_ms))
    if is_coarse:
        contacts = {number: _in_seconds(held) for number, held in contacts.items()}
    state, reason = _state(status, contacts, source)
    standing = Standing(state, reason, _queues(profile, source), _capacity(profile))
    return Snapshot(standing, status.instant("StartTimestamp"), contacts)


def _contacts(told: Fields, source: SourceConfig, at_ms: int) -> list[tuple[str, Held]]:
    found = []
    for contact in told.parts("Contacts")[:MAX_IN_HAND]:
        number, state = last_part(contact.text("ContactId")), contact.word("State")
        if not number or not state:
            continue
        since_ms = contact.instant("StateStartTimestamp") or at_ms
        accepted_ms = contact.instant("ConnectedToAgentTimestamp")
        found.append((number, Held(state, since_ms, _place(contact, number, source), accepted_ms)))
    return found


def _in_seconds(held: Held) -> Held:
    accepted_ms = held.accepted_ms
    return structs.replace(
        held,
        since_ms=second_of(held.since_ms),
        accepted_ms=second_of(accepted_ms) if accepted_ms is not None else None,
    )


def _place(contact: Fields, number: str, source: SourceConfig) -> Spot | None:
    if channel_of(contact) is None or contact.word("InitiationMethod") in NOT_A_CUSTOMERS:
        return None
    name = contact_name(source, last_part(contact.text("InitialContactId")) or number)
    queue = shown_queue(source, queue_of(contact.part("Queue"), "ARN"))
    return Spot(name, segment_of(name, number), queue)


def _state(
    status: Fields, contacts: Mapping[str, Held], source: SourceConfig
) -> tuple[AgentState, str | None]:
    """In contact beats wrap-up beats ringing beats what the agent chose (SEMANTICS.md §5)."""
    states = {held.state for held in contacts.values()}
    if states & TALKING:
        return AgentState.IN_CONTACT, None
    if ENDED in states:
        return AgentState.WRAP_UP, None
    if states & RINGING:
        return AgentState.RINGING, None
    name = status.text("Name")
    chosen = source.states.get(name) or _BY_TYPE.get(status.word("Type")) or _BY_NAME.get(name.upper())
    chosen = chosen or (AgentState.PAUSED if name else AgentState.OFFLINE)
    if states & MISSED and chosen is AgentState.AVAILABLE:
        return AgentState.UNREACHABLE, min(states & MISSED)
    return chosen, fit(name) if chosen is AgentState.PAUSED and name else None


def _queues(profile: Fields, source: SourceConfig) -> tuple[str, ...] | None:
    """None where the profile tells no queues at all."""
    if "InboundQueues" not in profile:
        return None
    names = (shown_queue(source, queue_of(queue, "ARN")) for queue in profile.parts("InboundQueues"))
    return tuple(dict.fromkeys(fit(name) for name in names if name))[:MAX_QUEUES]


def _capacity(profile: Fields) -> Mapping[Channel, int] | None:
    slots = {
        CHANNELS[channel.word("Channel")]: most
        for channel in profile.parts("Concurrency")
        if channel.word("Channel") in CHANNELS
        and (most := channel.whole("MaximumSlots")) is not None
        and 0 <= most <= MAX_SLOTS
    }
    return slots or None
