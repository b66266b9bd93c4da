"""The contacts of a site: their facts as told, their stories as they stand, packed when quiet."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from schemas import events as ev
from schemas.vocabulary import Channel, Outcome
from services.aggregator.core.facts import (
    ACCEPTED,
    CONTACT_ENDED,
    ENTERED,
    LEFT,
    OFFER_ENDED,
    OFFERED,
    TALK_ENDED,
    WRAP_END,
    WRAP_START,
    Fact,
)
from services.aggregator.core.names import one
from services.aggregator.core.repeats import HASH_BYTES, hash_of
from services.aggregator.core.spans import Span, Terms
from services.aggregator.core.visits import Story, tell

PACK_AFTER_MS = 10 * 60_000
"""A contact untouched for so long is kept packed (SEMANTICS.md §1)."""
FORGET_AFTER_MS = 75 * 60_000
"""A closed contact untouched for so long is beyond the lateness bound: its figures are final."""
FORGET_OPEN_AFTER_MS = 24 * 60 * 60_000
"""One whose end of talk was never told, or that was given up for lack of news."""

MAX_FACTS = 500
"""Of one contact: beyond, its sender gives one id to many. Each fact tells the whole story anew."""
_MAX_SEEN = 1000
"""Events of one contact that are only news, the last of which are remembered."""

_NOTHING: Mapping[str, int] = {}
"""Of all contacts, as most have none: an empty dict for each is a tenth of one that is packed."""
_NO_STORY = Story([], [])
_NO_FACTS: list[Fact] = []
"""Of all that are packed; nobody adds to them, as unpacking comes first."""
_NAMES_CHANNEL = (ev.ContactCreated, ev.ContactEnded)


class StoredContact(Struct, array_like=True):
    """A contact as it stands in the state topic. `seen`: 8-byte hashes of events that are only news."""

    facts: list[Fact]
    seen: bytes
    news_ms: int
    touched_ms: int
    expired: dict[str, int]
    channel: tuple[int, str, Channel] | None = None


class Contact:
    """One contact in memory. `touched_ms`: the log's clock when anything of it last came."""

    __slots__ = (
        "_packed",
        "channel",
        "expired",
        "facts",
        "final_at_ms",
        "name",
        "news_ms",
        "seen",
        "story",
        "touched_ms",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.facts: list[Fact] = []
        self.seen = b""
        self.news_ms = 0
        self.touched_ms = 0
        self.channel: tuple[int, str, Channel] | None = None
        """What the first event that names its channel, but no queue, said: instant, id, channel."""
        self.expired: Mapping[str, int] = _NOTHING
        """Visits given up for lack of news: from when on, by segment. News take them up again."""
        self.final_at_ms: int | None = None
        """When it may be forgotten, once that has been looked up."""
        self.story: Story = _NO_STORY
        self._packed: bytes | None = None

    @property
    def is_packed(self) -> bool:
        return self._packed is not None

    def knows(self, event: ev.ContactEvent) -> bool:
        """Whether this event was told before."""
        event_id = event.id
        for fact in self.facts:
            if fact.id == event_id and fact.source == event.source:
                return True
        return bool(self.seen) and _is_in(self.seen, hash_of(event.source, event.id))

    def is_too_much(self, event: ev.ContactEvent) -> bool:
        """Whether the event is one fact more than a contact may have."""
        return len(self.facts) >= MAX_FACTS and fact_of(event) is not None

    def add(self, event: ev.ContactEvent, clock_ms: int) -> bool:
        """Keeps what the event tells; True when the story is to be told again."""
        fact = fact_of(event)
        if fact is not None:
            self.facts.append(fact)
        else:
            self.seen = (self.seen + hash_of(event.source, event.id))[-_MAX_SEEN * HASH_BYTES :]
        if isinstance(event, _NAMES_CHANNEL) and event.channel is not None:
            told = (event.occurred_ms, event.id, event.channel)
            self.channel = told if self.channel is None else min(self.channel, told)
        if event.occurred_ms > self.news_ms:
            self.news_ms = event.occurred_ms
        if clock_ms > self.touched_ms:
            self.touched_ms = clock_ms
        self.final_at_ms = None
        if self.expired:
            self.expired = _NOTHING
            return True
        return fact is not None

    def retell(self, terms: Terms) -> Story:
        """Tells the story anew from the facts; gives the one told before."""
        before = self.story
        self.story = tell(self.name, self.facts, terms, self.expired)
        return before

    def pack(self) -> None:
        """Keeps the facts as bytes and forgets the story until it is needed again."""
        self._packed = _encoder.encode(self.facts)
        self.facts, self.story = _NO_FACTS, _NO_STORY

    def unpack(self, terms: Terms) -> None:
        """Undoes `pack`."""
        if self._packed is not None:
            self.facts, self._packed = _facts.decode(self._packed), None
            self.retell(terms)

    def stored(self) -> StoredContact:
        facts = self.facts if self._packed is None else _facts.decode(self._packed)
        expired = dict(self.expired)
        return StoredContact(facts, self.seen, self.news_ms, self.touched_ms, expired, self.channel)

    @classmethod
    def restored(cls, name: str, stored: StoredContact) -> "Contact":
        contact = cls(name)
        contact.facts, contact.seen = stored.facts, stored.seen
        contact.news_ms, contact.touched_ms = stored.news_ms, stored.touched_ms
        contact.expired, contact.channel = stored.expired or _NOTHING, stored.channel
        return contact

    def entered(self) -> set[str]:
        """The queues that it was told to have entered. Only while it is not packed."""
        return {f.queue for f in self.facts if f.kind == ENTERED and f.queue is not None}

    def is_waiting(self) -> bool:
        return any(v.outcome is None for v in self.story.visits)

    def becomes_final_ms(self) -> int:
        """When a contact that neither waits nor is an open item may be forgotten, if no news come."""
        quiet_ms = max(
            self.touched_ms, *(max(v.ended_ms or 0, v.given_up_ms or 0) for v in self.story.visits), 0
        )
        may_go_on = bool(self.expired) or any(s.end_ms is None for s in self.story.spans)
        return quiet_ms + (FORGET_OPEN_AFTER_MS if may_go_on else FORGET_AFTER_MS)

    def told(self) -> dict[str, list[tuple[int, bytes]]]:
        """Every event of an unpacked contact by source: instant and hash.

        Those that were only news, of which no more than the hash is known, stand with the last instant
        of all, at the source of the first fact; without a fact they are of no consequence.
        """
        events: dict[str, list[tuple[int, bytes]]] = {}
        for fact in self.facts:
            events.setdefault(fact.source, []).append((fact.at_ms, hash_of(fact.source, fact.id)))
        for first in self.facts[:1]:
            hashes = (self.seen[i : i + HASH_BYTES] for i in range(0, len(self.seen), HASH_BYTES))
            events[first.source] += [(self.news_ms, each) for each in hashes]
        return events

    def spans_of(self) -> dict[str, tuple[Span, ...]]:
        """The story's spans by agent."""
        spans: dict[str, list[Span]] = {}
        for span in self.story.spans:
            spans.setdefault(span.agent, []).append(span)
        return {agent: tuple(several) for agent, several in spans.items()}


_encoder = msgspec.msgpack.Encoder()
_facts = msgspec.msgpack.Decoder(list[Fact])


def fact_of(event: ev.ContactEvent) -> Fact | None:
    """What figures depend on in an event; None when it is only news of the contact."""
    match event:
        case ev.QueueEntered():
            return Fact(
                ENTERED,
                event.occurred_ms,
                event.id,
                one(event.source),
                event.rank,
                event.segment,
                one(event.queue),
                precision_ms=event.precision_ms,
            )
        case ev.QueueLeft():
            return _fact(LEFT, event, event.queue, event.agent, event.outcome)
        case ev.AgentAccepted():
            return _fact(ACCEPTED, event, event.queue, event.agent)
        case ev.AgentOffered():
            return _fact(OFFERED, event, event.queue, event.agent)
        case ev.AgentNoAnswer() | ev.AgentOfferEnded():
            return _fact(OFFER_ENDED, event, event.queue, event.agent)
        case ev.TalkEnded():
            return _fact(TALK_ENDED, event, event.queue, event.agent)
        case ev.WrapStart():
            return _fact(WRAP_START, event, None, event.agent)
        case ev.WrapEnd():
            return _fact(WRAP_END, event, None, event.agent)
        case ev.Transfer() if event.from_queue is not None and event.kind == "queue":
            return Fact(
                LEFT,
                event.occurred_ms,
                event.id,
                one(event.source),
                event.rank,
                None,
                one(event.from_queue),
                None,
                Outcome.TRANSFERRED,
                event.precision_ms,
            )
        case ev.ContactEnded():
            return Fact(
                CONTACT_ENDED,
                event.occurred_ms,
                event.id,
                one(event.source),
                event.rank,
                precision_ms=event.precision_ms,
            )
        case _:
            return None


_InVisit = (
    ev.QueueLeft
    | ev.AgentAccepted
    | ev.AgentOffered
    | ev.AgentNoAnswer
    | ev.AgentOfferEnded
    | ev.TalkEnded
    | ev.WrapStart
    | ev.WrapEnd
)


def _fact(kind: int, event: _InVisit, queue: str | None, agent: str | None, word: str | None = None) -> Fact:
    return Fact(
        kind,
        event.occurred_ms,
        event.id,
        one(event.source),
        event.rank,
        event.segment,
        None if queue is None else one(queue),
        None if agent is None else one(agent),
        word,
        event.precision_ms,
    )


def _is_in(hashes: bytes, wanted: bytes) -> bool:
    at = hashes.find(wanted)
    while at >= 0 and at % HASH_BYTES:
        at = hashes.find(wanted, at + 1)
    return at >= 0
