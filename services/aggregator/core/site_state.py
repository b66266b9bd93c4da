"""A site to records and back: what is stored of it, and how its memory is rebuilt. DESIGN.md §2.3."""

from collections.abc import Iterable
from typing import Any

from schemas.vocabulary import Channel
from services.aggregator.core import records as r
from services.aggregator.core.agents import Agent
from services.aggregator.core.alerts import AlertBook
from services.aggregator.core.cells import whole
from services.aggregator.core.contacts import Contact
from services.aggregator.core.queues import Queue
from services.aggregator.core.site import Site
from services.aggregator.core.slots import SlotLine, SlotTime
from services.aggregator.core.state_time import StateTime

Change = tuple[bytes, bytes | None]
"""A record's key and value; None: the record is gone."""

StoredSiteRecords = dict[str, list[tuple[list[str], Any]]]
"""What is stored of one site: by kind of record, the words of each key and the record."""


def take_changes(site: Site, epoch: int) -> Iterable[Change]:
    """The records of what changed since the last call, which are then unmarked."""
    yield from _contacts(site, epoch)
    for name in site.changed_agents:
        agent = site.agents[name]
        stored = r.StoredAgent(
            epoch,
            agent.said,
            agent.spans,
            agent.served,
            agent.first_ms,
            agent.frozen,
            agent.last,
            agent.slots.moments[0] if agent.slots.is_cut else None,
        )
        yield r.key(r.AGENT, site.id, name), r.pack(stored)
    site.changed_agents.clear()
    for queue in site.queues.values():
        yield from _queue(site, queue, epoch)
    for number in site.state_time.changed:
        sums = site.state_time.buckets.get(number)
        value = r.pack(r.StoredBucket(epoch, None, sums)) if sums else None
        yield r.key(r.BUCKET, site.id, "", str(number)), value
    site.state_time.changed.clear()
    if site.sources_changed or site.state_time.sums_changed:
        times = site.state_time
        sources = list(site.hearing.sources.values())
        stored_site = r.StoredSite(epoch, sources, times.base, times.today, times.today_first)
        yield r.key(r.SITE, site.id), r.pack(stored_site)
        site.sources_changed = site.state_time.sums_changed = False
    for source, minute in site.repeats.changed:
        batch = site.repeats.batches.get((source, minute))
        value = r.pack(r.StoredRepeats(epoch, batch)) if batch else None
        yield r.key(r.REPEATS, site.id, source, str(minute)), value
    site.repeats.changed.clear()
    if site.alerts.is_changed:
        yield r.key(r.ALERTS, site.id), r.pack(r.StoredAlerts(epoch, site.alerts.stored))
        site.alerts.is_changed = False


def restore(site: Site, stored: StoredSiteRecords, now_ms: int) -> None:
    """Rebuilds a fresh site from its records, by kind of record, as of the last flush."""
    for words, record in stored.get(r.QUEUE, ()):
        _restore_queue(site, words[2], record, now_ms)
    for words, record in stored.get(r.BUCKET, ()):
        _restore_bucket(site, words[2], int(words[3]), record, now_ms)
    for _, record in stored.get(r.SITE, ()):
        site.hearing.sources = {s.name: s for s in record.sources}
        site.state_time.base, site.state_time.today = record.base, record.today
        site.state_time.today_first = record.today_first
    for words, record in stored.get(r.REPEATS, ()):
        site.repeats.restore((words[2], int(words[3])), record.batch)
    for _, record in stored.get(r.ALERTS, ()):
        site.alerts = AlertBook(site.id, record.alerts)
    site.start(now_ms)
    for words, record in stored.get(r.CONTACT, ()):
        _restore_contact(site, Contact.restored(words[2], record.contact))
    for words, record in stored.get(r.AGENT, ()):
        _restore_agent(site, words[2], record, now_ms)
    _restore_slots(site, now_ms)
    for queue in site.queues.values():
        site.adopt_if_other(queue, now_ms)


def _contacts(site: Site, epoch: int) -> Iterable[Change]:
    for name in site.changed_contacts:
        contact = site.contacts.get(name)
        value = None if contact is None else r.pack(r.StoredContactRecord(epoch, contact.stored()))
        yield r.key(r.CONTACT, site.id, name), value
    site.changed_contacts.clear()


