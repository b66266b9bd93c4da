"""What happens in the simulated centre, contact by contact: a discrete-event simulation, pure.

`Simulation(seed, rate, start_ms)` has a past of 75 minutes before `start_ms` (and mails older than
that), so windows and trend are full at once; `step` returns the events up to an instant, in order.
Same arguments, same events with the same ids, however the time is cut into steps.
"""

from bisect import insort
from functools import partial
from random import Random

from schemas.vocabulary import AgentState, Channel, Outcome
from services.cli.demo.floor import CHATS_AT_MOST, CHATS_AT_ONCE, Agent, Contact, Floor, Stage
from services.cli.demo.profile import (
    BY_ID,
    MAIL,
    QUEUES,
    SITE,
    SOURCE,
    QueueProfile,
    around_ms,
    between_ms,
    hour_factor,
    patience_ms,
    roster,
)
from services.cli.demo.rush import Rush
from services.cli.demo.timeline import CloudEvent, Timeline

HISTORY_MS = 75 * 60_000
_THIRD_CHAT_MS = 20_000
_RING_S = {Channel.PHONE: 7.5, Channel.CHAT: 20.0}
_RING_LIMIT_MS = {Channel.PHONE: 25_000, Channel.CHAT: 90_000}
_NO_ANSWER_SHARE = 0.02
_OLDEST_MAIL_MS = 30 * 3_600_000
"""From this age on a mail is taken before all others."""
_HARD_MAIL_SHARE = 0.06
"""Mails that need an inquiry: they stay for hours."""


