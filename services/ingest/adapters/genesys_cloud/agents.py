"""Presence, routing status and what is in hand → the state of each agent. Pure; remembers the other halves.

Genesys Cloud has two states of a user: the presence that he chose, and the routing status that follows
from it and from his contacts. INTERACTING stands for ringing, talk and wrap-up alike, so that his parts in
conversations say which. What is told is the newest of each, at the newest instant of them; an older word
than the newest of its kind is passed over.

| Routing status | Presence | State |
|---|---|---|
| IDLE | ON_QUEUE, not told | available |
| INTERACTING | any | by what is in hand: in contact, ringing, wrap-up; nothing known: in contact |
| COMMUNICATING | any | in contact (a call that is no queue's) |
| NOT_RESPONDING | any | unreachable |
| OFF_QUEUE | OFFLINE | offline |
| OFF_QUEUE | any other | what is in hand; else paused, with the presence as its reason |
| IDLE | not ON_QUEUE | as OFF_QUEUE: he is on his way out |
| not told | ON_QUEUE | what is in hand; else available |
| not told | any other | as OFF_QUEUE |

AVAILABLE without being on queue is paused too: no contact of a queue comes to him.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from enum import StrEnum

from msgspec import Struct, field

from schemas.config import SourceConfig
from schemas.events import AgentStateChanged, AnyEvent
from schemas.vocabulary import AgentState
from services.ingest.facts import Facts
from services.ingest.names import fit, our_queue

MAX_USERS = 20_000
"""Beyond, the one heard least recently is forgotten: his next word tells his state anew."""
MAX_IN_HAND = 64
MAX_QUEUES = 500
MAX_REASON = 64

ON_QUEUE, OFF_QUEUE, OFFLINE = "ON_QUEUE", "OFF_QUEUE", "OFFLINE"
IDLE, INTERACTING, COMMUNICATING, NOT_RESPONDING = "IDLE", "INTERACTING", "COMMUNICATING", "NOT_RESPONDING"


class Hand(StrEnum):
    """What an agent does with one contact."""

    RINGING = "ringing"
    TALK = "talk"
    WRAP_UP = "wrap_up"
    OVER = "over"


class Word(Struct, frozen=True):
    """One half of a state. `id`: of an organisation's own presence, "" where not told."""

    word: str
    at_ms: int
    id: str = ""


class Standing(Struct, frozen=True):
    """What `agent.state` says."""

    state: AgentState
    reason: str | None = None
    queues: tuple[str, ...] | None = None


class Known(Struct):
    """What is known of a user. `told_us`: the instant of the last word, made to follow the one before where
    both have the same millisecond.
    """

    presence: Word | None = None
    routing: Word | None = None
    queues: tuple[str, ...] | None = None
    queues_ms: int = 0
    hands: dict[str, tuple[Hand, int]] = field(default_factory=dict)
    told: Standing | None = None
    told_us: int = 0


def standing(known: Known, states: Mapping[str, AgentState]) -> Standing:
    """The table above; `states` (settings) says otherwise of a routing status, a presence or its id, save
    while something is in hand.
    """
    hand, presence = _in_hand(known), known.presence or Word("", 0)
    routing = known.routing.word if known.routing is not None else ""
    found = _BY_ROUTING.get(routing)
    if routing == INTERACTING:
        found = hand or states.get(routing) or _between(known)
    elif found is not None:
        found = states.get(routing, found)
    elif (presence.word == ON_QUEUE and routing in (IDLE, "")) or (not presence.word and routing == IDLE):
        found = hand or states.get(routing, AgentState.AVAILABLE)
    if found is None and presence.word != OFFLINE:
        found = hand
    if found is None:
        default = AgentState.OFFLINE if presence.word == OFFLINE else AgentState.PAUSED
        found = states.get(presence.id) or states.get(presence.word, default)
    return Standing(found, _reason(presence.word) if found is AgentState.PAUSED else None)


