"""Tells the story of a contact centre out of a random source: agents, contacts, and their mishaps.

What is deliberately never told is listed in `NOT_TOLD`.
"""

import random
from collections.abc import Callable

from msgspec import Struct, field, structs

from schemas.config import Config, QueueConfig, ServiceLevelConfig, SiteConfig, SourceConfig
from schemas.events import (
    AgentAccepted,
    AgentNoAnswer,
    AgentOffered,
    AgentOfferEnded,
    AgentStateChanged,
    AnyEvent,
    ContactCreated,
    ContactEnded,
    HoldEnd,
    HoldStart,
    MessageIn,
    QueueEntered,
    QueueLeft,
    SourceHeartbeat,
    SurveyAnswered,
    TalkEnded,
    Transfer,
    WrapEnd,
    WrapStart,
)
from schemas.vocabulary import (
    LEFT_OTHERWISE,
    AgentState,
    Author,
    Channel,
    EndedBy,
    OfferEnd,
    Outcome,
    ServiceLevelDefinition,
    TransferKind,
)

NOT_TOLD = (
    "two visits of one contact entered at the same instant",
    "accept, offer or leave that names neither segment nor queue",
    "facts after now, but for visits without an agent",
    "one (source, id) with two contents",
    "a queue whose channel is named an hour after its first contact, or later",
)
"""Cases that the texts leave open or that the oracle does not model."""

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
LATENESS_MS = 60 * MINUTE_MS
FUTURE_MS = 300 * SECOND_MS
WRAP_UPS: tuple[float | dict[str, float] | None, ...] = (
    None,
    0,
    15,
    30.5,
    {"support": 15, "chat": 30.5},
    {"sales": 0},
)
CAPACITIES: tuple[dict[Channel, int], ...] = (
    {Channel.CHAT: 3, Channel.PHONE: 1},
    {Channel.CHAT: 1},
    {Channel.EMAIL: 2, Channel.SMS: 0},
    {},
)
SITES = ("paris", "kolkata")
QUEUES = ("support", "sales", "chat", "mail", "walk-in")
CHANNELS = {"chat": Channel.CHAT, "mail": Channel.EMAIL, "walk-in": None}


class History(Struct, frozen=True):
    """Events in order of occurrence, and what to fold them with."""

    events: list[AnyEvent]
    config: Config
    now_ms: int


def make_history(
    rng: random.Random,
    contacts: int,
    *,
    now_ms: int,
    span_ms: int,
    agents_per_site: int,
    is_explicit: bool = False,
) -> History:
    """`contacts` contacts that began within `span_ms` before `now_ms`, and the agents' own states.

    `is_explicit`: every fact names its segment and its agent, so that nothing has two readings.
    """
    config = make_config(rng)
    story = Story(
        rng=rng,
        now_ms=now_ms,
        span_ms=span_ms,
        is_explicit=is_explicit,
        clock_behind_ms=rng.choice((0, 0, 200, 10_000, 3_600_000, -7000)),
        echoes=rng.choice((0.0, 0.3, 0.9)),
    )
    for n in range(agents_per_site):
        for site in SITES:
            story.agents.append((site, f"{site}-agent-{n}"))
            if rng.random() < 0.5:
                tell_agent(story, site, f"{site}-agent-{n}")
    for n in range(contacts):
        tell_contact(story, rng.choice(SITES), f"contact-{n}")
    story.events.sort(key=lambda e: (e.occurred_ms, e.id))
    return History(_with_channels(story.events), config, now_ms)


def _with_channels(events: list[AnyEvent]) -> list[AnyEvent]:
    """The events, the first entry of a queue naming a channel where nobody else does within the hour.

    By then contacts are forgotten that another channel would measure otherwise.
    """
    entered: dict[tuple[str, str], list[int]] = {}
    for place, event in enumerate(events):
        if isinstance(event, QueueEntered):
            entered.setdefault((event.site, event.queue), []).append(place)
    told = list(events)
    for (_, queue), places in entered.items():
        first = told[places[0]]
        until_ms = first.occurred_ms + HOUR_MS
        own = [e for e in (told[place] for place in places) if isinstance(e, QueueEntered)]
        if events[-1].occurred_ms > until_ms and not any(
            e.channel and e.occurred_ms <= until_ms for e in own
        ):
            told[places[0]] = structs.replace(first, channel=CHANNELS.get(queue) or Channel.PHONE)
    return told


