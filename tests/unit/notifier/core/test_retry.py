"""What becomes of a delivery after a try."""

import pytest
from msgspec.structs import replace

from schemas.deliveries import GIVE_UP_MS, ChannelKind, Delivery, DeliveryState
from schemas.vocabulary import Notice
from services.notifier.core.retry import MOST_MS, Outcome, after, back_off_ms

START = 1_000_000
SENDING = Delivery(
    delivery_id="n_1",
    alert_id="a",
    version=1,
    notice=Notice.FIRED,
    site="paris",
    queue="support",
    person="lea",
    channel="webhook",
    kind=ChannelKind.WEBHOOK,
    state=DeliveryState.SENDING,
    since_ms=START,
    at_ms=START,
    attempt=1,
)


def tried(
    state: DeliveryState, *, sent: Delivery = SENDING, at_ms: int = START + 10, after_ms: int | None = None
) -> Delivery:
    outcome = Outcome(state=state, reason="why", after_ms=after_ms)
    return after(sent, outcome, now_ms=at_ms, chance=0.5)


def test_waits_double_up_to_a_minute_and_are_spread_over_the_whole_of_it() -> None:
    assert [back_off_ms(attempt, 0.999999) for attempt in (1, 2, 3, 4, 5, 6, 7, 8, 500)] == [
        *(1000, 2000, 4000, 8000, 16_000, 32_000),
        *(MOST_MS, MOST_MS, MOST_MS),
    ]
    assert back_off_ms(8, 0.0) == 0


@pytest.mark.parametrize("state", [DeliveryState.DELIVERED, DeliveryState.ACCEPTED, DeliveryState.REJECTED])
def test_an_answer_ends_it(state: DeliveryState) -> None:
    delivery = tried(state)

    assert (delivery.state, delivery.due_ms, delivery.is_over) == (state, None, True)
    assert delivery.has_told == (state is not DeliveryState.REJECTED)


@pytest.mark.parametrize(
    ("state", "is_doubtful"),
    [
        (DeliveryState.UNAVAILABLE, False),
        (DeliveryState.THROTTLED, False),
        (DeliveryState.AMBIGUOUS, True),
    ],
)
def test_without_an_answer_it_is_tried_again(state: DeliveryState, is_doubtful: bool) -> None:
    delivery = tried(state)

    assert (delivery.state, delivery.due_ms) == (state, START + 10 + 500)
    assert (delivery.is_over, delivery.doubtful, delivery.has_told) == (False, is_doubtful, is_doubtful)


def test_a_receiver_that_asks_to_wait_is_left_alone_for_so_long() -> None:
    assert tried(DeliveryState.THROTTLED, after_ms=30_000).due_ms == START + 10 + 30_000
    assert tried(DeliveryState.THROTTLED, after_ms=10 * GIVE_UP_MS).due_ms == START + GIVE_UP_MS


def test_after_an_hour_it_is_given_up_and_not_before() -> None:
    last = tried(DeliveryState.UNAVAILABLE, at_ms=START + GIVE_UP_MS - 1)
    assert last.due_ms == START + GIVE_UP_MS

    over = tried(DeliveryState.UNAVAILABLE, sent=last, at_ms=START + GIVE_UP_MS)
    assert (over.state, over.is_over, over.reason) == (DeliveryState.GIVEN_UP, True, "why")
    assert not over.has_told
    assert tried(DeliveryState.AMBIGUOUS, at_ms=START + GIVE_UP_MS).has_told


def test_a_mail_that_may_have_arrived_is_sent_once_more_and_no_oftener() -> None:
    mail = replace(SENDING, kind=ChannelKind.EMAIL, channel="email")
    first = tried(DeliveryState.AMBIGUOUS, sent=mail)
    assert not first.is_over

    refused = tried(DeliveryState.UNAVAILABLE, sent=replace(first, attempt=2))
    assert (refused.is_over, refused.doubtful) == (False, True)  # that try sent nothing

    second = tried(DeliveryState.AMBIGUOUS, sent=replace(refused, attempt=3))
    assert (second.state, second.is_over, second.has_told) == (DeliveryState.AMBIGUOUS, True, True)
