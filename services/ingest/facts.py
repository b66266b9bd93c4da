"""How each fact is written, whatever the source: its words and its identity. Pure.

An id is made of what the fact is (contact, queue, n-th visit, attempt, kind), never of the message that
told it: the same fact seen by two connections, by two processes, or twice, has the same id. Facts that
can come again (states, holds, transfers, messages) have in it their source's instant, or the vendor's own
number of what happened. Fields: INTERFACE.md §4.
"""

from collections.abc import Mapping
from typing import Protocol, TypedDict

from msgspec import Struct

from schemas.config import SourceConfig
from schemas.events import (
    AgentAccepted,
    AgentNoAnswer,
    AgentOffered,
    AgentOfferEnded,
    AgentStateChanged,
    ContactCreated,
    ContactEnded,
    HoldEnd,
    HoldStart,
    MessageIn,
    MessageOut,
    QueueEntered,
    QueueLeft,
    SourceEvent,
    SourceHeartbeat,
    SurveyAnswered,
    TalkEnded,
    Transfer,
    WrapEnd,
    WrapStart,
)
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
from services.ingest.names import fit


class Place(Protocol):
    """A visit to a queue, whatever else its source remembers of it.

    `queue` "": not known to who tells, or there is none; the segment names the visit all the same.
    """

    @property
    def contact(self) -> str: ...
    @property
    def segment(self) -> str: ...
    @property
    def queue(self) -> str: ...


class Spot(Struct, frozen=True):
    """A `Place` and nothing more. `segment` names the visit: unique within the contact."""

    contact: str
    segment: str
    queue: str


class _Envelope(TypedDict):
    id: str
    source: str
    site: str
    occurred_ms: int
    received_ms: int
    inferred: bool
    rank: int
    precision_ms: int