def make_config(rng: random.Random) -> Config:
    """Two sites; of each queue either settings or none, so that its channel's defaults hold."""
    queues = [_queue_config(rng, site, q) for site in SITES for q in QUEUES if rng.random() < 0.7]
    return Config(
        sites=[
            SiteConfig(id="paris", time_zone="Europe/Paris"),
            SiteConfig(id="kolkata", time_zone="Asia/Kolkata"),
        ],
        queues=queues,
        sources=[
            SourceConfig(id="pbx", kind="http", site="paris", wrap_up_s=rng.choice(WRAP_UPS)),
        ],
        from_file=True,
    )


def _queue_config(rng: random.Random, site: str, queue: str) -> QueueConfig:
    channel = CHANNELS.get(queue, Channel.PHONE) or rng.choice((Channel.SMS, Channel.PHONE))
    level = ServiceLevelConfig(
        threshold_s=rng.choice((None, 20, 0.5, 600)),
        definition=rng.choice(list(ServiceLevelDefinition)),
        short_abandon_s=rng.choice((None, 0, 5, 30)),
    )
    wait_limit_s = rng.choice((None, 30, 120))
    return QueueConfig(id=queue, site=site, channel=channel, service_level=level, wait_limit_s=wait_limit_s)


class Story(Struct):
    """What has been told so far."""

    rng: random.Random
    now_ms: int
    span_ms: int
    is_explicit: bool = False
    clock_behind_ms: int = 0
    echoes: float = 0.0
    """How often another source of the same system tells a fact too, its instant cut down."""
    agents: list[tuple[str, str]] = field(default_factory=list)
    events: list[AnyEvent] = field(default_factory=list)

    def add(self, make: Callable[..., AnyEvent], at_ms: int, site: str, **data: object) -> None:
        """Tell one fact, if it has happened by now; a bare visit may lie up to 300 s ahead."""
        ahead_ms = FUTURE_MS if make in (QueueEntered, QueueLeft) and not data.get("agent") else 0
        if at_ms <= self.now_ms + ahead_ms:
            source = data.pop("source", "pbx")
            received_ms = at_ms + self.rng.choice((0, 40, 900))
            envelope: dict[str, object] = {
                "id": f"{self.rng.randrange(1000):03d}-{len(self.events)}",  # ids in no order of telling
                "source": source,
                "site": site,
                "occurred_ms": at_ms,
                "received_ms": received_ms,
            }
            if make is SourceHeartbeat:
                data["clock_ms"] = received_ms - self.clock_behind_ms - self.rng.choice((0, 3, 600))
            self.events.append(make(**envelope, **data))

    def tell(self, make: Callable[..., AnyEvent], at_ms: int, site: str, **data: object) -> None:
        """Tell one fact; another source may tell it too, or instead, to the second, or worse, or wrongly."""
        if self.rng.random() >= self.echoes:
            self.add(make, at_ms, site, **data)
            return
        if self.rng.random() < 0.7:
            self.add(make, at_ms, site, **data)
        precision_ms = self.rng.choice((1000, 1000, 1000, 100, 60_000))
        off_ms = self.rng.choice((0, 0, 0, 0, -2000, 1001, 3500))
        cut_ms = (at_ms + off_ms) // precision_ms * precision_ms
        envelope = {"source": "coarse", "rank": self.rng.choice((0, 0, 2)), "precision_ms": precision_ms}
        self.add(make, cut_ms, site, **(data | envelope))


