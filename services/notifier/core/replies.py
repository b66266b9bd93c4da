"""What an answer of a receiver or a relay means for the delivery. Pure: codes in, outcome out.

Webhooks: any 2xx is a success, whatever its body says (Standard Webhooks 1.0); 410 means never again;
other 3xx and 4xx will not change by asking again; 429, or a 5xx that names a time, ask for patience;
503 says that nothing was taken; the other 5xx leave it open. SMTP (RFC 5321 §4.2): 4xx try again, 5xx never.
"""

from datetime import UTC
from email.utils import parsedate_to_datetime

from schemas.deliveries import GIVE_UP_MS, DeliveryState
from services.notifier.core.retry import Outcome

_AGAIN = (408, 425, 503)
_DISABLE = 410


def of_status(status: int, retry_after: str | None, *, now_ms: int) -> Outcome:
    """The outcome of an HTTP answer; `retry_after` is its header, seconds or a date."""
    reason = f"status {status}"
    if 200 <= status < 300:
        return Outcome(state=DeliveryState.DELIVERED)
    after_ms = wait_ms(retry_after, now_ms=now_ms)
    if status == 429 or (status >= 500 and after_ms is not None):
        return Outcome(state=DeliveryState.THROTTLED, reason=reason, after_ms=after_ms)
    if status in _AGAIN:
        return Outcome(state=DeliveryState.UNAVAILABLE, reason=reason)
    if status >= 500:
        return Outcome(state=DeliveryState.AMBIGUOUS, reason=reason)
    return Outcome(state=DeliveryState.REJECTED, reason=reason, is_last=status == _DISABLE)


def wait_ms(retry_after: str | None, *, now_ms: int) -> int | None:
    """How long `Retry-After` asks to wait, an hour at most; None when it is not there or makes no sense."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]) * 1000, GIVE_UP_MS)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at_ms = round((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() * 1000)
    return min(max(0, at_ms - now_ms), GIVE_UP_MS)


def of_smtp(code: int) -> Outcome:
    """The outcome of a refusal by a relay, at whatever command."""
    state = DeliveryState.UNAVAILABLE if 400 <= code < 500 else DeliveryState.REJECTED
    return Outcome(state=state, reason=f"smtp {code}")