class Agents:
    """`is_pulled`: what was told is in the log for sure, so that it need not be told again. `watched`: ids of
    the queues that are shown, None: all.
    """

    def __init__(self, source: SourceConfig, facts: Facts, *, is_pulled: bool) -> None:
        self.watched: Collection[str] | None = None
        self._source = source
        self._facts = facts
        self._is_pulled = is_pulled
        self._known: OrderedDict[str, Known] = OrderedDict()

    def presence(self, user: str, word: str, at_ms: int, *, presence_id: str = "") -> None:
        known = self._of(user)
        if known.presence is None or known.presence.at_ms <= at_ms:
            known.presence = Word(_fold(word), at_ms, presence_id)

    def routing(self, user: str, word: str, at_ms: int) -> None:
        known = self._of(user)
        if known.routing is None or known.routing.at_ms <= at_ms:
            known.routing = Word(_fold(word), at_ms)

    def queues(self, user: str, ids: list[str], at_ms: int) -> None:
        """The queues that the user has activated: the whole set."""
        known = self._of(user)
        shown = [each for each in ids[:MAX_QUEUES] if self.watched is None or each in self.watched]
        queues = tuple(sorted({our_queue(self._source, each) for each in shown}))
        if queues != known.queues and known.queues_ms <= at_ms:
            known.queues, known.queues_ms = queues, at_ms

    def hand(self, user: str, part: str, hand: Hand, at_ms: int) -> None:
        """What he does with a contact, by the name of his part in it; told when his state is known."""
        known = self._of(user)
        _, since_ms = known.hands.get(part, (hand, 0))
        if at_ms < since_ms:
            return
        known.hands.pop(part, None)
        known.hands[part] = (hand, at_ms)
        while len(known.hands) > MAX_IN_HAND:
            del known.hands[next(iter(known.hands))]
        self.tell(user)

    def tell(self, user: str) -> None:
        """Says how the user stands, where anything of it is known."""
        known = self._of(user)
        if known.presence is None and known.routing is None:
            return
        found = standing(known, self._source.states)
        now = Standing(found.state, found.reason, known.queues)
        if now == known.told and self._is_pulled:
            return
        if now != known.told:
            at_ms = _newest_ms(known)
            if known.told is not None and (now.state, now.reason) == (known.told.state, known.told.reason):
                at_ms = max(at_ms, known.queues_ms)  # nothing else has changed
            known.told_us = max(at_ms * 1000, known.told_us + 1)
            known.told = now
        self._facts.agent_state(user, now.state, known.told_us, reason=now.reason, queues=now.queues)

    def recall(self, event: AnyEvent) -> None:
        """An event that was told before we started: of the state, both halves as far as it shows them."""
        if isinstance(event, AgentStateChanged):
            known = self._of_ours(event.agent)
            presence, routing = _HALVES.get(event.state, (event.reason or "", OFF_QUEUE))
            known.presence = Word(_fold(presence), event.occurred_ms) if presence else None
            known.routing = Word(routing, event.occurred_ms)
            known.queues = event.queues if event.queues is not None else known.queues
            known.told = Standing(event.state, event.reason, known.queues)
            known.told_us = max(known.told_us, _told_us(event))

    def _of(self, user: str) -> Known:
        return self._of_ours(fit(self._source.agents.get(user, user)))

    def _of_ours(self, agent: str) -> Known:
        known = self._known.get(agent)
        if known is None:
            known = self._known[agent] = Known()
            if len(self._known) > MAX_USERS:
                self._known.popitem(last=False)
        self._known.move_to_end(agent)
        return known


_BY_ROUTING = {NOT_RESPONDING: AgentState.UNREACHABLE, COMMUNICATING: AgentState.IN_CONTACT}
_HALVES = {
    AgentState.AVAILABLE: (ON_QUEUE, IDLE),
    AgentState.RINGING: (ON_QUEUE, INTERACTING),
    AgentState.IN_CONTACT: (ON_QUEUE, INTERACTING),
    AgentState.WRAP_UP: (ON_QUEUE, INTERACTING),
    AgentState.UNREACHABLE: (ON_QUEUE, NOT_RESPONDING),
    AgentState.OFFLINE: (OFFLINE, OFF_QUEUE),
}
_OF_HAND = (
    (Hand.TALK, AgentState.IN_CONTACT),
    (Hand.RINGING, AgentState.RINGING),
    (Hand.WRAP_UP, AgentState.WRAP_UP),
)


def _in_hand(known: Known) -> AgentState | None:
    """What counts most of all that is in hand. IDLE says that nothing begun before it is."""
    routing = known.routing
    since_ms = routing.at_ms if routing is not None and routing.word == IDLE else -1
    doing = {hand for hand, at_ms in known.hands.values() if at_ms > since_ms}
    return next((state for hand, state in _OF_HAND if hand in doing), None)


def _between(known: Known) -> AgentState:
    """INTERACTING, and all that is known to be in hand is over: IDLE is about to be told."""
    is_over = bool(known.hands) and known.told is not None
    return known.told.state if is_over and known.told is not None else AgentState.IN_CONTACT


def _newest_ms(known: Known) -> int:
    halves = [each.at_ms for each in (known.presence, known.routing) if each is not None]
    return max([*halves, *(at_ms for _, at_ms in known.hands.values())])


def _told_us(event: AgentStateChanged) -> int:
    """The microseconds in its id, which say more than its instant."""
    digits = event.id.rpartition("/state/")[2][:16]
    return (
        int(digits)
        if len(digits) == 16 and digits.isascii() and digits.isdigit()
        else event.occurred_ms * 1000
    )


def _fold(word: str) -> str:
    """`On Queue` of an audit is ON_QUEUE."""
    return word.strip().upper().replace(" ", "_")


def _reason(presence: str) -> str:
    return (presence or OFF_QUEUE).lower()[:MAX_REASON]