def _queue(site: Site, queue: Queue, epoch: int) -> Iterable[Change]:
    windows, times, slots = queue.windows, queue.state_time, queue.slot_time
    for number in windows.changed | times.changed | (slots.changed if slots else set()):
        counts, sums = windows.buckets.get(number), times.buckets.get(number)
        taken = slots.buckets.get(number) if slots else None
        value = None
        if counts is not None or sums is not None or taken is not None:
            value = r.pack(r.StoredBucket(epoch, counts, sums, taken))
        yield r.key(r.BUCKET, site.id, queue.config.id, str(number)), value
    windows.changed.clear()
    times.changed.clear()
    if slots is not None:
        slots.changed.clear()
        queue.is_changed |= slots.sums_changed
        slots.sums_changed = False
    if queue.is_changed or times.sums_changed:
        yield r.key(r.QUEUE, site.id, queue.config.id), r.pack(_stored_queue(queue, epoch))
        queue.is_changed = times.sums_changed = False


def _stored_queue(queue: Queue, epoch: int) -> r.StoredQueue:
    times = queue.state_time
    return r.StoredQueue(
        epoch,
        queue.channel,
        queue.channel_told[1:] if queue.channel_told else None,
        queue.terms,
        list(queue.days.values()),
        times.base,
        times.today,
        times.today_first,
        sorted(queue.sources),
        queue.channel_told[0] if queue.channel_told else 0,
        queue.is_configured or queue.is_retired,
        queue.told_ms,
        queue.item_terms,
        queue.slot_time.stored() if queue.slot_time else None,
    )


def _restore_queue(site: Site, name: str, record: r.StoredQueue, now_ms: int) -> None:
    """Puts back what is stored, measured as it was then; other terms are adopted when all is back."""
    queue = site.unstarted_queue(name, Channel(record.channel), now_ms)
    if record.is_of_file and not queue.is_configured:
        site.retire(queue)
    if record.channel_told is not None:
        queue.channel_told = (record.channel_weight, *record.channel_told)
    queue.restore_terms(record.terms, record.item_terms)
    queue.days = {d.number: d for d in record.days}
    for day in record.days:
        day.cells = whole(day.cells)
    queue.sources = set(record.sources)
    queue.told_ms = record.told_ms
    _restore_times(queue.state_time, record)
    if Channel(record.channel) is not queue.channel:
        queue.slot_time = SlotTime(is_of_another=True)
    elif record.slots is not None:
        queue.slot_time = SlotTime()
        queue.slot_time.restore(record.slots)


def _restore_times(times: StateTime, record: r.StoredQueue) -> None:
    times.base, times.today, times.today_first = record.base, record.today, record.today_first


def _restore_bucket(site: Site, name: str, number: int, record: r.StoredBucket, now_ms: int) -> None:
    if not name:
        if record.state_time is not None:
            site.state_time.buckets[number] = record.state_time
        return
    queue = site.unstarted_queue(name, None, now_ms)
    if record.counts is not None:
        record.counts.cells = whole(record.counts.cells)
        queue.windows.restore(number, record.counts)
    if record.state_time is not None:
        queue.state_time.buckets[number] = record.state_time
    if record.slot_time is None or queue.slot_time is None:
        return
    if queue.slot_time.is_of_another:
        queue.slot_time.changed.add(number)
    else:
        queue.slot_time.buckets[number] = record.slot_time


def _restore_contact(site: Site, contact: Contact) -> None:
    site.contacts[contact.name] = contact
    contact.retell(site.wrap_up_ms)
    for visit in contact.story.visits:
        site.queues[visit.queue].restore(visit)


def _restore_agent(site: Site, name: str, record: r.StoredAgent, now_ms: int) -> None:
    agent = Agent(name)
    agent.said, agent.served = record.said, record.served
    agent.spans = record.spans
    agent.first_ms, agent.frozen, agent.last = record.first_ms, record.frozen, record.last
    agent.slots = SlotLine(record.first_slots)
    agent.restored()
    site.agents[name] = agent
    site.shown_agents.add(name)
    for queue in agent.timeline[-1].queues if agent.timeline else ():
        site.queue(queue, now_ms).agents.add(name)


def _restore_slots(site: Site, now_ms: int) -> None:
    """Makes agents' slots anew, telling nobody: what was told of them is in the queues' records.

    But for queues that have another channel now: to them, all that is known is told again.
    """
    site.knows_slots = any(agent.tells_capacity for agent in site.agents.values())
    if not site.knows_slots:
        return
    others = {name: q for name, q in site.queues.items() if q.slot_time and q.slot_time.is_of_another}

    def tell(queue: str, at_ms: int, taken: int, there: int, told: int) -> None:
        if queue in others:
            others[queue].change_slots(at_ms, taken, there, told, now_ms=now_ms)

    for agent in site.agents.values():
        agent.keeps_spans = True
        agent.follow_slots(None, site.channel_of)
        if others:
            agent.slots.tell(tell, site.channel_of)
