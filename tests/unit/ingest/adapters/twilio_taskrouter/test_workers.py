"""Workers: their names, their states, what they can take at once."""

import pytest

from schemas.events import AgentStateChanged
from schemas.vocabulary import AgentState, Channel
from services.ingest.adapters.twilio_taskrouter.translate import Translator
from tests.doubles.running_source import PSEUDONYMS
from tests.doubles.twilio import START_MS, Task, Told, source, worker, worker_fields

NUMBER = worker_fields("alice", activity="")["WorkerSid"]


def states(event: Told, **settings: object) -> list[AgentStateChanged]:
    translator = Translator(source(**settings), PSEUDONYMS)
    found = translator.body(event.json, is_form=False, now_ms=START_MS)
    assert found.spoiled == []
    return [event for event in found.events if isinstance(event, AgentStateChanged)]


@pytest.mark.parametrize(
    ("activity", "is_available", "expected", "reason"),
    [
        ("Available", None, AgentState.AVAILABLE, None),
        ("idle", None, AgentState.AVAILABLE, None),
        ("Offline", None, AgentState.OFFLINE, None),
        ("Break", None, AgentState.PAUSED, "Break"),
        ("Unavailable", None, AgentState.PAUSED, "Unavailable"),
        ("Back office", "true", AgentState.AVAILABLE, None),
        ("Available", "false", AgentState.PAUSED, "Available"),
        ("Offline", "true", AgentState.OFFLINE, None),
        ("Busy", "false", AgentState.IN_CONTACT, None),
        ("Offline ", "false", AgentState.OFFLINE, None),
        ("At lunch", None, AgentState.PAUSED, "At lunch"),
        ("Logged out", "false", AgentState.OFFLINE, None),
    ],
)
def test_an_activity_is_a_state_by_settings_then_offline_then_its_flag_then_its_name(
    activity: str, is_available: str | None, expected: AgentState, reason: str | None
) -> None:
    more = {} if is_available is None else {"WorkerAvailable": is_available}
    settings = {"Busy": AgentState.IN_CONTACT, "Logged out": AgentState.OFFLINE, "Never": AgentState.RINGING}
    (state,) = states(worker("activity.update", 5, "alice", activity, **more), states=settings)

    assert (state.agent, state.state, state.reason) == ("alice", expected, reason)
    assert state.occurred_ms == START_MS + 5


def test_who_is_created_has_the_activity_told_or_none_and_who_is_deleted_is_offline() -> None:
    (created,) = states(worker("created", 5, "alice", "Offline"))
    (deleted,) = states(worker("deleted", 9, "alice", "Available"))

    assert (created.state, deleted.state) == (AgentState.OFFLINE, AgentState.OFFLINE)
    assert states(worker("created", 5, "alice", "")) == []


@pytest.mark.parametrize(
    ("name", "agents", "expected"),
    [
        ("alice", {}, "alice"),
        ("alice@example.com", {}, "{number}"),
        ("alice_40example_2Ecom", {}, "{number}"),
        ("", {}, "{number}"),
        ("alice", {"alice": "Al"}, "Al"),
        ("alice", {"{number}": "Al"}, "Al"),
        ("alice@example.com", {"{number}": "Al"}, "Al"),
    ],
)
def test_a_worker_is_called_by_name_but_by_number_where_that_is_an_e_mail_address(
    name: str, agents: dict[str, str], expected: str
) -> None:
    event = worker("activity.update", 5, "alice", "Break", WorkerName=name)
    mapped = {theirs.format(number=NUMBER): ours for theirs, ours in agents.items()}
    (state,) = states(event, agents=mapped)

    assert state.agent == expected.format(number=NUMBER)


def test_an_e_mail_address_without_a_number_is_nobody_we_can_name() -> None:
    event = worker("activity.update", 5, "alice", "Break", WorkerName="a@example.com", WorkerSid="")
    found = Translator(source(), PSEUDONYMS).body(event.form, is_form=True, now_ms=START_MS)

    assert [letter.detail for letter in found.spoiled] == ["worker.activity.update: worker_sid: missing"]


def test_the_states_of_one_millisecond_are_in_order() -> None:
    stay = Task(1).enter("Support", 0)
    told = [stay.reservation(what, 5, "alice", 7) for what in ("created", "accepted", "wrapup", "completed")]
    told.append(worker("activity.update", 5, "alice", "Break"))
    ids = [states(event)[0].id for event in told]

    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("activity", "fields", "expected"),
    [
        ("Break", {"TaskChannelUniqueName": "chat", "WorkerChannelCapacity": "3"}, {Channel.CHAT: 3}),
        (
            "Offline",
            {
                "TaskChannelUniqueName": "voice",
                "WorkerChannelCapacity": "1",
                "WorkerChannelAvailable": "false",
            },
            {Channel.PHONE: 0},
        ),
        ("Break", {"TaskChannelUniqueName": "voice", "WorkerChannelAvailable": "false"}, {Channel.PHONE: 0}),
        ("Break", {"TaskChannelUniqueName": "voice", "WorkerChannelAvailable": "true"}, None),
        ("Break", {"TaskChannelUniqueName": "owls", "WorkerChannelCapacity": "3"}, None),
        ("Break", {"TaskChannelUniqueName": "chat", "WorkerChannelCapacity": "1001"}, None),
        ("Break", {"TaskChannelUniqueName": "chat", "WorkerChannelCapacity": "many"}, None),
        ("Break", {"TaskChannelUniqueName": "chat", "WorkerChannelCapacity": "9" * 5000}, None),
        ("Available", {"TaskChannelUniqueName": "chat", "WorkerChannelCapacity": "3"}, None),
        ("", {"TaskChannelUniqueName": "chat", "WorkerChannelCapacity": "3"}, None),
    ],
)
@pytest.mark.parametrize("kind", ["capacity.update", "channel.availability.update"])
def test_capacity_is_told_where_the_state_is_known_with_it(
    kind: str, activity: str, fields: dict[str, str], expected: dict[Channel, int] | None
) -> None:
    found = states(worker(kind, 5, "alice", activity, **fields))

    assert [state.capacity for state in found] == ([expected] if expected else [])
