"""How each fact is written: its words and its identity. Pure.

An id is made of what the fact is (contact, queue, n-th join, leg, kind), never of the frame that
told it: the same fact seen by two connections, or twice, has the same id. Facts that can come again
(states, holds, transfers, heartbeats) have their source's instant in it. Fields: INTERFACE.md §4.
"""

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
    QueueEntered,
    QueueLeft,
    SourceEvent,
    SourceHeartbeat,
    TalkEnded,
    Transfer,
    WrapEnd,
    WrapStart,
)
from schemas.vocabulary import Channel, Direction, EndedBy, OfferEnd, Outcome, TransferKind
from services.ingest.adapters.asterisk_ami.agents import Standing
from services.ingest.adapters.asterisk_ami.visits import Attempt, Visit
from services.ingest.adapters.asterisk_ami.wire import fit


class Facts:
    """Writes facts for one source; `take` hands over what was written since the last time."""

    def __init__(self, source: SourceConfig) -> None:
        self.received_ms = 0
        self._source = source.id
        self._site = source.site
        self._out: list[SourceEvent] = []

    def take(self) -> list[SourceEvent]:
        out, self._out = self._out, []
        return out

    def created(self, contact: str, at_ms: int, *, customer: str | None, inferred: bool) -> None:
        self._out.append(
            ContactCreated(
                id=fit(f"{contact}/created"),
                source=self._source,
                site=self._site,
                occurred_ms=at_ms,
                received_ms=self.received_ms,
                inferred=inferred,
                contact=contact,
                channel=Channel.PHONE,
                direction=Direction.INBOUND,
                customer=customer,
            )
        )

    def ended(self, contact: str, at_ms: int, *, inferred: bool = False) -> None:
        self._out.append(
            ContactEnded(
                id=fit(f"{contact}/ended"),
                source=self._source,
                site=self._site,
                occurred_ms=at_ms,
                received_ms=self.received_ms,
                inferred=inferred,
                contact=contact,
            )
        )

    def entered(self, visit: Visit, at_ms: int, *, inferred: bool) -> None:
        self._out.append(
            QueueEntered(
                id=fit(f"{visit.segment}/entered"),
                source=self._source,
                site=self._site,
                occurred_ms=at_ms,
                received_ms=self.received_ms,
                inferred=inferred,
                contact=visit.contact,
                segment=visit.segment,
                queue=visit.queue,
                channel=Channel.PHONE,
            )
        )

    def left(self, visit: Visit, at_ms: int, *, outcome: Outcome, inferred: bool = False) -> None:
        self._out.append(
            QueueLeft(
                id=fit(f"{visit.segment}/left/{outcome}"),
                source=self._source,
                site=self._site,
                occurred_ms=at_ms,
                received_ms=self.received_ms,
                inferred=inferred,
                contact=visit.contact,
                segment=visit.segment,
                queue=visit.queue,
                outcome=outcome,
                agent=visit.agent,
            )
        )

    def offered(self, visit: Visit, attempt: Attempt, at_ms: int) -> None:
        self._out.append(
            AgentOffered(
                id=fit(f"{visit.segment}/offered/{attempt.leg}"),
                source=self._source,
                site=self._site,
                occurred_ms=at_ms,
                received_ms=self.received_ms,
                contact=visit.contact,
                segment=visit.segment,
                queue=visit.queue,
                agent=attempt.agent,
            )
        )

    def no_answer(self, visit: Visit, attempt: Attempt, at_ms: int) -> None:
        self._out.append(
            AgentNoAnswer(
                id=fit(f"{visit.segment}/no_answer/{attempt.leg}"),
                source=self._source,
                site=self._site,
                occurred_ms=at_ms,
                received_ms=self.received_ms,
                contact=visit.contact,
                segment=visit.segment,
                queue=visit.queue,
                agent=attempt.agent,
            )
        )

    def offer_ended(self, visit: Visit, attempt: Attempt, at_ms: int, *, reason: OfferEnd) -> None:
        """Asterisk says nothing when an attempt ends so: it is always derived."""
        self._out.append(
            AgentOfferEnded(
                id=fit(f"{visit.segment}/offer_ended/{attempt.leg}"),
                source=self._source,
                site=self._site,
                occurred_ms=at_ms,
                received_ms=self.received_ms,
                inferred=True,
                contact=visit.contact,
                segment=visit.segment,
                queue=visit.queue,
                agent=attempt.agent,
                reason=reason,
            )
        )

    def accepted(self, visit: Visit, at_ms: int, *, agent: str, inferred: bool = False) -> None:
        self._out.append(
            AgentAccepted(
                id=fit(f"{visit.segment}/accepted"),
                source=self._source,
                site=self._site,
                occurred_ms=at_ms,
                received_ms=self.received_ms,
                inferred=inferred,
                contact=visit.contact,
                segment=visit.segment,
                queue=visit.queue,
                agent=agent,
            )
        )

    def talk_ended(self, visit: Visit, at_ms: int, *, by: EndedBy | None, inferred: bool = False) -> None:
        self._out.append(
            TalkEnded(
                id=fit(f"{visit.segment}/talk_ended"),
                source=self._source,
                site=self._site,
                occurred_ms=at_ms,
                received_ms=self.received_ms,
                inferred=inferred,
                contact=visit.contact,
                segment=visit.segment,
                queue=visit.queue,
                agent=visit.agent,
                by=by,
            )
        )

    def wrap_start(self, visit: Visit, at_ms: int) -> None:
        self._out.append(
            WrapStart(
                id=fit(f"{visit.segment}/wrap_start"),
                source=self._source,
                site=self._site,
                occurred_ms=at_ms,
                received_ms=self.received_ms,
                contact=visit.contact,
                segment=visit.segment,
                agent=visit.agent,
            )
        )

    def wrap_end(self, visit: Visit, at_ms: int) -> None:
        self._out.append(
            WrapEnd(
                id=fit(f"{visit.segment}/wrap_end"),
                source=self._source,
                site=self._site,
                occurred_ms=at_ms,
                received_ms=self.received_ms,
                contact=visit.contact,
                segment=visit.segment,
                agent=visit.agent,
            )
        )

    def hold(self, visit: Visit, at_ms: int, *, is_start: bool) -> None:
        kind = HoldStart if is_start else HoldEnd
        self._out.append(
            kind(
                id=fit(f"{visit.segment}/{'hold_start' if is_start else 'hold_end'}/{at_ms}"),
                source=self._source,
                site=self._site,
                occurred_ms=at_ms,
                received_ms=self.received_ms,
                contact=visit.contact,
                segment=visit.segment,
                agent=visit.agent,
            )
        )

    def transfer(self, contact: str, at_ms: int, *, kind: TransferKind, from_queue: str | None) -> None:
        self._out.append(
            Transfer(
                id=fit(f"{contact}/transfer/{kind}/{at_ms}"),
                source=self._source,
                site=self._site,
                occurred_ms=at_ms,
                received_ms=self.received_ms,
                contact=contact,
                kind=kind,
                from_queue=from_queue,
            )
        )

    def agent_state(self, agent: str, now: Standing, at_us: int, *, inferred: bool) -> None:
        """Microseconds in the id keep two states of one millisecond in order."""
        state, reason, queues = now
        self._out.append(
            AgentStateChanged(
                id=fit(f"{agent}/state/{at_us:016}/{state}"),
                source=self._source,
                site=self._site,
                occurred_ms=at_us // 1000,
                received_ms=self.received_ms,
                inferred=inferred,
                agent=agent,
                state=state,
                reason=reason,
                queues=queues,
            )
        )

    def heartbeat(self, clock_us: int | None) -> None:
        """`clock_us`: the source's clock; None when it was not told."""
        at_us = clock_us if clock_us is not None else self.received_ms * 1000
        self._out.append(
            SourceHeartbeat(
                id=f"heartbeat/{at_us:016}",
                source=self._source,
                site=self._site,
                occurred_ms=at_us // 1000,
                received_ms=self.received_ms,
                clock_ms=clock_us // 1000 if clock_us is not None else None,
            )
        )