class Leg(Struct):
    """One visit as it is being told: how its facts name it, and where it stands."""

    site: str
    contact: str
    queue: str
    segment: str | None
    entered_ms: int
    is_explicit: bool = False

    def named(self, rng: random.Random) -> dict[str, object]:
        """How a fact names this visit: by segment, by queue, or by both."""
        queue: dict[str, object] = {"queue": self.queue}
        segment: dict[str, object] = {"segment": self.segment}
        if self.is_explicit:
            return queue | segment
        return queue if self.segment is None else rng.choice((queue, segment, queue | segment))


def tell_agent(story: Story, site: str, agent: str) -> None:
    """An agent that says its states; the set of queues is given at first, later, or never."""
    rng = story.rng
    at_ms = story.now_ms - rng.randint(0, story.span_ms)
    gives_queues, gives_capacity = rng.random() < 0.8, rng.random() < 0.5
    for _ in range(rng.randint(1, 8)):
        queues = tuple(rng.sample(QUEUES, rng.randint(0, 3))) if gives_queues and rng.random() < 0.5 else None
        capacity = rng.choice(CAPACITIES) if gives_capacity and rng.random() < 0.5 else None
        state = rng.choice(list(AgentState))
        data: dict[str, object] = {"state": state, "queues": queues, "capacity": capacity}
        story.add(AgentStateChanged, at_ms, site, agent=agent, **data)
        at_ms += rng.choice((0, 1, rng.randint(0, 20 * MINUTE_MS)))


def tell_contact(story: Story, site: str, contact: str) -> None:
    """One contact through one to three visits, with its ends told well, badly, twice or not at all."""
    rng = story.rng
    queue = rng.choice(QUEUES)
    at_ms = _start_ms(story)
    if rng.random() < 0.2:
        story.add(ContactCreated, at_ms, site, contact=contact, channel=CHANNELS.get(queue, Channel.PHONE))
    for n in range(rng.choice((1, 1, 1, 2, 3))):
        segment = f"{contact}/{queue}/{n}" if rng.random() < 0.6 or story.is_explicit else None
        leg = Leg(site, contact, queue, segment, at_ms, story.is_explicit)
        end_ms, goes_on = tell_visit(story, leg)
        queue = rng.choice((queue, rng.choice(QUEUES)))
        if goes_on and rng.random() < 0.5:
            kind = rng.choice(list(TransferKind))
            from_queue = rng.choice((leg.queue, leg.queue, None))
            story.tell(
                Transfer, end_ms, site, contact=contact, kind=kind, from_queue=from_queue, to_queue=queue
            )
        at_ms = max(end_ms, leg.entered_ms) + rng.choice((3, 40, 5 * SECOND_MS))
    if rng.random() < 0.3:
        story.tell(ContactEnded, at_ms - 1 - rng.choice((0, 0, 3 * SECOND_MS)), site, contact=contact)
    _tell_noise(story, site, contact, at_ms)


def tell_visit(story: Story, leg: Leg) -> tuple[int, bool]:
    """One visit from entering to its end: (instant of the end, whether the contact may go on)."""
    rng = story.rng
    if rng.random() < 0.95:
        _tell_entered(story, leg)
    left_ms = leg.entered_ms + _wait_ms(rng)
    ending = rng.choice(
        ("answered", "answered", "answered", "abandoned", "otherwise", "contradiction", "silent")
    )
    if ending == "answered":
        return (_tell_answer(story, leg, left_ms), True)
    if ending == "abandoned":
        return (_tell_abandon(story, leg, left_ms), False)
    if ending == "otherwise":
        _tell_left(story, leg, left_ms, rng.choice(LEFT_OTHERWISE))
        return (left_ms, True)
    if ending == "contradiction":
        return (_tell_contradiction(story, leg, left_ms), True)
    return (left_ms, False)


def _tell_entered(story: Story, leg: Leg) -> None:
    rng = story.rng
    channel = rng.choice((None, CHANNELS.get(leg.queue, Channel.PHONE), rng.choice(list(Channel))))
    data = {"contact": leg.contact, "queue": leg.queue, "segment": leg.segment}
    tell = story.add if leg.segment is None else story.tell  # at another instant it is another visit
    tell(QueueEntered, leg.entered_ms, leg.site, channel=channel, **data)
    if rng.random() < 0.15:  # another source saw it too; unnamed, at another instant it is another visit
        at_ms = leg.entered_ms + rng.choice((0, 1) if leg.segment is None else (-1, 0, 1))
        story.add(QueueEntered, at_ms, leg.site, source="queue_log", rank=rng.choice((0, 2)), **data)


