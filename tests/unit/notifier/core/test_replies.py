"""What answers mean."""

import pytest

from schemas.deliveries import GIVE_UP_MS, DeliveryState
from services.notifier.core.replies import of_smtp, of_status, wait_ms

NOW_MS = 1_795_338_846_000
"""2026-11-22T09:14:06Z."""


@pytest.mark.parametrize(
    ("status", "retry_after", "state"),
    [
        (200, None, DeliveryState.DELIVERED),
        (202, None, DeliveryState.DELIVERED),
        (204, "30", DeliveryState.DELIVERED),
        (301, None, DeliveryState.REJECTED),
        (307, None, DeliveryState.REJECTED),
        (400, None, DeliveryState.REJECTED),
        (404, "30", DeliveryState.REJECTED),
        (410, None, DeliveryState.REJECTED),
        (408, None, DeliveryState.UNAVAILABLE),
        (425, None, DeliveryState.UNAVAILABLE),
        (429, None, DeliveryState.THROTTLED),
        (429, "30", DeliveryState.THROTTLED),
        (500, None, DeliveryState.AMBIGUOUS),
        (500, "30", DeliveryState.THROTTLED),
        (502, None, DeliveryState.AMBIGUOUS),
        (503, None, DeliveryState.UNAVAILABLE),
        (503, "30", DeliveryState.THROTTLED),
        (504, None, DeliveryState.AMBIGUOUS),
    ],
)
def test_a_status_means_one_thing(status: int, retry_after: str | None, state: DeliveryState) -> None:
    outcome = of_status(status, retry_after, now_ms=NOW_MS)

    assert outcome.state is state
    assert outcome.is_last == (status == 410)
    assert outcome.after_ms == (30_000 if state is DeliveryState.THROTTLED and retry_after else None)


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("0", 0),
        ("30", 30_000),
        (" 30 ", 30_000),
        ("99999999999999999999", GIVE_UP_MS),
        ("Sun, 22 Nov 2026 09:15:06 GMT", 60_000),
        ("Sun, 22 Nov 2026 10:15:06 +0100", 60_000),
        ("Sun, 22 Nov 2026 09:15:06", 60_000),
        ("Sun, 22 Nov 2026 09:13:06 GMT", 0),
        ("Sun, 22 Nov 2099 09:13:06 GMT", GIVE_UP_MS),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str | None, wait: int | None) -> None:
    assert wait_ms(text, now_ms=NOW_MS) == wait


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (421, DeliveryState.UNAVAILABLE),
        (450, DeliveryState.UNAVAILABLE),
        (452, DeliveryState.UNAVAILABLE),
        (535, DeliveryState.REJECTED),
        (550, DeliveryState.REJECTED),
        (554, DeliveryState.REJECTED),
    ],
)
def test_a_relay_says_later_or_never(code: int, state: DeliveryState) -> None:
    assert of_smtp(code).state is state
