"""Conversations: who wrote a message, and when a conversation is over. Pure.

Forms after the event (`onMessageAdded`) and Event Streams say the same with the same fields:
https://www.twilio.com/docs/conversations/conversations-webhooks. That a conversation began, and where it
waits, TaskRouter tells.
"""

import re

from msgspec import Struct

from schemas.vocabulary import Author, Channel
from services.ingest.adapters.twilio_taskrouter.attributes import CHANNELS
from services.ingest.adapters.twilio_taskrouter.payload import Payload

MESSAGE, STATE, REMOVED = "onMessageAdded", "onConversationStateUpdated", "onConversationRemoved"
UNUSED = frozenset(
    {
        *("onMessageAdd", "onMessageUpdate", "onMessageUpdated", "onMessageRemove", "onMessageRemoved"),
        *("onConversationAdd", "onConversationAdded", "onConversationUpdate", "onConversationUpdated"),
        *("onConversationRemove", "onParticipantAdd", "onParticipantAdded", "onParticipantUpdate"),
        *("onParticipantUpdated", "onParticipantRemove", "onParticipantRemoved", "onDeliveryUpdated"),
        *("onUserAdded", "onUserUpdate", "onUserUpdated", "onTypingStarted"),
        *("onMessageDeliveryUpdated", "onConversationDeliveryUpdated"),
    }
)
"""Known, and telling nothing that counts. Those without -ed come before the event, and may be refused yet."""

_BOTS = frozenset({"system", "bot"})
_ADDRESS = re.compile(r"(?:([a-z][a-z-]*):)?\+?\d{5,20}|([a-z][a-z-]*):.+")
"""`+33…`, `whatsapp:+33…`, `messenger:…`: what Twilio calls a binding's address."""
_CODED_E_MAIL = re.compile("_40", re.IGNORECASE)
_BY_US = frozenset({"sdk", "api"})


class Writer(Struct, frozen=True):
    """`agent`: who it is, where settings say so."""

    author: Author
    channel: Channel
    agent: str | None = None


def writer_of(payload: Payload, agents: dict[str, str]) -> Writer | None:
    """Who wrote a message, as far as its author tells; None for an identity that may be anybody's.

    An identity of `agents`, or one in Flex's spelling of an e-mail address, is an agent; "system", "bot" and
    nobody are a bot; an address is the customer's, and so is whatever came over a channel (`Source`).
    """
    author = payload.text("author")
    if author is None or author.lower() in _BOTS:
        return Writer(Author.BOT, Channel.CHAT)
    if author in agents:
        return Writer(Author.AGENT, Channel.CHAT, author)
    address = _ADDRESS.fullmatch(author)
    if address is not None:
        return Writer(Author.CUSTOMER, CHANNELS.get(address[1] or address[2] or "sms", Channel.SOCIAL))
    source = (payload.text("source") or "sdk").lower()
    if source not in _BY_US:
        return Writer(Author.CUSTOMER, CHANNELS.get(source, Channel.SOCIAL))
    return Writer(Author.AGENT, Channel.CHAT) if _CODED_E_MAIL.search(author) else None
