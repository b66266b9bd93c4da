"""What the simulation says is consistent, repeatable, and what ingest takes."""

from collections import defaultdict

import pytest

from schemas.codec import convert_event
from schemas.events import AgentStateChanged
from services.cli.demo.profile import CONTACTS_PER_MIN
from services.cli.demo.simulation import HISTORY_MS, Simulation
from tests.unit.cli.demo.counter import (
    MINUTE_MS,
    SEEDS,
    START_MS,
    instant_ms,
    name,
    played,
    stretches,
    visits,
)

SOME = list(SEEDS)[:3]


def test_same_arguments_give_the_same_events_however_time_is_cut() -> None:
    centre = Simulation(4, CONTACTS_PER_MIN, START_MS)
    events = centre.step(START_MS)
    for second in range(1, 12 * 60 + 1):
        events += centre.step(START_MS + second * 1000)
    assert tuple(events) == played(4)


def test_another_seed_and_another_start_share_no_id() -> None:
    ids = {event.id for event in played(0)}
    others = {event.id for event in played(1)}
    later = {event.id for event in Simulation(0, CONTACTS_PER_MIN, START_MS + 1).step(START_MS)}
    assert not ids & others
    assert not ids & later


@pytest.mark.parametrize("seed", SOME)
def test_ids_are_unique_and_sort_as_the_events_happened(seed: int) -> None:
    order = [(instant_ms(event), event.id) for event in played(seed)]
    assert order == sorted(order)
    assert len({id for _, id in order}) == len(order)


@pytest.mark.parametrize("seed", SOME)
def test_every_event_is_one_that_ingest_takes(seed: int) -> None:
    for event in played(seed):
        at_ms = instant_ms(event)
        envelope = {"id": event.id, "source": event.source, "site": event.site, "type": name(event)}
        convert_event({**event.data, **envelope, "occurred_ms": at_ms, "received_ms": at_ms})


def test_windows_are_full_from_the_start() -> None:
    past = [instant_ms(event) for event in played(0) if name(event) == "queue.entered"]
    minutes = {(at - START_MS) // MINUTE_MS for at in past if START_MS - HISTORY_MS <= at < START_MS}
    assert len(minutes) >= 72


@pytest.mark.parametrize("seed", SOME)
def test_nobody_has_two_calls_nor_more_than_three_chats(seed: int) -> None:
    talking: dict[object, dict[object, str]] = defaultdict(dict)
    for event in played(seed):
        agent, segment = event.data.get("agent"), event.data.get("segment")
        if name(event) == "agent.accepted":
            talking[agent][segment] = str(event.data["queue"])
            queues = list(talking[agent].values())
            assert len(queues) == 1 or (set(queues) == {"chat"} and len(queues) <= 3)
        elif name(event) == "talk.ended":
            del talking[agent][segment]


def test_two_and_three_chats_at_once_do_occur() -> None:
    most = 0
    for seed in SOME:
        chats: dict[object, int] = defaultdict(int)
        for event in played(seed):
            if event.data.get("queue") == "chat" and name(event) in ("agent.accepted", "talk.ended"):
                chats[event.data["agent"]] += 1 if name(event) == "agent.accepted" else -1
                most = max(most, chats[event.data["agent"]])
    assert most == 3


@pytest.mark.parametrize("seed", SOME)
def test_states_say_what_the_facts_say(seed: int) -> None:
    """At the end of each instant: in contact with something in hand, else wrap-up, ringing, or free."""
    talk: dict[object, set[object]] = defaultdict(set)
    wrap: dict[object, set[object]] = defaultdict(set)
    ring: dict[object, set[object]] = defaultdict(set)
    state: dict[object, object] = {}
    last_ms = 0
    for event in played(seed):
        if instant_ms(event) > last_ms:
            for agent, said in state.items():
                held = "in_contact" if talk[agent] else "wrap_up" if wrap[agent] else "ringing"
                free = not (talk[agent] or wrap[agent] or ring[agent])
                assert said == held or (free and said in ("available", "paused", "unreachable", "offline"))
            last_ms = instant_ms(event)
        agent, segment = event.data.get("agent"), event.data.get("segment")
        if name(event) == "agent.state":
            state[agent] = event.data["state"]
        elif name(event) == "agent.offered":
            ring[agent].add(segment)
        elif name(event) in ("agent.no_answer", "agent.offer_ended"):
            ring[agent].remove(segment)
        elif name(event) == "agent.accepted":
            ring[agent].remove(segment)
            talk[agent].add(segment)
        elif name(event) == "talk.ended":
            talk[agent].remove(segment)
            wrap[agent].add(segment)
        elif name(event) == "wrap.end":
            wrap[agent].remove(segment)


@pytest.mark.parametrize("seed", SOME)
def test_only_who_serves_a_queue_is_offered_its_contacts(seed: int) -> None:
    queues: dict[object, object] = {}
    for event in played(seed):
        if name(event) == "agent.state" and "queues" in event.data:
            queues[event.data["agent"]] = event.data["queues"]
        elif name(event) == "agent.offered":
            served = queues[event.data["agent"]]
            assert isinstance(served, list)
            assert event.data["queue"] in served


def test_pauses_have_a_reason_and_log_ins_their_queues() -> None:
    seen: set[object] = set()
    for event in played(2):
        if name(event) == "agent.state":
            if event.data["agent"] not in seen:
                assert event.data["queues"]
                assert event.data["capacity"]
                seen.add(event.data["agent"])
            if event.data["state"] == "paused":
                assert event.data["reason"]


def test_unanswered_offers_stay_in_the_same_visit() -> None:
    missed = [e.data["segment"] for e in played(0) if name(e) == "agent.no_answer"]
    offers = [e.data["segment"] for e in played(0) if name(e) == "agent.offered"]
    again = [segment for segment in missed if offers.count(segment) > 1]
    assert again
    assert len(again) > len(missed) / 2


def test_closing_leaves_nobody_waiting_and_nobody_at_work() -> None:
    centre = Simulation(5, CONTACTS_PER_MIN, START_MS)
    end_ms = START_MS + 3 * MINUTE_MS
    events = centre.step(end_ms) + centre.close()
    assert all(visit.outcome is not None for visit in visits(events))
    last = {one.agent: one.state for one in stretches(events, end_ms + 1)}
    assert set(last.values()) == {"offline"}
    assert not centre.step(end_ms)


def test_states_are_decoded_whole() -> None:
    first = next(event for event in played(0) if name(event) == "agent.state")
    said = convert_event(
        {
            **first.data,
            "id": first.id,
            "source": first.source,
            "site": first.site,
            "type": name(first),
            "occurred_ms": 0,
            "received_ms": 0,
        }
    )
    assert isinstance(said, AgentStateChanged)
    assert said.queues == tuple(str(queue) for queue in _as_list(first.data["queues"]))


def _as_list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value
