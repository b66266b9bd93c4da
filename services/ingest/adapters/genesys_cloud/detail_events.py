"""Detail events (v2.detail.events…) → facts. Each alone, in any order. Pure.

They come by parallel topics with small skew, and two ingest processes may hear a part each: nothing is
remembered but who is on hold or in wrap-up, because the event after it names only the state that it is.
Names, addresses, subjects, wrap-up codes and notes, external contacts and organisations are not read; of
the customer's address a pseudonym is made.
"""

from collections.abc import Callable, Mapping

from schemas.config import SourceConfig
from schemas.vocabulary import Channel, Direction, Outcome
from services.ingest.adapters.genesys_cloud import words
from services.ingest.adapters.genesys_cloud.agents import Agents, Hand
from services.ingest.adapters.genesys_cloud.conversation import customer_address, direction_of
from services.ingest.adapters.genesys_cloud.memory import Memory
from services.ingest.adapters.genesys_cloud.writing import Writing
from services.ingest.fields import Object, instant, needed, needed_instant, text
from services.ingest.names import fit

_OUTCOMES = {"ABANDON": Outcome.ABANDONED, "FLOW_OUT": Outcome.TRANSFERRED}
AGENT_STATE = "agent.state"


class DetailEvents:
    """`take` raises `InvalidMessage` where what is needed is missing."""

    def __init__(self, source: SourceConfig, writing: Writing, memory: Memory, agents: Agents) -> None:
        self._source = source
        self._write = writing
        self._memory = memory
        self._agents = agents
        self._handlers: Mapping[str, Callable[[Object], None]] = {
            "customer.start": self._customer_start,
            "customer.end": self._customer_end,
            "acd.start": self._acd_start,
            "acd.end": self._acd_end,
            "user.start": self._user_start,
            "user.end": self._user_end,
            "acw": self._acw,
            AGENT_STATE: self._agent_state,
        }

    def knows(self, kind: str) -> bool:
        return kind in self._handlers

    def take(self, kind: str, body: Object) -> None:
        self._handlers[kind](body)

    # --- the customer ---

    def _customer_start(self, body: Object) -> None:
        contact, at_ms, channel = self._head(body)
        if channel is not None and not _is_callback(body):
            self._write.created(
                contact,
                at_ms,
                channel=channel,
                address=customer_address(body),
                direction=direction_of(body.get("direction")),
            )

    def _customer_end(self, body: Object) -> None:
        contact, at_ms, channel = self._head(body)
        if channel is not None and not _is_callback(body):
            self._write.said.ended(contact, at_ms, key=needed(body.get("participantId"), "participantId"))

    # --- the queue ---

    def _acd_start(self, body: Object) -> None:
        contact, at_ms, channel = self._head(body)
        participant, queue = _place(body)
        if channel is None:
            return
        if _is_callback(body):
            self._write.called_back(contact, participant, queue, at_ms)
        else:
            visit = self._write.visit(contact, participant, queue)
            self._write.said.entered(visit, at_ms, channel=channel)

    def _acd_end(self, body: Object) -> None:
        contact, at_ms, channel = self._head(body)
        participant, queue = _place(body)
        if channel is None or _is_callback(body):
            return
        visit = self._write.visit(contact, participant, queue)
        told = (text(body.get("acdOutcome")) or "").upper()
        if told == "ANSWERED":
            agent = text(body.get("answeredUserId"))
            self._write.left(visit, at_ms, outcome=Outcome.ANSWERED, agent=agent, is_said=True)
            return
        ended = words.how(body.get("disconnectType"))
        outcome = _OUTCOMES.get(told) or words.outcome_of(ended, is_customer_gone=True)
        self._write.left(visit, at_ms, outcome=outcome, agent=None, is_said=told in _OUTCOMES)

    # --- the agent ---

    def _user_start(self, body: Object) -> None:
        contact, at_ms, channel = self._head(body)
        user, queue = _user(body)
        if channel is not None and queue and direction_of(body.get("direction")) is not Direction.OUTBOUND:
            self._write.offered(contact, user, queue, at_ms)

    def _user_end(self, body: Object) -> None:
        contact, at_ms, channel = self._head(body)
        user, queue = _user(body)
        if channel is None or not queue:
            return
        ended = words.how(body.get("disconnectType"))
        talk_ms, rung_ms = _duration(body, "interactingDurationMs"), _duration(body, "alertingDurationMs")
        held_ms = _duration(body, "heldDurationMs") or 0
        if talk_ms is not None or held_ms:
            self._write.has_accepted(contact, user, queue, max(0, at_ms - (talk_ms or 0) - held_ms))
            self._write.talk_ended(contact, user, queue, at_ms, ended=ended)
        elif rung_ms is not None:
            self._write.not_taken(contact, user, queue, at_ms, why=words.offer_end_of(ended))

    def _acw(self, body: Object) -> None:
        contact, at_ms, channel = self._head(body)
        user, queue = _user(body)
        if channel is None or not queue:
            return
        length_ms = _duration(body, "wrapupDurationMs")
        if length_ms is not None:
            self._write.wrap(contact, user, queue, max(0, at_ms - length_ms), is_start=True)
        self._write.wrap(contact, user, queue, at_ms, is_start=False)

    def _agent_state(self, body: Object) -> None:
        number = needed(body.get("conversationId"), "conversationId")
        at_ms = needed_instant(body.get("currentStateStart"), "currentStateStart")
        state, session = (
            needed(body.get("currentState"), "currentState"),
            needed(body.get("sessionId"), "sessionId"),
        )
        user, queue = _user(body)
        contact = self._write.contact(number)
        hand = _HANDS.get(state.upper())
        if hand is None or not queue or not words.media_of(body.get("mediaType")):
            return
        is_outbound = direction_of(body.get("originatingDirection")) is Direction.OUTBOUND
        part = (contact, fit(self._source.agents.get(user, user)))
        begun_ms = instant(body.get("sessionStart")) or 0
        match state.upper():
            case "ALERT" if not is_outbound:
                self._write.offered(contact, user, queue, at_ms)
            case "INTERACT":
                if self._memory.holds.is_begun(part, at_ms, not_before_ms=begun_ms):
                    self._write.hold(contact, user, queue, at_ms, is_start=False)
                else:
                    self._write.accepted(contact, user, queue, at_ms)
            case "HOLD":
                self._memory.holds.begin(part, at_ms)
                self._write.hold(contact, user, queue, at_ms, is_start=True)
            case "WRAPUP":
                self._memory.wraps.begin(part, at_ms)
                self._write.wrap(contact, user, queue, at_ms, is_start=True)
            case "TERMINATED" if self._memory.wraps.is_begun(part, at_ms, not_before_ms=begun_ms):
                self._write.wrap(contact, user, queue, at_ms, is_start=False)
            case _:
                pass
        self._agents.hand(user, session, hand, at_ms)

    def _head(self, body: Object) -> tuple[str, int, Channel | None]:
        """The contact, the instant, the channel: None where it is of no media with a customer."""
        number = needed(body.get("conversationId"), "conversationId")
        at_ms = needed_instant(body.get("eventTime"), "eventTime")
        media = words.media_of(needed(body.get("mediaType"), "mediaType"))
        channel = words.channel_of(media, body.get("messageType")) if media else None
        return self._write.contact(number), at_ms, channel


_HANDS = {
    "ALERT": Hand.RINGING,
    "INTERACT": Hand.TALK,
    "HOLD": Hand.TALK,
    "WRAPUP": Hand.WRAP_UP,
    "TERMINATED": Hand.OVER,
}


def _place(body: Object) -> tuple[str, str]:
    return needed(body.get("participantId"), "participantId"), needed(body.get("queueId"), "queueId")


def _user(body: Object) -> tuple[str, str]:
    """The queue "": the agent was called, or called, by himself."""
    return needed(body.get("userId"), "userId"), text(body.get("queueId")) or ""


def _is_callback(body: Object) -> bool:
    return words.media_of(body.get("mediaType")) == words.CALLBACK


def _duration(body: Object, name: str) -> int | None:
    """Milliseconds; None where it is not told, or was never so."""
    value = body.get(name)
    is_one = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**12
    return value if is_one else None
