"""What a soak says of what was recorded and what came, and of what grows."""

from typing import Any

import pytest

from schemas.deliveries import ChannelKind, Delivery, DeliveryState
from schemas.vocabulary import Notice
from tests.doubles.receiver import Arrival, Reply
from tests.soak.verdict import exceptions, told_otherwise
from tests.soak.watching import Use, growth


def delivery(**changed: Any) -> Delivery:
    given: dict[str, Any] = {
        "delivery_id": "n_1",
        "alert_id": "a1",
        "version": 1,
        "notice": Notice.FIRED,
        "site": "paris",
        "queue": "support",
        "person": "lea",
        "channel": "webhook",
        "kind": ChannelKind.WEBHOOK,
        "state": DeliveryState.DELIVERED,
        "since_ms": 0,
        "at_ms": 0,
        "attempt": 1,
    }
    return Delivery(**{**given, **changed})


def arrival(**changed: Any) -> Arrival:
    given: dict[str, Any] = {
        "at_ms": 0,
        "path": "/hook",
        "headers": {"webhook-id": "n_1"},
        "body": b"{}",
        "reply": Reply(),
        "is_signed": True,
    }
    return Arrival(**{**given, **changed})


@pytest.mark.parametrize(
    ("records", "arrived", "said"),
    [
        ([delivery()], [arrival()], []),
        ([delivery(attempt=2)], [arrival(reply=Reply(status=500)), arrival()], []),
        ([delivery(state=DeliveryState.OVERTAKEN, attempt=0)], [], []),
        ([delivery()], [], ["receiver n_1: recorded as delivered, and never taken"]),
        (
            [delivery()],
            [arrival(reply=Reply(status=500))],
            ["receiver n_1: recorded as delivered, and never taken"],
        ),
        ([], [arrival()], ["receiver n_1: came 1 times, 0 tries are recorded"]),
        ([delivery()], [arrival(), arrival()], ["receiver n_1: came 2 times, 1 tries are recorded"]),
        (
            [delivery(attempt=2)],
            [arrival(), arrival(body=b"[]")],
            ["receiver n_1: came with different bodies"],
        ),
        ([delivery()], [arrival(is_signed=False)], ["receiver n_1: a wrong signature"]),
    ],
)
def test_what_came_and_what_was_recorded_must_agree(
    records: list[Delivery], arrived: list[Arrival], said: list[str]
) -> None:
    assert told_otherwise(records, arrived) == said


def test_an_exception_in_the_log_is_found() -> None:
    calm = ["2026-11-22T10:18:28.412Z info api listening", "aggregator | something else"]
    trace = ["Traceback (most recent call last):", '  File "x.py", line 1, in f', "    f()", "KeyError: 'a'"]
    fault = [f"api | {line}" for line in trace]

    assert exceptions(calm) == []
    assert exceptions([*calm, *fault, *calm]) == ["log: exception KeyError: 'a'"]


def lives(mb_per_min: float, *, fds: float = 20) -> list[Use]:
    """Ten minutes of a process that is never killed."""
    return [
        Use(at_s, 1, at_s, rss_mb=100 + mb_per_min * at_s / 60, threads=4, fds=fds)
        for at_s in range(0, 600, 2)
    ]


def test_what_grows_for_minutes_is_found_and_what_is_steady_is_not() -> None:
    assert growth({"api": lives(2), "ingest": lives(0)}) == []
    assert growth({"api": lives(60)}) == ["growth api: rss_mb 627 in the last quarter, 335 in the second"]
