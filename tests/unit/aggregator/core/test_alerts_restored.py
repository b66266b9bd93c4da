"""A worker that starts again, at any flush, tells the same alerts in the same words; every kind of them."""

import random
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.config import DEFAULT_RULE, Config, FlapConfig, QueueConfig, RuleConfig, SiteConfig
from schemas.events import (
    API_SOURCE,
    AgentAccepted,
    AgentStateChanged,
    AlertAcknowledge,
    AlertResolve,
    AlertSnooze,
    QueueEntered,
    QueueLeft,
    SourceHeartbeat,
    TalkEnded,
)
from schemas.vocabulary import AgentState, AlertState, Outcome
from tests.unit.aggregator.core.watching import SITE, START_MS, Watching

QUEUES = ("a", "b")
LIMIT_S = 20
CONFIG = Config(
    sites=[SiteConfig(id=SITE)],
    queues=[
        QueueConfig(id="a", site=SITE, wait_limit_s=LIMIT_S),
        QueueConfig(id="b", site=SITE, wait_limit_s=LIMIT_S, hours="Su 09:00-10:03,10:05-20:00"),
    ],
    rules=[
        DEFAULT_RULE,
        RuleConfig(id="level", metric="service_level", fire="< 0.5", clear=">= 0.6", min_contacts=2),
        RuleConfig(id="lost", metric="abandonment", fire="> 0.3", min_contacts=3),
        RuleConfig(id="busy", metric="occupancy", fire="> occupancy.high", min_contacts=0),
        RuleConfig(id="nobody", metric="agents.available", fire="< 1", clear=">= 2", queues=["a"]),
    ],
    flap=FlapConfig(episodes=2, within_s=90),
)


@dataclass
class Turn:
    """What happens within a second, and whether the worker starts again after it."""

    at_ms: int
    is_heard: bool
    facts: list[tuple[type[Any], dict[str, Any]]] = field(default_factory=list)
    commands: list[tuple[type[Any], int, int]] = field(default_factory=list)
    restart: bool = False


def turns(rng: random.Random, seconds: int) -> list[Turn]:
    """A lively quarter of an hour: contacts, agents, people who act, sources that fall silent."""
    waiting: list[tuple[str, str]] = []
    silent_until = 0
    made = []
    for second in range(seconds):
        if rng.random() < 0.01:
            silent_until = second + rng.randrange(10, 40)
        turn = Turn(second * 1000 + rng.randrange(1000), second >= silent_until, restart=rng.random() < 0.06)
        made.append(turn)
        if second < silent_until:
            continue
        if rng.random() < 0.15:
            waiting.append((f"c{second}", rng.choice(QUEUES)))
            turn.facts.append((QueueEntered, {"contact": waiting[-1][0], "queue": waiting[-1][1]}))
        if waiting and rng.random() < 0.13:
            contact, queue = waiting.pop(rng.randrange(len(waiting)))
            named = {"contact": contact, "queue": queue}
            if rng.random() < 0.5:
                turn.facts.append((QueueLeft, {**named, "outcome": Outcome.ABANDONED}))
            else:
                turn.facts.append((AgentAccepted, {**named, "agent": "x"}))
                turn.facts.append((TalkEnded, {**named, "agent": "x"}))
        if rng.random() < 0.06:
            state = rng.choice((AgentState.AVAILABLE, AgentState.IN_CONTACT, AgentState.PAUSED))
            said = {"agent": rng.choice(("lea", "max")), "state": state, "queues": QUEUES}
            turn.facts.append((AgentStateChanged, said))
        if rng.random() < 0.02:
            turn.facts.append((SourceHeartbeat, {"source": "other"}))
        if rng.random() < 0.05:
            make = rng.choice((AlertAcknowledge, AlertSnooze, AlertResolve))
            turn.commands.append((make, rng.randrange(4), rng.randrange(60_000)))
    return made


def told(script: list[Turn], rng: random.Random | None) -> Watching:
    """Plays it; with `rng` the worker starts again where the script says so, from its last flush."""
    watching = Watching(CONFIG)
    for number, turn in enumerate(script):
        for make, data in turn.facts:
            watching.tell(make, turn.at_ms, **data)
        known = list(dict.fromkeys(a.alert_id for a in watching.sent if a.source is None))
        for make, back, for_ms in turn.commands:
            if not known:
                continue
            more = {"until_ms": START_MS + turn.at_ms + for_ms} if make is AlertSnooze else {}
            wanted = known[-1 - back % len(known)]
            watching.tell(
                make, turn.at_ms, source=API_SOURCE, alert_id=wanted, command=f"{number}", by="z", **more
            )
        if rng is not None and turn.restart:
            watching.restart(turn.at_ms, is_noted=rng.random() < 0.5)
        watching.at(turn.at_ms, is_heard=turn.is_heard)
    return watching


def wordings(watching: Watching) -> dict[tuple[str, int, str | None], bytes]:
    """Every alert on a queue by id, version and the command it answers; one wording each."""
    found: dict[tuple[str, int, str | None], bytes] = {}
    for alert in watching.sent:
        if alert.source is None:
            key = (alert.alert_id, alert.version, alert.command)
            assert found.setdefault(key, encode(alert)) == encode(alert)
    return found


@given(st.integers(0, 2**32))
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a seed does not shrink
)
def test_restored_at_any_flush_it_tells_the_same_alerts(seed: int) -> None:
    script = turns(random.Random(seed), 420)
    whole = told(script, None)
    broken = told(script, random.Random(seed))
    assert wordings(broken) == wordings(whole)
    for watching in (whole, broken):
        watching.assert_one_wording()
        last = {a.alert_id: a for a in watching.sent if a.accepted is not False}
        stored = watching.partition.sites[SITE].alerts.stored
        for alert_id, alert in last.items():
            versions = {a.version for a in watching.sent if a.alert_id == alert_id}
            assert versions == set(range(1, alert.version + 1))
        for alert in stored.alerts:
            assert alert.version == last[alert.alert_id].version
            assert (alert.state is AlertState.SNOOZED) <= (alert.snoozed_until_ms is not None)


def test_the_script_is_lively_enough() -> None:
    """Every state, every notice, every rule, flapping: else the test above would say little."""
    sent = [a for seed in range(4) for a in told(turns(random.Random(seed), 420), None).sent]
    assert {a.state for a in sent} == set(AlertState)
    assert {a.rule for a in sent} >= {rule.id for rule in CONFIG.rules}
    assert {a.notice for a in sent} >= {
        "fired",
        "acknowledged",
        "snoozed",
        "suppressed",
        "resumed",
        "resolved",
        "withdrawn",
        None,
    }
    assert any(a.flapping for a in sent)
    assert any(a.reason == "by_hand" for a in sent)
    assert any(a.accepted is False for a in sent)
    assert any(a.rule == "source_silent" for a in sent)
