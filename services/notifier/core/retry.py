"""What becomes of a delivery after a try: values in, the next record out. Chance and clock are arguments."""

from msgspec import Struct, structs

from schemas.deliveries import GIVE_UP_MS, ChannelKind, Delivery, DeliveryState

BASE_MS = 1000
MOST_MS = 60_000

_OVER = (DeliveryState.DELIVERED, DeliveryState.ACCEPTED, DeliveryState.REJECTED)


class Outcome(Struct, frozen=True, kw_only=True):
    """What a try came to. `after_ms`: how long the receiver asks to wait. `is_last`: it wants no more."""

    state: DeliveryState
    reason: str | None = None
    after_ms: int | None = None
    is_last: bool = False


def back_off_ms(attempt: int, chance: float) -> int:
    """How long to wait after that many tries: exponential, full jitter. `chance` in [0, 1)."""
    return round(chance * min(MOST_MS, BASE_MS << min(max(attempt - 1, 0), 16)))


def after(delivery: Delivery, outcome: Outcome, *, now_ms: int, chance: float) -> Delivery:
    """The delivery after a try that was made of it.

    A mail of which nobody knows whether it arrived is sent once more, no oftener: a relay does not
    look at its Message-ID. A webhook is sent again under its id until an answer comes.
    """
    state = outcome.state
    is_doubtful = state is DeliveryState.AMBIGUOUS
    told = structs.replace(
        delivery,
        state=state,
        reason=outcome.reason,
        at_ms=now_ms,
        due_ms=None,
        doubtful=delivery.doubtful or is_doubtful,
    )
    if state in _OVER or (is_doubtful and delivery.doubtful and delivery.kind is ChannelKind.EMAIL):
        return told
    last_ms = delivery.since_ms + GIVE_UP_MS
    if now_ms >= last_ms:
        return structs.replace(told, state=DeliveryState.GIVEN_UP)
    wait_ms = max(back_off_ms(delivery.attempt, chance), outcome.after_ms or 0)
    return structs.replace(told, due_ms=min(now_ms + wait_ms, last_ms))
