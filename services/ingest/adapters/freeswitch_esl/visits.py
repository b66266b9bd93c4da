"""What is remembered of contacts: their visits to queues, ringing attempts, talks. Pure.

A contact is the channel that entered a queue (CC-Member-Session-UUID), behind the name of its system where
the source has one. mod_callcenter gives each visit a member UUID, which a caller who hung up gets back
when he calls again (`abandoned-resume-allowed`). A visit is contact/queue/member, and ~2, ~3 … where one
channel comes back as the same member.
Everything here is bounded: ended contacts by `MAX_ENDED`, open ones by `MAX_CONTACTS`.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas.config import SourceConfig
from schemas.vocabulary import Outcome
from services.ingest.names import contact_name, fit, our_queue

MAX_CONTACTS = 50_000
MAX_ENDED = 2_000
"""Ended contacts that are still known, for events that come late."""


@dataclass(slots=True)
class Attempt:
    """One agent rung for one visit. `gone_ms`: it has ended, and why depends on how the visit does."""

    key: str
    agent: str
    at_ms: int
    gone_ms: int | None = None


@dataclass(slots=True)
class Answer:
    """An agent who took the call, and is not bridged to the caller yet. `leg`: the agent's channel."""

    agent: str
    at_ms: int
    leg: str
    is_inferred: bool = False


@dataclass(slots=True, eq=False)
class Visit:
    """One visit of one contact to one queue. `channel` is the contact's; `queue` is ours, `raw_queue`
    FreeSWITCH's. Instants are None until known.

    `leave_ms`: it left, and how can not be told yet. `is_told`: its `queue.entered` has been said; `is_lost`:
    absent from a snapshot, said to be unknown; `is_cut_off`: the line was lost while its outcome was held;
    `is_unbridged`: it was said to be answered, and waits again. `closed`: when the last attempt of each agent
    that has ended began. `holding`: channels that hold it.
    """

    channel: str
    contact: str
    member: str
    raw_queue: str
    queue: str
    segment: str
    entered_ms: int | None = None
    is_inferred: bool = False
    is_told: bool = False
    is_lost: bool = False
    is_cut_off: bool = False
    is_unbridged: bool = False
    leave_ms: int | None = None
    over_ms: int | None = None
    answer: Answer | None = None
    outcome: Outcome | None = None
    accepted_ms: int | None = None
    agent: str | None = None
    leg: str = ""
    talk_ended_ms: int | None = None
    wrap_ends_ms: int | None = None
    attempts: dict[str, Attempt] = field(default_factory=dict)
    closed: dict[str, int] = field(default_factory=dict)
    holding: set[str] = field(default_factory=set)

    @property
    def is_waiting(self) -> bool:
        return self.outcome is None and self.accepted_ms is None

    @property
    def is_talking(self) -> bool:
        return self.accepted_ms is not None and self.talk_ended_ms is None


@dataclass(slots=True, eq=False)
class Contact:
    """`channel` is what FreeSWITCH calls it, `name` what events do. `hung_ms`: its channel has hung up.

    `is_by_customer`: the customer hung up; None: not known.
    """

    channel: str
    name: str
    customer: str | None = None
    visits: list[Visit] = field(default_factory=list)
    is_told: bool = False
    is_ended: bool = False
    hung_ms: int | None = None
    is_by_customer: bool | None = None


class Contacts:
    """All contacts of one source, by channel; their visits by member."""

    def __init__(self, source: SourceConfig) -> None:
        self._source = source
        self._all: OrderedDict[str, Contact] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._by_member: dict[str, Visit] = {}
        self._by_leg: dict[str, Visit] = {}

    def get(self, channel: str) -> Contact | None:
        return self._all.get(channel)

    def open(self, channel: str) -> Contact:
        """The contact of this channel, made when it is new."""
        contact = self._all.get(channel)
        if contact is None:
            contact = self._all[channel] = Contact(channel, fit(contact_name(self._source, channel)))
            if len(self._all) > MAX_CONTACTS:
                self._forget(next(iter(self._all)))
        return contact

    def named(self, name: str) -> Contact:
        """The contact that events call so, made when it is new; it keeps that name."""
        system = self._source.system
        contact = self.open(name.removeprefix(f"{system}/") if system else name)
        contact.name = name
        return contact

    def add_visit(self, contact: Contact, raw_queue: str, member: str, *, number: int | None = None) -> Visit:
        """The contact's visit to the queue as that member, of that number; left out, the next one."""
        if number is None:
            same = [each for each in contact.visits if (each.raw_queue, each.member) == (raw_queue, member)]
            number = 1 + len(same)
        again = f"~{number}" if number > 1 else ""
        segment = fit(f"{contact.name}/{raw_queue}/{member}{again}")
        queue = our_queue(self._source, raw_queue)
        visit = Visit(contact.channel, contact.name, member, raw_queue, queue, segment)
        contact.visits.append(visit)
        self._by_member[member] = visit
        return visit

    def of_member(self, member: str, channel: str) -> Visit | None:
        """The latest visit as that member; of that channel, where one is named."""
        visit = self._by_member.get(member)
        if visit is None or not channel or visit.channel == channel:
            return visit
        contact = self._all.get(channel)
        visits = reversed(contact.visits) if contact is not None else ()
        return next((each for each in visits if each.member == member), None)

    def add_leg(self, leg: str, visit: Visit) -> None:
        if leg:
            self._by_leg[leg] = visit

    def talk_of(self, channel: str) -> Visit | None:
        """The talk that a channel is a leg of: the agent's, or the contact's own."""
        visit = self._by_leg.get(channel)
        if visit is not None:
            return visit if visit.is_talking else None
        contact = self._all.get(channel)
        visits = reversed(contact.visits) if contact is not None else ()
        return next((each for each in visits if each.is_talking), None)

    def all(self) -> list[Contact]:
        return list(self._all.values())

    def visits(self) -> Iterator[Visit]:
        return (visit for contact in self.all() for visit in contact.visits)

    def waiting(self) -> list[Visit]:
        return [visit for visit in self.visits() if visit.is_waiting]

    def count(self, raw_queue: str) -> int:
        """How many wait in a queue, as mod_callcenter counts them: until they are bridged."""
        return sum(
            visit.raw_queue == raw_queue and visit.leave_ms is None and not visit.is_lost
            for visit in self.waiting()
        )

    def end(self, contact: Contact) -> None:
        """Keeps it among the last `MAX_ENDED`, for events that come late."""
        self._ended[contact.channel] = None
        if len(self._ended) > MAX_ENDED:
            self._forget(next(iter(self._ended)))

    def _forget(self, channel: str) -> None:
        self._ended.pop(channel, None)
        contact = self._all.pop(channel, None)
        for visit in contact.visits if contact is not None else ():
            if self._by_member.get(visit.member) is visit:
                del self._by_member[visit.member]
            if self._by_leg.get(visit.leg) is visit:
                del self._by_leg[visit.leg]
