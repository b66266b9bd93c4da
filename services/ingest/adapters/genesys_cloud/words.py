"""Genesys Cloud's words and what they are here. Pure; no word of ours stands anywhere else in this folder.

One word is written `transfer.noanswer` in notifications, `NO_ANSWER_TRANSFER` in detail events and
`noAnswerTransfer` in analytics: they are compared by their letters alone.
"""

import re

from schemas.vocabulary import Channel, EndedBy, OfferEnd, Outcome

ACD, AGENT = "acd", "agent"
CUSTOMERS = frozenset({"customer", "external"})
"""Purposes of participants. Others (workflow, ivr, voicemail, user, …) are no part of a wait."""

CALLBACK = "callback"
_MEDIA = {
    **dict.fromkeys(("voice", "call", "calls"), Channel.PHONE),
    **dict.fromkeys(("callback", "callbacks"), Channel.PHONE),
    **dict.fromkeys(("chat", "chats", "message", "messages"), Channel.CHAT),
    **dict.fromkeys(("email", "emails"), Channel.EMAIL),
}
_MESSAGES = {
    "sms": Channel.SMS,
    **dict.fromkeys(("facebook", "twitter", "instagram"), Channel.SOCIAL),
}
"""Any other kind of message (web messaging, WhatsApp, LINE, …) is a chat."""

_NOT_LETTERS = re.compile("[^a-z]")
_GONE = frozenset({"peer", "endpoint"})
_BROKEN = frozenset({"error", "transportfailure", "uncallable"})
_TOO_LONG = frozenset({"timeout", "inactivity", "sessionexpired"})
_UNANSWERED = frozenset({"noanswertransfer", "notavailabletransfer", "dndtransfer"})


def media_of(word: object) -> str:
    """What kind of session it is, in one number and case; "" where it is none with a customer."""
    letters = _letters(word)
    if letters not in _MEDIA:
        return ""
    return letters.removesuffix("s")


def channel_of(media: str, message_type: object = None) -> Channel:
    """`media` as `media_of` gives it, not ""."""
    found = _MEDIA[media]
    return _MESSAGES.get(_letters(message_type), found) if media == "message" else found


def how(word: object) -> str:
    """A disconnectType by its letters, `transfer` always last; "" where none is told."""
    letters = _letters(word)
    if letters.startswith("transfer"):
        return f"{letters.removeprefix('transfer')}transfer"
    return letters


def is_transfer(ended: str) -> bool:
    """Whether somebody passed it on; one that nobody took is passed on by the system."""
    return ended.endswith("transfer") and ended not in _UNANSWERED


def is_consult(ended: str) -> bool:
    return ended == "consulttransfer"


def outcome_of(ended: str, *, is_customer_gone: bool) -> Outcome:
    """How a queue was left by one whom no agent answered, by `how` its part there ended."""
    if ended.endswith("transfer"):
        return Outcome.TRANSFERRED
    if ended in _TOO_LONG:
        return Outcome.TIMEOUT
    if ended == "spam":
        return Outcome.WITHDRAWN
    return Outcome.ABANDONED if is_customer_gone else Outcome.TRANSFERRED


def ended_by(ended: str) -> EndedBy | None:
    """Who ended an agent's talk: to the agent's side the peer is the customer."""
    if is_transfer(ended):
        return EndedBy.TRANSFER
    if ended == "peer":
        return EndedBy.CUSTOMER
    return EndedBy.AGENT if ended in ("client", "endpoint") else None


def offer_end_of(ended: str) -> OfferEnd | None:
    """Why ringing ended without an answer; None: the agent did not take it."""
    if ended in _GONE:
        return OfferEnd.CALLER_LEFT
    return OfferEnd.CANCELLED if ended in _BROKEN else None


def address_of(text: str) -> str:
    """A number or address without the scheme before it: `tel:+15550100` and `+15550100` are one customer."""
    return text.removeprefix("tel:").removeprefix("sip:")


def _letters(word: object) -> str:
    return _NOT_LETTERS.sub("", word.lower()) if isinstance(word, str) else ""