class Facts:
    """Writes facts for one source; `take` hands over what was written since the last time.

    `rank`: how well the source knows, where several tell of one contact (SEMANTICS.md §1). `precision_ms`:
    its instants were truncated to so much (1000: whole seconds), until it is set anew. `received_ms` is set
    by whoever hands a message in. Names are made fit to travel; an agent's is mapped to ours.
    """

    def __init__(self, source: SourceConfig, *, rank: int = 0, precision_ms: int = 0) -> None:
        self.received_ms = 0
        self.precision_ms = precision_ms
        self._source = source.id
        self._site = source.site
        self._agents = source.agents
        self._rank = rank
        self._out: list[SourceEvent] = []

    def take(self) -> list[SourceEvent]:
        out, self._out = self._out, []
        return out

    def created(
        self,
        contact: str,
        at_ms: int,
        *,
        channel: Channel,
        customer: str | None = None,
        direction: Direction | None = Direction.INBOUND,
        key: object = "",
        inferred: bool = False,
    ) -> None:
        """`customer`: a pseudonym, never what it stands for. `key` tells apart what may begin one contact."""
        self._out.append(
            ContactCreated(
                **self._envelope(_keyed(f"{contact}/created", key), at_ms, inferred=inferred),
                contact=fit(contact),
                channel=channel,
                direction=direction,
                customer=customer,
            )
        )

    def ended(self, contact: str, at_ms: int, *, key: object = "", inferred: bool = False) -> None:
        """`key` tells apart the ends of a contact that can be opened again."""
        self._out.append(
            ContactEnded(
                **self._envelope(_keyed(f"{contact}/ended", key), at_ms, inferred=inferred),
                contact=fit(contact),
            )
        )

    def entered(
        self, place: Place, at_ms: int, *, channel: Channel = Channel.PHONE, inferred: bool = False
    ) -> None:
        self._out.append(
            QueueEntered(
                **self._envelope(f"{place.segment}/entered", at_ms, inferred=inferred),
                contact=fit(place.contact),
                segment=fit(place.segment),
                queue=fit(place.queue),
                channel=channel,
            )
        )

    def left(
        self, place: Place, at_ms: int, *, outcome: Outcome, agent: str | None = None, inferred: bool = False
    ) -> None:
        self._out.append(
            QueueLeft(
                **self._envelope(f"{place.segment}/left/{outcome}", at_ms, inferred=inferred),
                contact=fit(place.contact),
                segment=fit(place.segment),
                queue=_told(place.queue),
                outcome=outcome,
                agent=self._agent(agent) if agent is not None else None,
            )
        )

    def offered(self, place: Place, at_ms: int, *, agent: str, attempt: str, inferred: bool = False) -> None:
        """`attempt` tells this attempt from the others of the visit."""
        self._out.append(
            AgentOffered(
                **self._envelope(f"{place.segment}/offered/{attempt}", at_ms, inferred=inferred),
                contact=fit(place.contact),
                segment=fit(place.segment),
                queue=_told(place.queue),
                agent=self._agent(agent),
            )
        )

    def no_answer(
        self, place: Place, at_ms: int, *, agent: str, attempt: str, inferred: bool = False
    ) -> None:
        self._out.append(
            AgentNoAnswer(
                **self._envelope(f"{place.segment}/no_answer/{attempt}", at_ms, inferred=inferred),
                contact=fit(place.contact),
                segment=fit(place.segment),
                queue=_told(place.queue),
                agent=self._agent(agent),
            )
        )

    def offer_ended(
        self,
        place: Place,
        at_ms: int,
        *,
        agent: str,
        attempt: str,
        reason: OfferEnd,
        inferred: bool = False,
    ) -> None:
        self._out.append(
            AgentOfferEnded(
                **self._envelope(f"{place.segment}/offer_ended/{attempt}", at_ms, inferred=inferred),
                contact=fit(place.contact),
                segment=fit(place.segment),
                queue=_told(place.queue),
                agent=self._agent(agent),
                reason=reason,
            )
        )

    def accepted(
        self, place: Place, at_ms: int, *, agent: str, key: object = "", inferred: bool = False
    ) -> None:
        """`key` tells apart what can happen again within one visit, here and below."""
        self._out.append(
            AgentAccepted(
                **self._envelope(_keyed(f"{place.segment}/accepted", key), at_ms, inferred=inferred),
                contact=fit(place.contact),
                segment=fit(place.segment),
                queue=_told(place.queue),
                agent=self._agent(agent),
            )
        )

    def talk_ended(
        self,
        place: Place,
        at_ms: int,
        *,
        agent: str | None,
        by: EndedBy | None = None,
        key: object = "",
        inferred: bool = False,
    ) -> None:
        self._out.append(
            TalkEnded(
                **self._envelope(_keyed(f"{place.segment}/talk_ended", key), at_ms, inferred=inferred),
                contact=fit(place.contact),
                segment=fit(place.segment),
                queue=_told(place.queue),
                agent=self._agent(agent) if agent is not None else None,
                by=by,
            )
        )

    def wrap_start(
        self, place: Place, at_ms: int, *, agent: str | None, key: object = "", inferred: bool = False
    ) -> None:
        self._wrap(WrapStart, place, at_ms, agent=agent, key=key, inferred=inferred)

    def wrap_end(
        self, place: Place, at_ms: int, *, agent: str | None, key: object = "", inferred: bool = False
    ) -> None:
        self._wrap(WrapEnd, place, at_ms, agent=agent, key=key, inferred=inferred)

    def hold(self, place: Place, at_ms: int, *, agent: str | None, is_start: bool) -> None:
        kind = HoldStart if is_start else HoldEnd
        word = "hold_start" if is_start else "hold_end"
        self._out.append(
            kind(
                **self._envelope(f"{place.segment}/{word}/{at_ms}", at_ms),
                contact=fit(place.contact),
                segment=fit(place.segment),
                agent=self._agent(agent) if agent is not None else None,
            )
        )

    def transfer(
        self,
        contact: str,
        at_ms: int,
        *,
        kind: TransferKind,
        from_queue: str | None = None,
        to_queue: str | None = None,
    ) -> None:
        self._out.append(
            Transfer(
                **self._envelope(f"{contact}/transfer/{kind}/{at_ms}", at_ms),
                contact=fit(contact),
                kind=kind,
                from_queue=fit(from_queue) if from_queue is not None else None,
                to_queue=fit(to_queue) if to_queue is not None else None,
            )
        )

    def agent_state(
        self,
        agent: str,
        state: AgentState,
        at_us: int,
        *,
        reason: str | None = None,
        queues: tuple[str, ...] | None = None,
        capacity: Mapping[Channel, int] | None = None,
        inferred: bool = False,
    ) -> None:
        """`at_us`, microseconds: in the id they keep two states of one millisecond in order."""
        self._out.append(
            AgentStateChanged(
                **self._envelope(f"{agent}/state/{at_us:016}/{state}", at_us // 1000, inferred=inferred),
                agent=self._agent(agent),
                state=state,
                reason=fit(reason) if reason is not None else None,
                queues=tuple(map(fit, queues)) if queues is not None else None,
                capacity=dict(capacity) if capacity is not None else None,
            )
        )

    def message(
        self,
        contact: str,
        at_ms: int,
        *,
        key: object,
        author: Author,
        channel: Channel,
        queue: str | None = None,
        agent: str | None = None,
    ) -> None:
        """A message in (of the customer) or out (of an agent or a bot). `key`: the vendor's number of it."""
        kind = MessageIn if author is Author.CUSTOMER else MessageOut
        self._out.append(
            kind(
                **self._envelope(f"{contact}/message/{key}", at_ms),
                contact=fit(contact),
                queue=fit(queue) if queue is not None else None,
                channel=channel,
                author=author,
                agent=self._agent(agent) if agent is not None else None,
            )
        )

    def survey(
        self,
        contact: str,
        at_ms: int,
        *,
        key: object,
        score: float,
        programme: str | None = None,
        scale: str | None = None,
        queue: str | None = None,
    ) -> None:
        self._out.append(
            SurveyAnswered(
                **self._envelope(f"{contact}/survey/{key}", at_ms),
                contact=fit(contact),
                queue=fit(queue) if queue is not None else None,
                programme=programme,
                scale=scale,
                score=score,
            )
        )

    def heartbeat(self, clock_us: int | None) -> None:
        """`clock_us`: the source's clock; None when it was not told."""
        at_us = clock_us if clock_us is not None else self.received_ms * 1000
        self._out.append(
            SourceHeartbeat(
                **self._envelope(f"heartbeat/{at_us:016}", at_us // 1000),
                clock_ms=clock_us // 1000 if clock_us is not None else None,
            )
        )

    def _wrap(
        self,
        kind: type[WrapStart] | type[WrapEnd],
        place: Place,
        at_ms: int,
        *,
        agent: str | None,
        key: object,
        inferred: bool,
    ) -> None:
        word = "wrap_start" if kind is WrapStart else "wrap_end"
        self._out.append(
            kind(
                **self._envelope(_keyed(f"{place.segment}/{word}", key), at_ms, inferred=inferred),
                contact=fit(place.contact),
                segment=fit(place.segment),
                agent=self._agent(agent) if agent is not None else None,
            )
        )

    def _agent(self, name: str) -> str:
        return fit(self._agents.get(name, name))

    def _envelope(self, name: str, at_ms: int, *, inferred: bool = False) -> _Envelope:
        return {
            "id": fit(name),
            "source": self._source,
            "site": self._site,
            "occurred_ms": at_ms,
            "received_ms": self.received_ms,
            "inferred": inferred,
            "rank": self._rank,
            "precision_ms": self.precision_ms,
        }


def _keyed(name: str, key: object) -> str:
    return f"{name}/{key}" if key != "" else name


def _told(queue: str) -> str | None:
    return fit(queue) if queue else None
