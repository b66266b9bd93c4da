"""How the facts of one Genesys Cloud are written, whichever way they are told. Pure.

A visit is named by its ACD participant, so that acd.start, acd.end and whole conversations agree. What an
agent does is told with contact, agent and queue but without segment: his participant does not say which
visit it answers, and each event must do alone; whoever counts gives it to the contact's latest visit to
that queue (docs/decisions/0009, 3). Its id is made of contact, user, what was done and its instant.
"""

from msgspec import structs

from schemas.config import SourceConfig
from schemas.events import ContactEnded, HandlingEvent, QueueLeft, SourceEvent
from schemas.vocabulary import Channel, Direction, OfferEnd, Outcome, TransferKind
from services.ingest.adapters.genesys_cloud import words
from services.ingest.facts import Facts, Spot
from services.ingest.names import contact_name, our_queue
from services.ingest.translated import Pseudonyms

LESS_SURE = -1
"""Rank of what is worked out: what Genesys says in so many words wins (SEMANTICS.md §1)."""


class Writing:
    """`said` and `less_sure` write; `take` hands over what both wrote."""

    def __init__(self, source: SourceConfig, pseudonyms: Pseudonyms) -> None:
        self._source = source
        self._pseudonyms = pseudonyms
        self.said = Facts(source)
        self._less_sure = Facts(source, rank=LESS_SURE)
        self._placed = Facts(source)
        self._placed_less_sure = Facts(source, rank=LESS_SURE)

    def take(self) -> list[SourceEvent]:
        """The ends of contacts last."""
        loose = [
            structs.replace(event, segment=None) if isinstance(event, HandlingEvent | QueueLeft) else event
            for event in (*self._placed.take(), *self._placed_less_sure.take())
        ]
        told = [*self.said.take(), *self._less_sure.take(), *loose]
        return sorted(told, key=lambda event: isinstance(event, ContactEnded))

    def received(self, now_ms: int) -> None:
        for facts in (self.said, self._less_sure, self._placed, self._placed_less_sure):
            facts.received_ms = now_ms

    def contact(self, conversation: str) -> str:
        return contact_name(self._source, conversation)

    # --- the contact ---

    def created(
        self, contact: str, at_ms: int, *, channel: Channel, address: str, direction: Direction | None
    ) -> None:
        customer = self._pseudonyms.of(words.address_of(address)) if address else None
        self.said.created(contact, at_ms, channel=channel, customer=customer, direction=direction)

    # --- a visit; `queue`: theirs ---

    def visit(self, contact: str, participant: str, queue: str) -> Spot:
        return Spot(contact, f"{contact}/{participant}", our_queue(self._source, queue))

    def left(self, visit: Spot, at_ms: int, *, outcome: Outcome, agent: str | None, is_said: bool) -> None:
        """Transferred says little: a call-back that is waiting, or an answer, says more."""
        is_sure = is_said and outcome is not Outcome.TRANSFERRED
        facts = self.said if is_sure else self._less_sure
        facts.left(visit, at_ms, outcome=outcome, agent=agent, inferred=not is_said)

    def called_back(self, contact: str, participant: str, queue: str, at_ms: int) -> None:
        """Who waited in the queue will be called back: the call-back stands in the queue instead."""
        self._placed.left(self.visit(contact, participant, queue), at_ms, outcome=Outcome.CALLBACK)

    # --- an agent's part ---

    def offered(self, contact: str, user: str, queue: str, at_ms: int) -> None:
        self._placed.offered(self._part(contact, user, queue), at_ms, agent=user, attempt=str(at_ms))

    def not_taken(self, contact: str, user: str, queue: str, at_ms: int, *, why: OfferEnd | None) -> None:
        """`why` None: the agent did not take it."""
        part, attempt = self._part(contact, user, queue), str(at_ms)
        if why is None:
            self._placed.no_answer(part, at_ms, agent=user, attempt=attempt)
        else:
            self._placed.offer_ended(part, at_ms, agent=user, attempt=attempt, reason=why)

    def accepted(self, contact: str, user: str, queue: str, at_ms: int) -> None:
        self._placed.accepted(self._part(contact, user, queue), at_ms, agent=user, key=at_ms)

    def has_accepted(self, contact: str, user: str, queue: str, at_ms: int) -> None:
        """The same, reckoned from durations."""
        part, key = self._part(contact, user, queue), f"{at_ms}/reckoned"
        self._placed_less_sure.accepted(part, at_ms, agent=user, key=key, inferred=True)

    def hold(self, contact: str, user: str, queue: str, at_ms: int, *, is_start: bool) -> None:
        self._placed.hold(self._part(contact, user, queue), at_ms, agent=user, is_start=is_start)

    def talk_ended(self, contact: str, user: str, queue: str, at_ms: int, *, ended: str) -> None:
        by = words.ended_by(ended)
        self._placed.talk_ended(self._part(contact, user, queue), at_ms, agent=user, by=by, key=at_ms)
        if words.is_transfer(ended):
            kind = TransferKind.ATTENDED if words.is_consult(ended) else TransferKind.BLIND
            self.said.transfer(contact, at_ms, kind=kind, from_queue=our_queue(self._source, queue))

    def gone_from_talk(self, part: Spot, at_ms: int, agent: str) -> None:
        """Nobody knows when it ended; `agent`: ours."""
        self._placed.talk_ended(part, at_ms, agent=agent, key="gone", inferred=True)

    def wrap(self, contact: str, user: str, queue: str, at_ms: int, *, is_start: bool) -> None:
        part = self._part(contact, user, queue)
        write = self._placed.wrap_start if is_start else self._placed.wrap_end
        write(part, at_ms, agent=user, key=at_ms)

    def _part(self, contact: str, user: str, queue: str) -> Spot:
        return Spot(contact, f"{contact}/{user}", our_queue(self._source, queue))
