"""What is remembered of contacts: their visits to queues, ringing attempts, channels. Pure.

A contact is the Uniqueid of the channel that entered a queue, behind the name of its system where the
source has one; a visit is contact/queue/n-th join: the same words that queue_log of the same Asterisk
gives. Linkedid ties the other channels to it.
Everything here is bounded: ended contacts by `MAX_ENDED`, open ones by `MAX_CONTACTS`.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas.vocabulary import Outcome
from services.ingest.names import fit

MAX_CONTACTS = 50_000
MAX_ENDED = 2_000
"""Ended contacts that are still known, for frames that come late."""
SAME_INSTANT_MS = 1_000
"""Two joins of one channel to one queue within this, with no exit between them, are one told twice."""


@dataclass(slots=True)
class Attempt:
    """One member rung for one visit. `gone_ms`: its leg hung up, and nothing has said why yet.

    `interface` None, here as in `Visit`: it began before we did, by a phone that was not told.
    """

    leg: str
    agent: str
    interface: str | None
    gone_ms: int | None = None


@dataclass(slots=True, eq=False)
class Visit:
    """One visit of one contact to one queue. `channel` is the contact's; `queue` is ours, `raw_queue`
    Asterisk's. Instants are None until known.

    `leave_ms` and `abandon_ms` hold what was said until the outcome can be told. `is_told`: its
    `queue.entered` has been said; `is_lost`: absent from a snapshot, said to be unknown; `is_cut_off`:
    the line was lost between what is held and its outcome.
    """

    channel: str
    contact: str
    raw_queue: str
    queue: str
    number: int
    segment: str
    entered_ms: int | None = None
    is_inferred: bool = False
    is_told: bool = False
    is_lost: bool = False
    abandon_ms: int | None = None
    leave_ms: int | None = None
    outcome: Outcome | None = None
    accepted_ms: int | None = None
    agent: str | None = None
    interface: str | None = None
    talk_ended_ms: int | None = None
    wrap_ends_ms: int | None = None
    attempts: dict[str, Attempt] = field(default_factory=dict)
    closed_attempts: set[str] = field(default_factory=set)
    is_held: bool = False
    is_cut_off: bool = False

    @property
    def is_waiting(self) -> bool:
        return self.outcome is None and self.accepted_ms is None

    @property
    def is_talking(self) -> bool:
        return self.accepted_ms is not None and self.talk_ended_ms is None


@dataclass(slots=True, eq=False)
class Contact:
    """`channel` is what Asterisk calls it, `name` what events do. `hung_ms`: its channel has hung up, or
    was asked to; `is_gone`: it has hung up.
    """

    channel: str
    name: str
    linked: str | None = None
    customer: str | None = None
    transferred_ms: int | None = None
    visits: list[Visit] = field(default_factory=list)
    is_told: bool = False
    hung_ms: int | None = None
    is_gone: bool = False
    is_ended: bool = False


class Contacts:
    """All contacts of one system, by channel, and how other channels lead to them."""

    def __init__(self, system: str | None) -> None:
        self._system = system
        self._all: OrderedDict[str, Contact] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._by_linked: dict[str, list[Contact]] = {}
        self._linked_of: dict[str, str] = {}
        self._channels: dict[str, set[str]] = {}
        self._by_leg: dict[str, Visit] = {}

    def get(self, channel: str) -> Contact | None:
        return self._all.get(channel)

    def open(self, channel: str) -> Contact:
        """The contact of this channel, made when it is new."""
        contact = self._all.get(channel)
        if contact is None:
            contact = self._all[channel] = Contact(channel, contact_of(channel, self._system))
            if len(self._all) > MAX_CONTACTS:
                self._forget(next(iter(self._all)))
        return contact

    def named(self, name: str) -> Contact:
        """The contact that events call so, made when it is new; it keeps that name."""
        contact = self.open(channel_of(name, self._system))
        contact.name = name
        return contact

    def add_visit(self, contact: Contact, raw_queue: str, queue: str, *, number: int | None = None) -> Visit:
        """The contact's visit to the queue of that number; left out, the next one."""
        if number is None:
            numbers = (visit.number for visit in contact.visits if visit.raw_queue == raw_queue)
            number = 1 + max(numbers, default=0)
        segment = fit(f"{contact.name}/{raw_queue}/{number}")
        visit = Visit(contact.channel, contact.name, raw_queue, queue, number, segment)
        contact.visits.append(visit)
        return visit

    def last_visit(self, channel: str, raw_queue: str) -> Visit | None:
        """The contact's latest visit to the queue."""
        return next(self._visits_back(channel, raw_queue), None)

    def visit_at(self, channel: str, raw_queue: str, at_ms: int) -> Visit | None:
        """The contact's latest visit to the queue that had begun by then, as far as that is known; else
        the latest: a word told again after its visit is not about the next one.
        """
        begun = (visit for visit in self._visits_back(channel, raw_queue) if _has_begun(visit, at_ms))
        return next(begun, None) or self.last_visit(channel, raw_queue)

    def _visits_back(self, channel: str, raw_queue: str) -> Iterator[Visit]:
        contact = self._all.get(channel)
        visits = contact.visits if contact is not None else []
        return (visit for visit in reversed(visits) if visit.raw_queue == raw_queue)

    def waiting(self) -> list[Visit]:
        return [visit for contact in self._all.values() for visit in contact.visits if visit.is_waiting]

    def all(self) -> list[Contact]:
        return list(self._all.values())

    def add_leg(self, leg: str, visit: Visit) -> None:
        self._by_leg[leg] = visit

    def visit_of_leg(self, leg: str) -> Visit | None:
        return self._by_leg.get(leg)

    def add_channel(self, channel: str, linked: str) -> None:
        """The channel lives and belongs to this Linkedid (which may have changed)."""
        before = self._linked_of.get(channel)
        if before == linked:
            return
        if before is not None:
            self._take_out(channel, before)
        self._linked_of[channel] = linked
        self._channels.setdefault(linked, set()).add(channel)
        contact = self._all.get(channel)
        if contact is not None:
            self.link(contact, linked)

    def link(self, contact: Contact, linked: str) -> None:
        if contact.linked == linked:
            return
        self._unlink(contact)
        contact.linked = linked
        self._by_linked.setdefault(linked, []).append(contact)

    def remove_channel(self, channel: str, linked: str) -> list[Contact]:
        """The channel has hung up; the contacts whose last channel that was."""
        self._by_leg.pop(channel, None)
        before = self._linked_of.pop(channel, None)
        if before is not None:
            self._take_out(channel, before)
        contact = self._all.get(channel)
        if contact is not None:
            contact.is_gone = True
            if linked and contact.linked is None:
                self.link(contact, linked)
        groups = [group for group in dict.fromkeys((before, linked)) if group]
        over = [
            each
            for group in groups
            if not self._channels.get(group)
            for each in self._by_linked.get(group, ())
            if each.is_gone and not each.is_ended
        ]
        if contact is not None and contact.linked is None and not contact.is_ended:
            over.append(contact)
        return over

    def of_channel(self, channel: str, linked: str) -> Contact | None:
        """The contact that a channel talks for: its own, its attempt's, or the latest of its Linkedid."""
        if channel in self._all:
            return self._all[channel]
        visit = self._by_leg.get(channel)
        if visit is not None:
            return self._all.get(visit.channel)
        several = self._by_linked.get(linked) or self._by_linked.get(self._linked_of.get(channel, ""))
        return several[-1] if several else None

    def end(self, contact: Contact) -> None:
        """Keeps it among the last `MAX_ENDED`, for frames that come late."""
        self._ended[contact.channel] = None
        if len(self._ended) > MAX_ENDED:
            self._forget(next(iter(self._ended)))

    def forget_channels(self) -> None:
        """After a gap nobody knows which channels live; those of open contacts are learnt again."""
        self._channels.clear()
        self._linked_of.clear()
        for contact in self._all.values():
            if contact.linked is not None and not contact.is_gone:
                self.add_channel(contact.channel, contact.linked)

    def _take_out(self, channel: str, linked: str) -> None:
        group = self._channels.get(linked)
        if group is not None:
            group.discard(channel)
            if not group:
                del self._channels[linked]

    def _unlink(self, contact: Contact) -> None:
        if contact.linked is None:
            return
        group = self._by_linked.get(contact.linked, [])
        if contact in group:
            group.remove(contact)
        if not group:
            self._by_linked.pop(contact.linked, None)

    def _forget(self, channel: str) -> None:
        self._ended.pop(channel, None)
        contact = self._all.pop(channel, None)
        if contact is None:
            return
        self._unlink(contact)
        for leg in [leg for visit in contact.visits for leg in visit.attempts]:
            self._by_leg.pop(leg, None)


def contact_of(channel: str, system: str | None) -> str:
    """The name that events give the contact of a channel: two systems may number theirs alike."""
    return fit(f"{system}/{channel}") if system is not None else channel


def channel_of(contact: str, system: str | None) -> str:
    """The way back."""
    return contact.removeprefix(f"{system}/") if system is not None else contact


def _has_begun(visit: Visit, at_ms: int) -> bool:
    """An inferred start may lie behind the true one."""
    return visit.entered_ms is None or visit.is_inferred or visit.entered_ms <= at_ms