class Simulation:
    """The whole centre. `rate`: contacts per minute of the site at a mean hour; `start_ms`: the present."""

    def __init__(self, seed: int, rate: float, start_ms: int, *, site: str = SITE) -> None:
        self._random = Random(f"vigie demo {seed}")
        self._time = Timeline(f"{seed}-{start_ms}", source=SOURCE, site=site)
        self._prefix = f"{seed}-{start_ms}"
        self._rate = rate
        self._floor = Floor(
            self._time, self._random, people=roster(rate), rate=rate, on_free=self._seek_contact
        )
        self.rush = Rush(
            self._time,
            self._random,
            floor=self._floor,
            longest_wait_ms=self._longest_wait_ms,
            on_pace=self._arm_arrival,
        )
        self._waiting: dict[str, list[Contact]] = {queue.id: [] for queue in QUEUES}
        self._open: dict[str, dict[str, Contact]] = {queue.id: {} for queue in QUEUES}
        self._pace = {queue.id: 0 for queue in QUEUES}
        self._contacts = 0
        self._stock = max(4, round(3 * rate))
        self._plan(start_ms)

    def step(self, until_ms: int) -> list[CloudEvent]:
        """All events after the last step up to and including `until_ms`, in the order of their instants."""
        return self._time.run(until_ms)

    def close(self) -> list[CloudEvent]:
        """The centre closes now: who waits is sent away, who works goes home. Nothing follows."""
        for contacts in self._open.values():
            for contact in list(contacts.values()):
                self._leave(contact, Outcome.CLOSED)
        for agent in self._floor.agents:
            for contact in agent.hands:
                if contact.stage is Stage.TALKING:
                    self._say("talk.ended", contact, agent=agent.id, by="agent")
                    self._time.say("contact.ended", contact=contact.id)
            self._floor.turn(agent, AgentState.OFFLINE)
        return self._time.run(self._time.now_ms)

    def _plan(self, start_ms: int) -> None:
        begin_ms = start_ms - HISTORY_MS
        for _ in range(self._stock):
            age_ms = min(around_ms(self._random, 5 * 3600, spread=0.9), _OLDEST_MAIL_MS - 3_600_000)
            is_hard = age_ms > 4 * 3_600_000
            self._time.at(begin_ms - age_ms, partial(self._arrive, MAIL, is_hard))
        self._floor.open(begin_ms)
        for queue in QUEUES:
            self._time.at(begin_ms, partial(self._arm_arrival, queue))
        self.rush.plan(start_ms)

    # Arrivals

    def _arm_arrival(self, queue: QueueProfile) -> None:
        """The next contact comes after an exponential delay; an arrival armed before no longer counts."""
        self._pace[queue.id] += 1
        per_ms = self._rate * queue.share * hour_factor(self._time.now_ms) * self.rush.pace(queue) / 60_000
        delay_ms = round(self._random.expovariate(per_ms))
        self._time.after(delay_ms, partial(self._come, queue, self._pace[queue.id]))

    def _come(self, queue: QueueProfile, pace: int) -> None:
        if self._pace[queue.id] == pace:
            self._arm_arrival(queue)
            self._arrive(queue, queue is MAIL and self._random.random() < _HARD_MAIL_SHARE)

    def _arrive(self, queue: QueueProfile, is_hard: bool = False) -> None:
        self._contacts += 1
        contact = Contact(f"{self._prefix}-c{self._contacts:07d}", queue, self._time.now_ms, is_hard=is_hard)
        self._time.say(
            "contact.created",
            contact=contact.id,
            channel=queue.channel.value,
            direction="inbound",
            customer=f"client-{self._random.randint(1, 40_000)}",
        )
        self._enter(contact)

    def _enter(self, contact: Contact) -> None:
        queue = contact.queue
        contact.entered_ms, contact.stage = self._time.now_ms, Stage.WAITING
        self._say("queue.entered", contact, channel=queue.channel.value)
        if queue.channel is not Channel.PHONE:
            self._say_message("message.in", contact, author="customer")
        self._open[queue.id][contact.id] = contact
        self._waiting[queue.id].append(contact)
        if queue is not MAIL:
            self._arm_patience(contact)
            self._seek_agent(contact)

    def _arm_patience(self, contact: Contact) -> None:
        """What may end the wait: patience, the queue's limit, another queue, a call-back, a third chat."""
        queue, draw = contact.queue, self._random.random()
        patient = patience_ms(self._random, queue.patience_s or 120)
        if self.rush.pace(queue) > 1:
            patient, draw = 2 * patient, 1.0  # they have been told that it takes a while, and nothing else
        self._give_up_after(contact, patient, Outcome.ABANDONED)
        if queue.max_wait_s is not None:
            self._give_up_after(contact, round(1000 * queue.max_wait_s), Outcome.TIMEOUT)
        if queue.moves_to is not None and draw < 0.12:
            self._give_up_after(contact, between_ms(self._random, 25, 50), Outcome.TRANSFERRED)
        elif queue.channel is Channel.PHONE and draw < 0.24:
            self._give_up_after(contact, between_ms(self._random, 45, 90), Outcome.CALLBACK)
        if queue.channel is Channel.CHAT:
            self._time.after(_THIRD_CHAT_MS, partial(self._seek_agent, contact))

    def _give_up_after(self, contact: Contact, delay_ms: int, outcome: Outcome) -> None:
        visit = contact.visit
        self._time.after(delay_ms, lambda: self._leave(contact, outcome) if contact.visit == visit else None)

    # Finding one another

    def _seek_agent(self, contact: Contact) -> None:
        if contact.stage is not Stage.WAITING:
            return
        patient = self._time.now_ms - contact.entered_ms >= _THIRD_CHAT_MS
        chats = CHATS_AT_MOST if patient else CHATS_AT_ONCE
        only_home = self.rush.only_home(contact.queue)
        agent = self._floor.pick(contact.queue, only_home=only_home, chats=chats)
        if agent is not None:
            self._offer(contact, agent)
            self._floor.refresh(agent)

    def _seek_contact(self, agent: Agent) -> None:
        """Somebody free takes who waits for their own team first, then the longest waiting of the others."""
        if agent.hands and (agent.is_ringing or not self._takes_chats(agent)):
            return
        heads = [
            waiting[0]
            for queue in agent.queues
            if (waiting := self._waiting[queue])
            and queue != MAIL.id
            and (queue == agent.home or not self.rush.only_home(BY_ID[queue]))
            and (not agent.hands or BY_ID[queue].channel is Channel.CHAT)
        ]
        if heads:
            self._offer(min(heads, key=lambda c: (c.queue.id != agent.home, c.entered_ms, c.id)), agent)
        elif MAIL.id in agent.queues and not agent.hands:
            delay_s = (1, 5) if agent.home == MAIL.id else (10, 30)
            self._time.after(between_ms(self._random, *delay_s), partial(self._seek_mail, agent))

    def _takes_chats(self, agent: Agent) -> bool:
        return len(agent.hands) < CHATS_AT_ONCE and all(c.queue.channel is Channel.CHAT for c in agent.hands)

    def _seek_mail(self, agent: Agent) -> None:
        """Mails fill quiet moments: the quieter, the deeper into the stock. They are not taken in turn."""
        mails = self._waiting[MAIL.id]
        if agent.state is not AgentState.AVAILABLE or len(mails) <= self._stock * self._floor_of_stock(agent):
            return
        aged = mails[0] if self._time.now_ms - mails[0].entered_ms > _OLDEST_MAIL_MS else None
        easy = [mail for mail in mails if not mail.is_hard] or mails
        mail = aged or self._random.choice(mails if self._random.random() < 0.08 else easy)
        mails.remove(mail)
        self._say("agent.offered", mail, agent=agent.id)
        self._take(mail, agent)

    def _floor_of_stock(self, agent: Agent) -> float:
        """Down to which part of the usual stock this agent works now; phones and chats have precedence."""
        if agent.home == MAIL.id:
            return 0.8
        quiet = self._floor.share_free(agent.home)
        return 0.55 if quiet > 0.3 else 0.9 if quiet > 0.15 else 1.3

    def _offer(self, contact: Contact, agent: Agent) -> None:
        self._waiting[contact.queue.id].remove(contact)
        contact.stage, contact.agent = Stage.RINGING, agent
        contact.offers += 1
        agent.hands.append(contact)
        self._say("agent.offered", contact, agent=agent.id)
        channel, offer = contact.queue.channel, contact.offers
        if channel is Channel.PHONE and self._random.random() < _NO_ANSWER_SHARE:
            self._time.after(_RING_LIMIT_MS[channel], partial(self._miss, contact, agent, offer))
        else:
            ring_ms = min(
                around_ms(self._random, _RING_S[channel], spread=0.8), _RING_LIMIT_MS[channel] - 500
            )
            self._time.after(ring_ms, partial(self._answer, contact, agent, offer))

    def _answer(self, contact: Contact, agent: Agent, offer: int) -> None:
        if contact.stage is Stage.RINGING and contact.offers == offer:
            agent.hands.remove(contact)
            self._take(contact, agent)

    def _miss(self, contact: Contact, agent: Agent, offer: int) -> None:
        """No answer: the contact waits on in the same visit; the agent is paused for a moment."""
        if contact.stage is not Stage.RINGING or contact.offers != offer:
            return
        self._say("agent.no_answer", contact, agent=agent.id)
        agent.hands.remove(contact)
        contact.stage, contact.agent = Stage.WAITING, None
        insort(self._waiting[contact.queue.id], contact, key=lambda c: c.entered_ms)
        self._floor.pause(agent, "Sans réponse", for_ms=between_ms(self._random, 20, 50))
        self._seek_agent(contact)

    # In hand

    def _take(self, contact: Contact, agent: Agent) -> None:
        contact.stage, contact.agent = Stage.TALKING, agent
        agent.hands.append(contact)
        del self._open[contact.queue.id][contact.id]
        self._say("agent.accepted", contact, agent=agent.id)
        self._say("queue.left", contact, outcome=Outcome.ANSWERED.value, agent=agent.id)
        self._floor.refresh(agent)
        talk_ms = max(4000, around_ms(self._random, contact.queue.talk_s))
        if contact.queue.channel is Channel.PHONE and talk_ms > 60_000 and self._random.random() < 0.15:
            self._hold(contact, agent, talk_ms)
        elif contact.queue.channel is Channel.CHAT:
            reply = partial(self._say_message, "message.out", contact, author="agent", agent=agent.id)
            self._time.after(min(talk_ms // 2, between_ms(self._random, 4, 20)), reply)
        self._time.after(talk_ms, partial(self._hang_up, contact, agent))

    def _hold(self, contact: Contact, agent: Agent, talk_ms: int) -> None:
        start_ms = talk_ms // 3
        end_ms = start_ms + min(between_ms(self._random, 10, 50), talk_ms // 3)
        self._time.after(start_ms, partial(self._say_bare, "hold.start", contact, agent=agent.id))
        self._time.after(end_ms, partial(self._say_bare, "hold.end", contact, agent=agent.id))

    def _hang_up(self, contact: Contact, agent: Agent) -> None:
        queue, segment = contact.queue, contact.segment
        moves = queue.moves_to is not None and self._random.random() < 0.03
        by = "transfer" if moves else "customer" if self._random.random() < 0.6 else "agent"
        if queue is MAIL:
            self._say_message("message.out", contact, author="agent", agent=agent.id)
            by = "agent"
        contact.stage = Stage.WRAPPING
        self._say("talk.ended", contact, agent=agent.id, by=by)
        self._time.say("wrap.start", contact=contact.id, segment=segment, agent=agent.id)
        wrap_ms = around_ms(self._random, queue.wrap_s)
        self._time.after(wrap_ms, partial(self._put_down, contact, agent, segment))
        self._floor.refresh(agent)
        if moves:
            self._move(contact, "blind")
        else:
            self._time.say("contact.ended", contact=contact.id)

    def _put_down(self, contact: Contact, agent: Agent, segment: str) -> None:
        reason = self._random.choice(contact.queue.reasons)
        self._time.say("wrap.end", contact=contact.id, segment=segment, agent=agent.id, reason=reason)
        agent.hands.remove(contact)
        self._floor.release(agent)

    # Going

    def _leave(self, contact: Contact, outcome: Outcome) -> None:
        """The visit ends without an answer, if it has not ended yet."""
        if contact.stage not in (Stage.WAITING, Stage.RINGING):
            return
        if (
            contact.stage is Stage.RINGING
            and outcome is not Outcome.ABANDONED
            and outcome is not Outcome.CLOSED
        ):
            return  # it rings: the queue no longer decides
        queue, agent = contact.queue, contact.agent
        if contact.stage is Stage.WAITING:
            self._waiting[queue.id].remove(contact)
        elif agent is not None:
            self._say("agent.offer_ended", contact, agent=agent.id, reason="caller_left")
            agent.hands.remove(contact)
        contact.stage, contact.agent = Stage.GONE, None
        del self._open[queue.id][contact.id]
        self._say("queue.left", contact, outcome=outcome.value)
        if outcome is Outcome.TRANSFERRED:
            self._move(contact, "queue")
        else:
            self._time.say("contact.ended", contact=contact.id)
        if agent is not None:
            self._floor.release(agent)

    def _move(self, contact: Contact, kind: str) -> None:
        """The contact enters another queue: a new visit. The old one stays with whoever wraps it up."""
        there = BY_ID[contact.queue.moves_to or contact.queue.id]
        self._time.say(
            "transfer", contact=contact.id, kind=kind, from_queue=contact.queue.id, to_queue=there.id
        )
        self._enter(Contact(contact.id, there, self._time.now_ms, visit=contact.visit + 1))

    def _longest_wait_ms(self, queue: QueueProfile) -> int:
        entered = (contact.entered_ms for contact in self._open[queue.id].values())
        return self._time.now_ms - min(entered, default=self._time.now_ms)

    def _say(self, name: str, contact: Contact, **data: object) -> None:
        self._time.say(name, contact=contact.id, segment=contact.segment, queue=contact.queue.id, **data)

    def _say_bare(self, name: str, contact: Contact, **data: object) -> None:
        self._time.say(name, contact=contact.id, segment=contact.segment, **data)

    def _say_message(self, name: str, contact: Contact, **data: object) -> None:
        channel = contact.queue.channel.value
        self._time.say(name, contact=contact.id, queue=contact.queue.id, channel=channel, **data)
