"""One site: where an event goes, and what it changes. Everything of a site lies in one partition.

Facts come in one by one; contacts tell their stories anew, queues count what changed, agents'
timelines follow. Time comes in by `advance`: windows move on, deadlines fall, silence is noticed.
"""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from schemas import events as ev
from schemas.config import Config, QueueConfig, SourceConfig
from schemas.hours import Hours, is_open, next_change
from schemas.vocabulary import Channel, Reason
from services.aggregator.core import cells
from services.aggregator.core.agents import Agent, Said
from services.aggregator.core.alerts import AlertBook, Situation, WaitRule, wait_rules
from services.aggregator.core.calendar import Calendar
from services.aggregator.core.contacts import PACK_AFTER_MS, Contact
from services.aggregator.core.counts import QueueLabels
from services.aggregator.core.episodes import Wait
from services.aggregator.core.queues import Queue, terms_of
from services.aggregator.core.sources import NEVER, Heard, Source, heard, quietest, stale_after_ms
from services.aggregator.core.state_time import StateTime
from services.aggregator.core.tallies import Tallies
from services.aggregator.core.visits import Visit, expires_ms
from services.aggregator.core.windows import BUCKET_MS

_NO_RULE_MS = 1 << 60


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
        self.sources: dict[str, Source] = {}
        self.state_time = StateTime()
        self.alerts = AlertBook(site)
        self.tallies = Tallies()
        self.changed_contacts: set[str] = set()
        self.changed_agents: set[str] = set()
        self.shown_agents: set[str] = set()
        """Agents whose row has to be shown again."""
        self.sources_changed = False
        self.ingest_ms: int | None = None
        self.looked_ms = now_ms
        """When the rules were last looked at."""
        self.clock_ms = 0
        """Newest receipt that the log has told: the clock that ages contacts, whenever it is folded."""
        self._rules: dict[str, list[WaitRule]] = {}
        self._hours: dict[str, tuple[bool, int | None]] = {}
        self._to_review: set[str] = set()
        self._bucket = now_ms // BUCKET_MS
        self._second = 0
        self._own_sources = [s for s in config.sources if s.site == site]
        self._wrap_up_ms = {
            s.id: round(s.wrap_up_s * 1000) for s in self._own_sources if isinstance(s.wrap_up_s, int | float)
        }

    def start(self, now_ms: int) -> None:
        """Moves a fresh or restored site to now; to be called before anything else."""
        self.state_time.advance(now_ms, self.calendar.day(now_ms).start_ms)
        for queue in self.queues.values():
            queue.advance(now_ms)
        for config in self.config.queues:
            if config.site == self.id:
                self.queue(config.id, now_ms)
        self._withdraw_unknown(now_ms)

    # -- facts ---------------------------------------------------------------------------------

    def fold(self, event: ev.AnyEvent, now_ms: int) -> Reason:
        """Takes one event; says what became of it."""
        if isinstance(event, ev.AlertAcknowledge | ev.AlertSnooze | ev.AlertResolve):
            self.alerts.command(event)
            return Reason.ACCEPTED
        source = self.sources.get(event.source)
        if source is None:
            source = self.sources[event.source] = Source(event.source)
        self.sources_changed = True
        if isinstance(event, ev.SourceHeartbeat):
            source.hear(0, event.received_ms)
            source.beat(event.received_ms, event.clock_ms)
            return Reason.ACCEPTED
        if source.is_late(event.occurred_ms):
            source.hear(0, event.received_ms)
            self._count_event(event, cells.LATE)
            return Reason.LATE
        source.hear(event.occurred_ms, event.received_ms)
        if isinstance(event, ev.AgentStateChanged):
            return self._agent_said(event, now_ms)
        return self._contact_told(event, now_ms)

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
            rules = wait_rules(self.config.rules, config)
            queue = Queue(
                config,
                self.calendar,
                now_ms,
                long_ms=_long_ms(rules),
                position=self._position(name),
            )
            self.queues[name] = queue
            self._rules[name] = rules
            self.tallies.seen(self._labels(queue))
        return queue

    def _position(self, name: str) -> int | None:
        places = (i for i, q in enumerate(self.config.queues) if q.id == name and q.site == self.id)
        return next(places, None)

    def wrap_up_ms(self, source: str) -> int | None:
        """How long wrap-up lasts where its end is not told (SEMANTICS.md §5)."""
        return self._wrap_up_ms.get(source)

    def _contact_told(self, event: ev.ContactEvent, now_ms: int) -> Reason:
        name = event.contact
        contact = self.contacts.get(name)
        if contact is None:
            contact = self.contacts[name] = Contact()
        elif contact.is_packed:
            contact.unpack(name, self.wrap_up_ms)
        if contact.knows(event):
            self._count_event(event, cells.DUPLICATES)
            return Reason.DUPLICATE
        queue_name = getattr(event, "queue", None)
        if queue_name is not None:
            told = event.channel if isinstance(event, ev.QueueEntered) else None
            queue = self.queue(queue_name, now_ms, told)
            if event.source not in queue.sources:
                queue.sources.add(event.source)
                queue.touch()
            if told is not None:
                self._channel_told(queue, told, (event.occurred_ms, event.id), now_ms)
        agent_name = getattr(event, "agent", None)
        if agent_name is not None:
            agent = self._agent(agent_name)
            if agent.meet(event.occurred_ms, _Changer(self, now_ms)):
                self._agent_changed(agent, now_ms)
        self.changed_contacts.add(name)
        if contact.add(event, self.clock_ms):
            self._retell(name, contact, now_ms)
        return Reason.ACCEPTED

    def _retell(self, name: str, contact: Contact, now_ms: int) -> None:
        """Tells a contact's story anew and counts what became different."""
        before = contact.retell(name, self.wrap_up_ms)
        after = contact.story
        known = {v.key: v for v in before.visits}
        for visit in after.visits:
            old = known.pop(visit.key, None)
            queue = self.queue(visit.queue, now_ms)
            if old is not None and old.waited_like(visit):
                if not old.handled_like(visit):
                    queue.handle(old, visit)
                    self.tallies.told(self._labels(queue), old, visit)
                continue
            if old is not None:
                self.queues[old.queue].take(old)
                self._to_review.add(old.queue)
            queue.put(visit)
            self._to_review.add(visit.queue)
            self.tallies.told(self._labels(queue), old, visit)
        for old in known.values():
            self.queues[old.queue].take(old)
            self._to_review.add(old.queue)
        if before.spans != after.spans:
            self._agents_follow(name, contact, {s.agent for s in before.spans}, now_ms)

    def _agents_follow(self, name: str, contact: Contact, before: set[str], now_ms: int) -> None:
        spans = contact.spans_of()
        for agent_name in before | spans.keys():
            agent = self._agent(agent_name)
            agent.follow(name, spans.get(agent_name, ()), _Changer(self, now_ms))
            self._agent_changed(agent, now_ms)

    def _agent_said(self, event: ev.AgentStateChanged, now_ms: int) -> Reason:
        agent = self._agent(event.agent)
        said = Said(
            event.occurred_ms, event.id, event.source, event.state, event.reason, event.queues, event.inferred
        )
        for queue in event.queues or ():
            self.queue(queue, now_ms)
        if not agent.hear(said, _Changer(self, now_ms)):
            for queue in agent.timeline[-1].queues:
                self.queues[queue].count_event(cells.DUPLICATES, event.received_ms)
            return Reason.DUPLICATE
        self._agent_changed(agent, now_ms)
        return Reason.ACCEPTED

    def _agent(self, name: str) -> Agent:
        agent = self.agents.get(name)
        if agent is None:
            agent = self.agents[name] = Agent(name)
        return agent

    def _agent_changed(self, agent: Agent, now_ms: int) -> None:
        self.changed_agents.add(agent.name)
        self.shown_agents.add(agent.name)
        if agent.timeline:
            for name in agent.timeline[-1].queues:
                queue = self.queue(name, now_ms)
                queue.agents.add(agent.name)
                queue.version += 1

    def _channel_told(self, queue: Queue, channel: Channel, told: tuple[int, str], now_ms: int) -> None:
        """An unconfigured queue has the channel that its first entry names, whatever arrives first."""
        if queue.is_configured or (queue.channel_told is not None and queue.channel_told <= told):
            return
        queue.channel_told = told
        if channel is not queue.channel:
            self.adopt(queue, self.config.queue(self.id, queue.config.id, channel), now_ms)

    def adopt_if_other(self, queue: Queue, now_ms: int) -> None:
        """Takes up the terms of the configuration where a restored queue was measured by others."""
        if terms_of(queue.config, queue.terms.since_ms) != queue.terms:
            self.adopt(queue, queue.config, now_ms)

    def adopt(self, queue: Queue, config: QueueConfig, now_ms: int) -> None:
        """Measures a queue's contacts by other terms: all whose facts are known are counted anew."""
        own = [v for v in self._visits_of(queue.config.id) if v.outcome is not None]
        for visit in own:
            queue.take(visit)
        self._rules[config.id] = rules = wait_rules(self.config.rules, config)
        self._withdraw_unknown(now_ms)
        queue.measure_by(config, now_ms, long_ms=_long_ms(rules))
        for visit in own:
            queue.put(visit)
        self._take_up_expired(config.id, now_ms)
        self._to_review.add(config.id)

    def _take_up_expired(self, queue: str, now_ms: int) -> None:
        """Whoever was given up by another wait limit is waiting again, until the new one says so."""
        for name, contact in self.contacts.items():
            if contact.expired and any(v.queue == queue for v in contact.story.visits):
                contact.expired = {}
                self.changed_contacts.add(name)
                self._retell(name, contact, now_ms)

    def _visits_of(self, queue: str) -> Iterable[Visit]:
        for name, contact in self.contacts.items():
            contact.unpack(name, self.wrap_up_ms)
            yield from (v for v in contact.story.visits if v.queue == queue)

    def _count_event(self, event: ev.AnyEvent, cell: int) -> None:
        """A late or repeated event counts in the queue it names, else in its contact's."""
        name = getattr(event, "queue", None)
        if name is None:
            contact = self.contacts.get(getattr(event, "contact", ""))
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
        if now_ms // BUCKET_MS != self._bucket:
            self._bucket = now_ms // BUCKET_MS
            self.state_time.advance(now_ms, self.calendar.day(now_ms).start_ms)
            for queue in self.queues.values():
                queue.advance(now_ms)
        is_new_second = now_ms // 1000 != self._second
        self._second = now_ms // 1000
        if not is_live:
            return
        self._expire(now_ms)
        names = set(self.queues) if is_new_second else self._due(now_ms) | self._to_review
        self._to_review.clear()
        for name in names:
            self._review(self.queues[name], now_ms)
        self.looked_ms = now_ms

    def next_deadline_ms(self, now_ms: int) -> int | None:
        """When somebody waiting will next reach a limit that no alert is open for."""
        skews = self.skews()
        deadlines = []
        for name, queue in self.queues.items():
            if not queue.entered:
                continue
            for rule in self._rules[name]:
                if self.alerts.has_open(name, rule.config.id):
                    continue
                at_ms = queue.oldest_ms(skews) + rule.limit_ms
                if at_ms <= now_ms:  # it crossed and has no alert: withdrawn, stale, closed; the next one may
                    crossings = (entered_ms + rule.limit_ms for entered_ms in queue.since_ms(skews))
                    at_ms = next((at for at in crossings if at > now_ms), 0)
                if at_ms > now_ms:
                    deadlines.append(at_ms)
        return min(deadlines, default=None)

    def sweep(self) -> None:
        """Packs contacts that are quiet, forgets those that are final."""
        clock_ms = self.clock_ms
        for name, contact in list(self.contacts.items()):
            quiet_ms = clock_ms - contact.touched_ms
            if quiet_ms < PACK_AFTER_MS or (not contact.is_packed and contact.is_waiting()):
                continue
            if contact.final_at_ms is None:
                contact.final_at_ms = contact.becomes_final_ms()
            if clock_ms >= contact.final_at_ms:
                self._forget(name, contact)
            elif not contact.is_packed:
                self.tallies.quiet(contact.story.visits)
                contact.pack()
        for agent in self.agents.values():
            if agent.prune():
                self.changed_agents.add(agent.name)

    def _forget(self, name: str, contact: Contact) -> None:
        contact.unpack(name, self.wrap_up_ms)
        for visit in contact.story.visits:
            self.queues[visit.queue].settle(visit)
        del self.contacts[name]
        self.changed_contacts.add(name)

    def _expire(self, now_ms: int) -> None:
        """Gives up waiting contacts of whom nothing was heard for ten wait limits (SEMANTICS.md §1)."""
        for queue in self.queues.values():
            limit_ms = round(queue.config.wait_limit_in_force_s * 1000)
            if not queue.entered or queue.entered[0] + 10 * limit_ms > now_ms:
                continue
            for visit in list(queue.waiting.values()):
                name, segment = visit.key
                contact = self.contacts[name]
                at_ms = expires_ms(visit, contact.news_ms, limit_ms)
                if at_ms <= now_ms:
                    contact.expired = {**contact.expired, segment: at_ms}
                    self.changed_contacts.add(name)
                    self._retell(name, contact, now_ms)

    def _due(self, now_ms: int) -> set[str]:
        skews = self.skews()
        return {
            name
            for name, queue in self.queues.items()
            if queue.entered
            and any(
                queue.oldest_ms(skews) + rule.limit_ms <= now_ms
                and not self.alerts.has_open(name, rule.config.id)
                for rule in self._rules[name]
            )
        }

    def _review(self, queue: Queue, now_ms: int) -> None:
        """Looks at the wait rules of one queue, if there is anything to see."""
        name = queue.config.id
        for rule in self._rules[name]:
            is_open_alert = self.alerts.has_open(name, rule.config.id)
            if not is_open_alert and not queue.long and not self._reached(queue, rule.limit_ms, now_ms):
                continue
            hear = self.heard(queue)
            trigger = self.alerts.trigger(name, rule.config.id)
            situation = Situation(
                queue=queue.config,
                waits=self._waits(queue, rule.clear_ms, now_ms),
                missing=trigger is not None and trigger[0] not in self.contacts,
                waiting=len(queue.waiting),
                longest_ms=max(0, now_ms - queue.oldest_ms(self.skews())) if queue.entered else 0,
                looked_ms=self.looked_ms,
                is_stale=hear.heard_ms is None or hear.is_stale(now_ms),
                is_open=self.opening(queue, now_ms)[0],
                now_ms=now_ms,
            )
            self.alerts.review(rule, situation)

    def _reached(self, queue: Queue, limit_ms: int, now_ms: int) -> bool:
        return bool(queue.entered) and queue.oldest_ms(self.skews()) + limit_ms <= now_ms

    def _waits(self, queue: Queue, clear_ms: int, now_ms: int) -> list[Wait]:
        """The waits that may hold an episode open: long ones, closed or not, on our clock."""
        skews = self.skews()
        waits = []
        for visits in (queue.long.values(), queue.waiting.values()):
            for v in visits:
                skew = skews.get(v.source, 0)
                ended = None if v.ended_ms is None else max(v.entered_ms, v.ended_ms) + skew
                if ended is not None or v.entered_ms + skew + clear_ms <= now_ms:
                    waits.append(Wait(v.key, v.entered_ms + skew, ended, skew))
        return waits

    def _withdraw_unknown(self, now_ms: int) -> None:
        rules = {name: {rule.config.id for rule in own} for name, own in self._rules.items()}
        self.alerts.withdraw_unknown(rules, now_ms)

    # -- what surrounds a queue ------------------------------------------------------------------

    def skews(self) -> dict[str, int]:
        """Milliseconds to add to a source's instants, where its clock is off (SEMANTICS.md §2)."""
        return {s.name: s.skew_ms for s in self.sources.values() if s.skew_ms}

    def heard(self, queue: Queue) -> Heard:
        """When the queue was last heard: by its quietest source."""
        configured = {s.id: s for s in self._own_sources}
        names = set(queue.sources)
        names.update(s.id for s in self._own_sources if s.queues and queue.config.id in s.queues)
        return quietest([self._heard(name, configured.get(name), queue.channel) for name in names] or [NEVER])

    def heard_source(self, name: str) -> Heard:
        """When a source was last heard; its limit is that of its most impatient queue."""
        config = next((s for s in self._own_sources if s.id == name), None)
        channels = {q.channel for q in self.queues.values() if name in q.sources} or {Channel.PHONE}
        return quietest([self._heard(name, config, channel) for channel in channels])

    def opening(self, queue: Queue, now_ms: int) -> tuple[bool, int | None]:
        """Whether the queue is open now, and when that changes; without hours it always is."""
        if queue.config.hours is None:
            return True, None
        known = self._hours.get(queue.config.id)
        if known is None or (known[1] is not None and now_ms >= known[1]):
            hours = Hours.parse(queue.config.hours)
            known = (
                is_open(hours, self.calendar.local(now_ms)),
                next_change(hours, now_ms, ZoneInfo(self.time_zone)),
            )
            self._hours[queue.config.id] = known
        return known

    def _heard(self, name: str, config: SourceConfig | None, channel: Channel) -> Heard:
        source = self.sources.get(name)
        if source is None:
            return NEVER
        return heard(source, self.ingest_ms, stale_after_ms(config, channel))

    def _labels(self, queue: Queue) -> QueueLabels:
        return QueueLabels(self.id, queue.config.id, queue.channel)


class _Changer:
    """Hands an agent's change of state to the site's and a queue's state time."""

    __slots__ = ("_now_ms", "_site")

    def __init__(self, site: Site, now_ms: int) -> None:
        self._site, self._now_ms = site, now_ms

    def __call__(self, queue: str | None, at_ms: int, busy: int, staffed: int) -> None:
        if queue is None:
            self._site.state_time.change(at_ms, busy, staffed)
            return
        own = self._site.queue(queue, self._now_ms)
        own.state_time.change(at_ms, busy, staffed)
        own.version += 1


def _long_ms(rules: list[WaitRule]) -> int:
    return min((rule.clear_ms for rule in rules), default=_NO_RULE_MS)