def _tell_answer(story: Story, leg: Leg, answered_ms: int) -> int:
    """Offers, perhaps one missed (same segment), then an answer and the handling; when talk ended."""
    rng = story.rng
    agent = _agent(story, leg.site)
    _tell_missed_offer(story, leg, answered_ms)
    name = {"contact": leg.contact, "agent": agent}
    if rng.random() < 0.7:
        ring_ms = max(leg.entered_ms, answered_ms - rng.randint(0, 20 * SECOND_MS))
        story.tell(AgentOffered, ring_ms, leg.site, **name, **leg.named(rng))
    told = rng.choice(("accepted", "accepted", "left", "both"))
    if told != "left":
        story.tell(AgentAccepted, answered_ms, leg.site, **name, **leg.named(rng))
    if told != "accepted":
        left_ms = answered_ms + rng.choice((0, -3, 250))
        source, rank = rng.choice((("pbx", 0), ("queue_log", 2)))
        data = {"outcome": Outcome.ANSWERED, "source": source, "rank": rank}
        story.tell(QueueLeft, left_ms, leg.site, **data, **name, **leg.named(rng))
    return _tell_handling(story, leg, agent, answered_ms)


def _tell_handling(story: Story, leg: Leg, agent: str, answered_ms: int) -> int:
    """Hold, talk, wrap: each may be missing, and may name neither segment nor queue nor agent."""
    rng = story.rng
    talk_ms = rng.choice((0, 1, rng.randint(0, 10 * MINUTE_MS), rng.randint(0, 2 * MINUTE_MS)))
    ended_ms = answered_ms + talk_ms
    name: dict[str, object] = {"contact": leg.contact}
    by_agent = rng.choice((name | {"agent": agent}, name | {"agent": agent}, name))
    by_segment = rng.choice(({}, {"segment": leg.segment}))
    if story.is_explicit:
        by_agent, by_segment = name | {"agent": agent}, {"segment": leg.segment}
    if rng.random() < 0.2:
        story.add(HoldStart, answered_ms + talk_ms // 3, leg.site, **by_agent, **by_segment)
        story.add(HoldEnd, answered_ms + talk_ms // 2, leg.site, **by_agent, **by_segment)
    if rng.random() < 0.9:
        place = leg.named(rng) if story.is_explicit else rng.choice(({}, leg.named(rng), leg.named(rng)))
        story.tell(TalkEnded, ended_ms, leg.site, by=rng.choice((None, *EndedBy)), **by_agent, **place)
    if rng.random() < 0.3:
        story.tell(WrapStart, ended_ms + rng.choice((0, 700)), leg.site, **by_agent, **by_segment)
    if rng.random() < 0.6:
        wrap_ms = rng.choice((0, 1, rng.randint(0, 90 * SECOND_MS)))
        story.tell(WrapEnd, ended_ms + 700 + wrap_ms, leg.site, **by_agent, **by_segment)
    return ended_ms


def _tell_missed_offer(story: Story, leg: Leg, before_ms: int) -> None:
    rng = story.rng
    if rng.random() < 0.3 and before_ms > leg.entered_ms:
        name = {"contact": leg.contact, "agent": _agent(story, leg.site)}
        at_ms = rng.randint(leg.entered_ms, before_ms)
        story.tell(AgentOffered, at_ms, leg.site, **name, **leg.named(rng))
        end_ms = rng.randint(at_ms, before_ms)
        if rng.random() < 0.5:
            story.tell(AgentNoAnswer, end_ms, leg.site, **name, **leg.named(rng))
        else:
            reason = rng.choice((None, *OfferEnd))
            story.tell(AgentOfferEnded, end_ms, leg.site, reason=reason, **name, **leg.named(rng))


def _tell_abandon(story: Story, leg: Leg, left_ms: int) -> int:
    """Gone while waiting, or while an agent's phone was ringing."""
    rng = story.rng
    _tell_missed_offer(story, leg, left_ms)
    if rng.random() < 0.3:
        name = {"contact": leg.contact, "agent": _agent(story, leg.site)}
        story.tell(AgentOffered, max(leg.entered_ms, left_ms - 4000), leg.site, **name, **leg.named(rng))
        ended = {"reason": OfferEnd.CALLER_LEFT, **name, **leg.named(rng)}
        story.tell(AgentOfferEnded, left_ms, leg.site, **ended)
    _tell_left(story, leg, left_ms, Outcome.ABANDONED)
    return left_ms


def _tell_contradiction(story: Story, leg: Leg, left_ms: int) -> int:
    """Two sources, or one twice, tell different ends of the same visit."""
    rng = story.rng
    end_ms = left_ms
    outcomes = rng.choices((Outcome.ABANDONED, Outcome.UNKNOWN, *LEFT_OTHERWISE), k=rng.randint(1, 2))
    for outcome in outcomes:
        _tell_left(story, leg, left_ms + rng.choice((0, 0, 1, 900)), outcome)
    if rng.random() < 0.5:
        end_ms = _tell_answer(story, leg, left_ms + rng.choice((-1, 0, 2000)))
    return end_ms


def _tell_left(story: Story, leg: Leg, at_ms: int, outcome: Outcome) -> None:
    rng = story.rng
    source, rank = rng.choice((("pbx", 0), ("pbx", 0), ("queue_log", 2), ("crm", 0)))
    data = {"contact": leg.contact, "outcome": outcome, "source": source, "rank": rank}
    story.tell(QueueLeft, at_ms, leg.site, **data, **leg.named(rng))


def _tell_noise(story: Story, site: str, contact: str, at_ms: int) -> None:
    """What changes no figure by itself, though it is news of the contact."""
    rng = story.rng
    if rng.random() < 0.15:
        author = rng.choice(list(Author))
        place = rng.choice(({}, {"queue": rng.choice(QUEUES), "channel": rng.choice((None, *Channel))}))
        story.add(MessageIn, at_ms + rng.randint(0, HOUR_MS), site, contact=contact, author=author, **place)
    if rng.random() < 0.1:
        story.add(SurveyAnswered, at_ms + MINUTE_MS, site, contact=contact, score=4)
    if rng.random() < 0.1:
        story.add(SourceHeartbeat, at_ms, site)


def _agent(story: Story, site: str) -> str:
    return story.rng.choice([agent for where, agent in story.agents if where == site])


def _start_ms(story: Story) -> int:
    """Any instant of the span, or the edge of a bucket, a window, a minute or a day, give or take 1 ms."""
    rng, now_ms = story.rng, story.now_ms
    edge_ms = now_ms // 10_000 * 10_000 + 10_000
    edges = [edge_ms - minutes * MINUTE_MS for minutes in (5, 15, 30, 60)]
    edges += [now_ms // MINUTE_MS * MINUTE_MS - 59 * MINUTE_MS, now_ms // MINUTE_MS * MINUTE_MS, now_ms]
    edges += [(now_ms + HOUR_MS) // (24 * HOUR_MS) * 24 * HOUR_MS - HOUR_MS, now_ms // 10_000 * 10_000]
    if rng.random() < 0.3:
        return rng.choice(edges) + rng.choice((-1, 0, 1))
    ahead_ms = 200 * SECOND_MS if rng.random() < 0.02 else 0
    return now_ms + ahead_ms - rng.randint(0, story.span_ms)


def _wait_ms(rng: random.Random) -> int:
    """Waits at, just below and just above thresholds and short abandons, or anything to ten minutes."""
    marks = (0, 500, 5000, 20_000, 30_000, 60_000, 600_000)
    mark = rng.choice(marks) + rng.choice((-1, 0, 1))
    return max(0, rng.choice((mark, rng.randint(0, 60 * SECOND_MS), rng.randint(0, 10 * MINUTE_MS))))
