"""One site: where an event goes, and what it changes. Everything of a site lies in one partition.

Facts come in one by one; contacts tell their stories anew, queues count what changed, agents'
timelines follow. A contact with news is told once for all of them, by `tell`, before any figure is
read: a story is a function of the facts, so when it is told makes no difference. Time comes in by
`advance`: windows move on, deadlines fall, silence is noticed.
"""

from collections.abc import Iterable

from schemas import events as ev
from schemas.config import MAX_QUEUES_PER_SITE_UNCONFIGURED, Config, QueueConfig
from schemas.vocabulary import Channel, Reason
from services.aggregator.core import cells
from services.aggregator.core.agents import Agent, Said
from services.aggregator.core.alerts import AlertBook
from services.aggregator.core.calendar import Calendar
from services.aggregator.core.contacts import PACK_AFTER_MS, Contact
from services.aggregator.core.counts import QueueLabels
from services.aggregator.core.hearing import Hearing
from services.aggregator.core.items import item_terms_of
from services.aggregator.core.lookout import Lookout
from services.aggregator.core.names import one, one_set
from services.aggregator.core.openings import Openings
from services.aggregator.core.queues import ChannelTold, Queue, terms_of
from services.aggregator.core.repeats import Repeats, hash_of
from services.aggregator.core.state_time import StateTime
from services.aggregator.core.tallies import Tallies
from services.aggregator.core.visits import Visit, expires_ms
from services.aggregator.core.windows import BUCKET_MS

_NO_RULE_MS = _NEVER_MS = 1 << 60
_MAX_UNTOLD = 256
"""Contacts whose telling may be owed, so that no one call of `tell` takes long."""

_COMMANDS = (ev.AlertAcknowledge, ev.AlertSnooze, ev.AlertResolve)
_TELLS_CHANNEL = (ev.QueueEntered, ev.ContactCreated, ev.ContactEnded)
_ACCEPTED = Reason.ACCEPTED


