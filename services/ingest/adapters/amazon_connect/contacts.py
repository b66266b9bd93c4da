"""Contact events → facts of contacts. Each alone, in any order; what is remembered is only who went on.

Connect tells of no abandon. One who is disconnected from a queue and spoke with no agent is told at once
to have left it, nobody knows how (`unknown`, which every other outcome beats), and after a wait to have
abandoned it, unless another contact is known to go on with it by then: a call-back, a transfer. That other
contact tells how the queue was left by itself, whenever and to whomever it is told, and wins
(SEMANTICS.md §1); so nothing is lost or wrong for good when two processes hear a part each, or one dies.

What is derived has a lower rank than what is told: an agent who accepted beats a derived abandon.
"""

from msgspec import Struct

from schemas.config import SourceConfig
from schemas.events import AgentAccepted, AnyEvent, QueueLeft
from schemas.vocabulary import Outcome, TransferKind
from services.ingest.adapters.amazon_connect.contact_event import (
    GOES_ON,
    ContactEvent,
    number_of,
    segment_of,
)
from services.ingest.facts import Facts, Spot
from services.ingest.translated import Pseudonyms

ABANDON_AFTER_S = 5.0
MAX_KEPT = 65_536
"""Contacts that went on, and departures to be decided, each: beyond, the oldest is forgotten or decided."""

_CUSTOMER_GONE = frozenset(
    {"CUSTOMER_DISCONNECT", "CUSTOMER_NEVER_ARRIVED", "CUSTOMER_CONNECTION_NOT_ESTABLISHED"}
)


class Departure(Struct, frozen=True):
    """One who left without an agent, or hung up. `outcome` None: how he left is told already."""

    due_ms: int
    at_ms: int
    place: Spot
    outcome: Outcome | None
    is_end: bool


