"""What goes out for a notice: the body of a webhook, the message of a mail. INTERFACE.md §5, CHANNELS §5.

Every try of a delivery gets the same bytes: the alert is the one of its version, the instant is that of
the transition, and the Message-ID is computed from the delivery.
"""

from datetime import UTC, datetime
from email import utils
from email.message import EmailMessage
from email.policy import SMTP

from msgspec import structs

from schemas import codec
from schemas.board import Alert
from schemas.vocabulary import Notice
from services.notifier.core.text import Words

_INSIDE = ("command", "accepted")
"""Of an alert, what only who acted on it waits for."""


def webhook(alert: Alert, notice: Notice, words: Words) -> bytes:
    """`{"type": "alert.fired", "timestamp": …, "data": {alert, board_url, text}}`."""
    data = {name: value for name, value in structs.asdict(alert).items() if name not in _INSIDE}
    data |= {"board_url": words.board_url, "text": words.line}
    timestamp = _instant(alert).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return codec.encode({"type": f"alert.{notice}", "timestamp": timestamp, "data": data})


def mail(
    alert: Alert,
    notice: Notice,
    words: Words,
    *,
    delivery_id: str,
    opening_id: str | None,
    sender: str,
    address: str,
) -> bytes:
    """A mail of RFC 5322. All mails of an episode are one thread: they refer to the first that arrived."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = address
    message["Subject"] = words.subject if opening_id is None else f"Re: {words.subject}"
    message["Date"] = utils.format_datetime(_instant(alert))
    message["Message-ID"] = _message_id(alert, delivery_id, sender)
    if opening_id is not None:
        opening = _message_id(alert, opening_id, sender)
        message["In-Reply-To"] = opening
        message["References"] = opening
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    if notice is Notice.FIRED:
        message["Importance"] = "high"
    message.set_content(words.body, cte="quoted-printable")
    return message.as_bytes()


def domain_of(sender: str) -> str:
    """The domain of an address, `Vigie <alerts@example.org>` included."""
    return utils.parseaddr(sender)[1].rpartition("@")[2]


def _message_id(alert: Alert, delivery_id: str, sender: str) -> str:
    return f"<{alert.alert_id}.{delivery_id}@{domain_of(sender)}>"


def _instant(alert: Alert) -> datetime:
    at_ms = alert.updated_ms if alert.updated_ms is not None else alert.fired_ms
    return datetime.fromtimestamp(at_ms / 1000, UTC)