class Site:
    """The live state of one site. What changed since the last flush is marked; site_state.py stores it."""

    def __init__(self, site: str, config: Config, now_ms: int) -> None:
        self.id = site
        self.config = config
        self.time_zone = config.site(site).time_zone
        self.calendar = Calendar(self.time_zone)
        self.contacts: dict[str, Contact] = {}
        self.agents: dict[str, Agent] = {}
        self.queues: dict[str, Queue] = {}
        self.state_time = StateTime()
        self.alerts = AlertBook(site)
        self.hearing = Hearing([source for source in config.sources if source.site == site])
        self.openings = Openings(self.time_zone)
        self.lookout = Lookout(self, now_ms)
        self.tallies = Tallies()
        self.repeats = Repeats()
        self.changed_contacts: set[str] = set()
        self.changed_agents: set[str] = set()
        self.shown_agents: set[str] = set()
        """Agents whose row has to be shown again."""
        self.sources_changed = False
        self.knows_slots = False
        """Whether any agent ever told a capacity; before that, nothing of slots is kept."""
        self._untold: dict[str, Contact] = {}
        """Contacts with facts that their stories do not know yet."""
        self.clock_ms = 0
        """Newest receipt that the log has told: the clock that ages contacts, whenever it is folded."""
        self._labels_of: dict[str, QueueLabels] = {}
        self._bucket = now_ms // BUCKET_MS
        self._wrap_up_s = {
            s.id: s.wrap_up_s for s in config.sources if s.site == site and s.wrap_up_s is not None
        }

    def start(self, now_ms: int) -> None:
        """Moves a fresh or restored site to now; to be called before anything else."""
        self.state_time.advance(now_ms, self.calendar.day(now_ms).start_ms)
        for queue in self.queues.values():
            queue.advance(now_ms)
        for config in self.config.queues:
            if config.site == self.id:
                self.queue(config.id, now_ms)
        self.lookout.withdraw_unknown(now_ms)

    # -- facts ---------------------------------------------------------------------------------

    def fold(self, event: ev.AnyEvent, now_ms: int) -> Reason:
        """Takes one event; says what became of it."""
        if isinstance(event, _COMMANDS):
            self.alerts.command(event)
            return _ACCEPTED
        if isinstance(event, ev.NoticeUndelivered):
            self.lookout.tell_undelivered(event, now_ms)
            return _ACCEPTED
        source = self.hearing.sources.get(event.source) or self.hearing.source(event.source)
        self.sources_changed = True
        if isinstance(event, ev.SourceHeartbeat):
            source.hear(0, event.received_ms)
            source.beat(event.received_ms, event.clock_ms)
            return _ACCEPTED
        if self._is_too_many(event):
            source.hear(0, event.received_ms)
            return Reason.TOO_MANY
        if source.is_late(event.occurred_ms):
            source.hear(0, event.received_ms)
            if self._is_repeat(event):
                return self._repeated(event, now_ms)
            self._count_event(event, cells.LATE, now_ms)
            return Reason.LATE
        source.hear(event.occurred_ms, event.received_ms)
        if isinstance(event, ev.AgentStateChanged):
            return self._agent_said(event, now_ms)
        return self._contact_told(event, now_ms)

    def tell(self, now_ms: int) -> None:
        """Tells the stories of all contacts with news. To be called before anything is read."""
        while self._untold:
            _, contact = self._untold.popitem()
            self._retell(contact, now_ms)

    def _is_too_many(self, event: ev.AnyEvent) -> bool:
        """Whether the event names a queue more than may appear where no site is listed (SEMANTICS.md §10)."""
        if self.config.sites or (
            len(self.queues) + 2 <= MAX_QUEUES_PER_SITE_UNCONFIGURED
            and not isinstance(event, ev.AgentStateChanged)
        ):  # nothing but an agent names more than two
            return False
        new = {name for name in ev.queues_of(event) if name not in self.queues}
        return bool(new) and len(self.queues) + len(new) > MAX_QUEUES_PER_SITE_UNCONFIGURED

    def queue(self, name: str, now_ms: int, channel: Channel | None = None) -> Queue:
        """The queue, which appears by itself with the defaults of its channel (None: not told yet)."""
        queue = self.queues.get(name)
        if queue is None:
            queue = self.unstarted_queue(name, channel, now_ms)
            queue.advance(now_ms)
        return queue

    def unstarted_queue(self, name: str, channel: Channel | None, now_ms: int) -> Queue:
        """The queue before its first `advance`, for what is stored of it to be put in."""
        queue = self.queues.get(name)
        if queue is None:
            config = self.config.queue(self.id, name, channel)
            long_ms = self.lookout.watch(config)
            queue = Queue(
                config,
                self.calendar,
                now_ms,
                long_ms=long_ms,
                position=self._position(name),
            )
            self.queues[name] = queue
            self.tallies.seen(self._labels(queue))
        return queue

    def retire(self, queue: Queue) -> None:
        """The queue has left the file: no rule looks at it, and its row goes once it is empty."""
        queue.is_retired = True
        self.lookout.leave(queue.config.id)

    def _take_back(self, queue: Queue, now_ms: int) -> None:
        """A retired queue is in use: it is one that appears by itself, like any other."""
        if queue.is_retired:
            queue.is_retired = False
            self.adopt(queue, queue.config, now_ms)

    def is_gone(self, queue: Queue, now_ms: int) -> bool:
        """Whether a queue that has left the file is empty: nothing is open in it, no agent has it."""
        if not queue.is_retired or queue.waiting or queue.items:
            return False
        return not any(self.agents[name].has(queue.config.id, now_ms) for name in queue.agents)

    def _position(self, name: str) -> int | None:
        places = (i for i, q in enumerate(self.config.queues) if q.id == name and q.site == self.id)
        return next(places, None)

    def wrap_up_ms(self, source: str, queue: str | None) -> int | None:
        """How long wrap-up lasts where its end is not told (SEMANTICS.md §5), by the queue perhaps."""
        told = self._wrap_up_s.get(source)
        length_s = told.get(queue or "") if isinstance(told, dict) else told
        return None if length_s is None else round(length_s * 1000)

    def waited_ms(self, name: str, now_ms: int) -> int | None:
        """The total wait of a contact, over all its visits so far; None where none of them is known."""
        contact = self.contacts.get(name)
        if contact is None:
            return None
        contact.unpack(self.wrap_up_ms)
        skews = self.hearing.skews()
        waits = [
            max(0, now_ms - v.entered_ms - skews.get(v.source, 0)) if v.outcome is None else v.wait_ms
            for v in contact.story.visits
        ]
        return sum(waits) if waits else None

    def _contact_told(self, event: ev.ContactEvent, now_ms: int) -> Reason:
        if self._is_repeat(event):
            return self._repeated(event, now_ms)
        contact = self.contacts.get(event.contact)
        if contact is None:
            contact = self.contacts[event.contact] = Contact(event.contact)
        elif contact.is_too_much(event):
            return Reason.TOO_MANY
        name = contact.name
        queue_name = getattr(event, "queue", None)
        if queue_name is not None:
            told = getattr(event, "channel", None)
            queue = self.queues.get(queue_name) or self.queue(queue_name, now_ms, told)
            self._heard_of(queue, event.source)
            if isinstance(event, ev.QueueEntered):
                self._take_back(queue, now_ms)
            queue.tell(event.occurred_ms)
            if told is not None:
                self._channel_told(queue, told, (0, event.occurred_ms, event.id), now_ms)
        agent_name = getattr(event, "agent", None)
        if agent_name is not None:
            agent = self._agent(agent_name)
            if agent.name_in((event.occurred_ms, event.id, event.source)):
                self.changed_agents.add(agent_name)
            if not agent.is_known_at(event.occurred_ms):
                agent.meet(event.occurred_ms, _Changer(self, now_ms))
                self._agent_changed(agent, now_ms)
        self.changed_contacts.add(name)
        is_other_story = contact.add(event, self.clock_ms)
        if contact.channel is not None and isinstance(event, _TELLS_CHANNEL):
            at_ms, event_id, channel = contact.channel
            for entered in contact.entered():
                self._channel_told(self.queue(entered, now_ms), channel, (1, at_ms, event_id), now_ms)
        if is_other_story:
            self._untold[name] = contact
            if len(self._untold) >= _MAX_UNTOLD:
                self.tell(now_ms)
        return _ACCEPTED

    def _retell(self, contact: Contact, now_ms: int) -> None:
        """Tells a contact's story anew and counts what became different."""
        before = contact.retell(self.wrap_up_ms)
        after = contact.story
        known = {v.key: v for v in before.visits}
        for visit in after.visits:
            old = known.pop(visit.key, None)
            queue = self.queues.get(visit.queue) or self.queue(visit.queue, now_ms)
            if old is not None and old.waited_like(visit):
                if not old.handled_like(visit):
                    queue.handle(old, visit)
                    self.tallies.told(self._labels(queue), old, visit)
                continue
            if old is not None:
                self.queues[old.queue].take(old)
                self.lookout.changed.add(old.queue)
            queue.put(visit)
            self.lookout.changed.add(visit.queue)
            self.tallies.told(self._labels(queue), old, visit)
        for old in known.values():
            self.queues[old.queue].take(old)
            self.lookout.changed.add(old.queue)
        if before.spans != after.spans:
            self._agents_follow(contact, {s.agent for s in before.spans}, now_ms)

    def _agents_follow(self, contact: Contact, before: set[str], now_ms: int) -> None:
        spans, changer = contact.spans_of(), _Changer(self, now_ms)
        for agent_name in before | spans.keys():
            agent = self._agent(agent_name)
            if not agent.follow(contact.name, spans.get(agent_name, ()), changer):
                self.shown_agents.add(agent_name)
                continue
            self._agent_changed(agent, now_ms)

    def _agent_said(self, event: ev.AgentStateChanged, now_ms: int) -> Reason:
        if self._is_repeat(event):
            return self._repeated(event, now_ms)
        agent = self._agent(event.agent)
        said = Said(
            event.occurred_ms,
            event.id,
            one(event.source),
            event.state,
            None if event.reason is None else one(event.reason),
            None if event.queues is None else one_set(event.queues),
            event.inferred,
            None if event.capacity is None else tuple(sorted(event.capacity.items())),
        )
        if said.capacity is not None and not self.knows_slots:
            self._begin_slots(now_ms)
        for name in event.queues or ():
            queue = self.queue(name, now_ms)
            self._heard_of(queue, event.source)
            self._take_back(queue, now_ms)
        agent.hear(said, _Changer(self, now_ms))
        self._agent_changed(agent, now_ms)
        return _ACCEPTED

    def _agent(self, name: str) -> Agent:
        agent = self.agents.get(name)
        if agent is None:
            agent = self.agents[name] = Agent(name)
            agent.keeps_spans = self.knows_slots
        return agent

    def _begin_slots(self, now_ms: int) -> None:
        """From now on agents keep what contacts say of them; what they did not keep is told again."""
        self.knows_slots = True
        for agent in self.agents.values():
            agent.keeps_spans, agent.differs_from_ms = True, 0
        changer = _Changer(self, now_ms)
        for contact in self.contacts.values():
            contact.unpack(self.wrap_up_ms)
            for name, spans in contact.spans_of().items():
                if self.agents[name].tells_queues and self.agents[name].follow(contact.name, spans, changer):
                    self.changed_agents.add(name)

    def channel_of(self, name: str) -> Channel | None:
        """The channel of a queue; None for one that is not known."""
        queue = self.queues.get(name)
        return None if queue is None else queue.channel

    def _agent_changed(self, agent: Agent, now_ms: int) -> None:
        self.changed_agents.add(agent.name)
        self.shown_agents.add(agent.name)
        if self.knows_slots:
            agent.follow_slots(_SlotChanger(self, now_ms), self.channel_of)
        if agent.is_moved and agent.timeline:
            agent.is_moved = False
            for name in agent.timeline[-1].queues:
                queue = self.queues.get(name) or self.queue(name, now_ms)
                queue.agents.add(agent.name)
                queue.version += 1

    def _heard_of(self, queue: Queue, source: str) -> None:
        """The source has sent an event for the queue: it is one of the queue's from now on."""
        if source not in queue.sources:
            queue.sources.add(source)
            queue.touch()

    def _channel_told(self, queue: Queue, channel: Channel, told: ChannelTold, now_ms: int) -> None:
        """An unconfigured queue has the channel that the first event to name both says, whatever arrives
        first; where none does, that of the first of its contacts whose channel is told."""
        if queue.is_configured or (queue.channel_told is not None and queue.channel_told <= told):
            return
        queue.channel_told = told
        queue.touch()
        if channel is not queue.channel:
            self.adopt(queue, self.config.queue(self.id, queue.config.id, channel), now_ms)

    def adopt_if_other(self, queue: Queue, now_ms: int) -> None:
        """Takes up the terms of the configuration where a restored queue was measured by others."""
        is_other = terms_of(queue.config, queue.terms.since_ms) != queue.terms
        if is_other or item_terms_of(queue.config, self.time_zone) != queue.item_terms:
            self.adopt(queue, queue.config, now_ms)

    def adopt(self, queue: Queue, config: QueueConfig, now_ms: int) -> None:
        """Measures a queue's contacts by other terms: all whose facts are known are counted anew."""
        own = list(self._visits_of(queue.config.id))
        for visit in own:
            queue.take(visit)
        long_ms = _NO_RULE_MS if queue.is_retired else self.lookout.watch(config)
        self.lookout.withdraw_unknown(now_ms)
        lines = [agent for agent in self.agents.values() if agent.slots.moments]
        lines = lines if config.channel is not queue.channel else []
        changer = _SlotChanger(self, now_ms)
        for agent in lines:
            agent.slots.take_back(changer, self.channel_of)
        queue.measure_by(config, now_ms, long_ms=long_ms)
        for agent in lines:
            agent.slots.tell(changer, self.channel_of)
            agent.differs_from_ms = 0
            agent.follow_slots(changer, self.channel_of)
        for visit in own:
            queue.put(visit)
        self._take_up_expired(config.id, now_ms)
        self.lookout.changed.add(config.id)

    def _take_up_expired(self, queue: str, now_ms: int) -> None:
        """Whoever was given up by another wait limit is waiting again, until the new one says so."""
        for contact in self.contacts.values():
            if contact.expired and any(v.queue == queue for v in contact.story.visits):
                contact.expired = {}
                self.changed_contacts.add(contact.name)
                self._retell(contact, now_ms)

    def _visits_of(self, queue: str) -> Iterable[Visit]:
        for contact in self.contacts.values():
            contact.unpack(self.wrap_up_ms)
            contact.final_at_ms = None
            yield from (v for v in contact.story.visits if v.queue == queue)

    def _is_repeat(self, event: ev.ContactEvent | ev.AgentStateChanged) -> bool:
        """Whether this event was told before, as far back as anything is remembered."""
        if isinstance(event, ev.AgentStateChanged):
            agent = self.agents.get(event.agent)
            return agent is not None and agent.knows(event.id, event.source)
        contact = self.contacts.get(event.contact)
        if contact is not None:
            contact.unpack(self.wrap_up_ms)
            if contact.knows(event):
                return True
        return bool(self.repeats) and self.repeats.knows(hash_of(event.source, event.id))

    def _repeated(self, event: ev.ContactEvent | ev.AgentStateChanged, now_ms: int) -> Reason:
        """A repeat changes nothing; an agent's counts in each of the agent's queues."""
        if isinstance(event, ev.AgentStateChanged):
            self.tell(now_ms)
            for queue in self.agents[event.agent].timeline[-1].queues:
                self.queues[queue].count_event(cells.DUPLICATES, event.received_ms)
        else:
            self._count_event(event, cells.DUPLICATES, now_ms)
        return Reason.DUPLICATE

    def _count_event(self, event: ev.AnyEvent, cell: int, now_ms: int) -> None:
        """A late or repeated event counts in the queue it names, else in its contact's."""
        name = getattr(event, "queue", None)
        if name is None:
            told = getattr(event, "contact", "")
            contact = self.contacts.get(told)
            if contact is not None and self._untold.pop(told, None) is not None:
                self._retell(contact, now_ms)
            if contact is not None and contact.story.visits:
                name = contact.story.visits[-1].queue
        queue = self.queues.get(name) if name is not None else None
        if queue is not None:
            queue.count_event(cell, event.received_ms)

    # -- time ----------------------------------------------------------------------------------

    def advance(self, now_ms: int, *, is_live: bool) -> None:
        """Moves on to now; `is_live`: rules are looked at, silence means something.

        Neither while the log is being caught up with: what is missing may be about to be folded.
        """
        self.tell(now_ms)
        if now_ms // BUCKET_MS != self._bucket:
            self._bucket = now_ms // BUCKET_MS
            self.state_time.advance(now_ms, self.calendar.day(now_ms).start_ms)
            for queue in self.queues.values():
                queue.advance(now_ms)
        if is_live:
            self._expire(now_ms)
            self.lookout.look(now_ms)

    def sweep(self) -> None:
        """Packs contacts that are quiet, forgets those that are final."""
        clock_ms = self.clock_ms
        for contact in list(self.contacts.values()):
            quiet_ms = clock_ms - contact.touched_ms
            if quiet_ms < PACK_AFTER_MS:
                continue
            if contact.final_at_ms is None:
                has_item = self._has_open_item(contact)
                if contact.is_waiting() and not has_item:
                    continue
                contact.final_at_ms = _NEVER_MS if has_item else contact.becomes_final_ms()
            if clock_ms >= contact.final_at_ms:
                self._forget(contact)
            elif not contact.is_packed:
                self.tallies.quiet(contact.story.visits)
                contact.pack()
        self.repeats.drop_late(self.hearing.sources)
        for agent in self.agents.values():
            if agent.prune(clock_ms):
                self.changed_agents.add(agent.name)

    def _has_open_item(self, contact: Contact) -> bool:
        """Whether a promise to the contact is open. Only while it is not packed."""
        return any(v.key in (self.queues[v.queue].items or ()) for v in contact.story.visits)

    def _forget(self, contact: Contact) -> None:
        contact.unpack(self.wrap_up_ms)
        for visit in contact.story.visits:
            self.queues[visit.queue].settle(visit)
        for source, told in contact.told().items():
            self.repeats.keep(self.hearing.sources[source], told, self.clock_ms)
        del self.contacts[contact.name]
        self.changed_contacts.add(contact.name)

    def _expire(self, now_ms: int) -> None:
        """Gives up waiting contacts, and open items, of which nothing was heard for ten wait limits.

        SEMANTICS.md §1, docs/decisions/0016.
        """
        for queue in self.queues.values():
            if queue.items is not None:
                for visit, at_ms in queue.items.silent(now_ms, self._news_ms):
                    self._give_up(visit, at_ms, now_ms)
                continue
            limit_ms = round(queue.config.wait_limit_in_force_s * 1000)
            if not queue.entered or queue.entered[0] + 10 * limit_ms > now_ms:
                continue
            for visit in list(queue.waiting.values()):
                at_ms = expires_ms(visit, self._news_ms(visit), limit_ms)
                if at_ms <= now_ms:
                    self._give_up(visit, at_ms, now_ms)

    def _news_ms(self, visit: Visit) -> int:
        return self.contacts[visit.key[0]].news_ms

    def _give_up(self, visit: Visit, at_ms: int, now_ms: int) -> None:
        name, segment = visit.key
        contact = self.contacts[name]
        contact.unpack(self.wrap_up_ms)
        contact.expired, contact.final_at_ms = {**contact.expired, segment: at_ms}, None
        self.changed_contacts.add(name)
        self._retell(contact, now_ms)

    def _labels(self, queue: Queue) -> QueueLabels:
        labels = self._labels_of.get(queue.config.id)
        if labels is None or labels.channel is not queue.config.channel:
            labels = self._labels_of[queue.config.id] = QueueLabels(
                self.id, queue.config.id, queue.config.channel
            )
        return labels


class _Changer:
    """Hands an agent's change of state to the site's and a queue's state time."""

    __slots__ = ("_now_ms", "_site")

    def __init__(self, site: Site, now_ms: int) -> None:
        self._site, self._now_ms = site, now_ms

    def __call__(self, queue: str | None, at_ms: int, busy: int, staffed: int) -> None:
        if queue is None:
            self._site.state_time.change(at_ms, busy, staffed)
            return
        own = self._site.queues.get(queue) or self._site.queue(queue, self._now_ms)
        own.state_time.change(at_ms, busy, staffed)
        own.version += 1


class _SlotChanger:
    """Hands a change of an agent's slots to a queue's slot time."""

    __slots__ = ("_now_ms", "_site")

    def __init__(self, site: Site, now_ms: int) -> None:
        self._site, self._now_ms = site, now_ms

    def __call__(self, queue: str, at_ms: int, taken: int, there: int, told: int) -> None:
        own = self._site.queues.get(queue) or self._site.queue(queue, self._now_ms)
        own.change_slots(at_ms, taken, there, told, now_ms=self._now_ms)