class Contacts:
    """`told` writes what Connect says, `derived` what follows from it."""

    def __init__(self, source: SourceConfig, pseudonyms: Pseudonyms, *, told: Facts, derived: Facts) -> None:
        wait_s = source.abandon_after_s
        self._wait_ms = round((ABANDON_AFTER_S if wait_s is None else wait_s) * 1000)
        self._pseudonyms = pseudonyms
        self._told = told
        self._derived = derived
        self._gone_on: dict[str, None] = {}
        self._departures: dict[str, Departure] = {}

    def take(self, event: ContactEvent, now_ms: int) -> None:
        """`now_ms`: when it was received; the wait runs from then."""
        self._tell_of_the_one_before(event)
        match event.type:
            case "INITIATED":
                self._created(event)
            case "QUEUED" | "CONTACT_DATA_UPDATED":
                self._entered(event)
            case "CONNECTED_TO_AGENT":
                self._entered(event)
                self._answered(event, event.accepted_ms or event.at_ms)
            case "DISCONNECTED" | "COMPLETED":
                self._over(event, now_ms)
            case _:
                pass

    def due(self, now_ms: int) -> None:
        """Those whose wait is over have left as is derived."""
        while self._departures:
            number, departure = next(iter(self._departures.items()))
            if departure.due_ms > now_ms:
                return
            del self._departures[number]
            self._decide(number, departure)

    def next_due_ms(self) -> int | None:
        return next((departure.due_ms for departure in self._departures.values()), None)

    # --- what was told before ---

    def recall(self, event: AnyEvent) -> None:
        if isinstance(event, QueueLeft | AgentAccepted) and event.segment is not None:
            number = number_of(event.segment)
            if isinstance(event, AgentAccepted) or event.outcome is not Outcome.UNKNOWN:
                self._departures.pop(number, None)
                if isinstance(event, QueueLeft) and event.outcome in GOES_ON.values():
                    self._keep_gone_on(number)
            elif event.inferred:
                place = Spot(event.contact, event.segment, event.queue or "")
                due_ms = event.received_ms + self._wait_ms
                self._wait_for(
                    number, Departure(due_ms, event.occurred_ms, place, Outcome.ABANDONED, is_end=False)
                )

    # --- each event ---

    def _created(self, event: ContactEvent) -> None:
        if event.is_first:
            customer = self._pseudonyms.of(event.customer) if event.customer else None
            self._told.created(
                event.contact,
                event.begun_ms,
                channel=event.channel,
                customer=customer,
                direction=event.direction,
            )

    def _entered(self, event: ContactEvent) -> None:
        if not event.is_queued:
            return
        assert event.entered_ms is not None  # `is_queued` says so
        self._told.entered(event.place, event.entered_ms, channel=event.channel)
        if GOES_ON.get(event.method) is Outcome.TRANSFERRED and not event.is_first:
            self._told.transfer(event.contact, event.begun_ms, kind=TransferKind.QUEUE, to_queue=event.queue)

    def _answered(self, event: ContactEvent, at_ms: int) -> None:
        if not event.agent:
            return
        self._departures.pop(event.id, None)
        self._told.accepted(event.place, at_ms, agent=event.agent)
        if event.is_queued:
            self._told.left(event.place, at_ms, outcome=Outcome.ANSWERED, agent=event.agent)

    def _over(self, event: ContactEvent, now_ms: int) -> None:
        self._created(event)
        self._entered(event)
        if event.accepted_ms is not None:
            self._answered(event, event.accepted_ms)
        outcome: Outcome | None = None
        if event.accepted_ms is not None or event.is_agent_told_without_instant:
            self._talk_over(event)
        elif event.is_queued and event.id not in self._gone_on:
            outcome = self._left_alone(event)
        is_end = event.reason in _CUSTOMER_GONE or not (event.queue or event.agent)
        if outcome is not None or is_end:
            departure = Departure(now_ms + self._wait_ms, event.left_ms, event.place, outcome, is_end)
            self._wait_for(event.id, departure)

    def _talk_over(self, event: ContactEvent) -> None:
        self._told.talk_ended(event.place, event.left_ms, agent=event.agent, by=event.ended_by)
        if event.is_queued and event.accepted_ms is None:  # an answer whose instant only another event has
            self._told.left(event.place, event.left_ms, outcome=Outcome.UNKNOWN, agent=event.agent)
        if event.wrap_start_ms is not None:
            self._told.wrap_start(event.place, event.wrap_start_ms, agent=event.agent)
        if event.wrapped_ms is not None:
            self._told.wrap_end(event.place, event.wrapped_ms, agent=event.agent)

    def _left_alone(self, event: ContactEvent) -> Outcome | None:
        """What is to be decided later, if anything."""
        if event.outcome is not None:
            self._told.left(event.place, event.left_ms, outcome=event.outcome)
            return None
        self._derived.left(event.place, event.left_ms, outcome=Outcome.UNKNOWN, inferred=True)
        return Outcome.ABANDONED

    def _tell_of_the_one_before(self, event: ContactEvent) -> None:
        """Its queue is not known here, but its segment is. Had an agent answered it before, that wins."""
        outcome = GOES_ON.get(event.method)
        if outcome is None or not event.previous or event.previous == event.id:
            return
        self._keep_gone_on(event.previous)
        if event.type in ("INITIATED", "QUEUED", "DISCONNECTED", "COMPLETED"):
            before = Spot(event.contact, segment_of(event.contact, event.previous), "")
            self._told.left(before, event.begun_ms, outcome=outcome)

    def _decide(self, number: str, departure: Departure) -> None:
        if number in self._gone_on:
            return
        if departure.outcome is not None:
            self._derived.left(departure.place, departure.at_ms, outcome=departure.outcome, inferred=True)
        if departure.is_end:
            self._derived.ended(departure.place.contact, departure.at_ms, key=number, inferred=True)

    def _wait_for(self, number: str, departure: Departure) -> None:
        """A repeat does not begin the wait anew."""
        if number in self._departures:
            return
        self._departures[number] = departure
        if len(self._departures) > MAX_KEPT:
            oldest = next(iter(self._departures))
            self._decide(oldest, self._departures.pop(oldest))

    def _keep_gone_on(self, number: str) -> None:
        self._gone_on[number] = None
        if len(self._gone_on) > MAX_KEPT:
            del self._gone_on[next(iter(self._gone_on))]
