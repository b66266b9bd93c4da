"""What the attributes of a task say: to which contact it belongs, by which channel it came. Pure.

Attributes are whatever an application puts there, as JSON text, which may be broken. Looked at are the
few that Twilio itself sets (voice: https://www.twilio.com/docs/taskrouter/twiml-queue-calls; Flex:
`conversationSid`, `channelType`, `conversations.conversation_id` of Flex Insights). Of `from` a pseudonym is
kept; nothing else is copied.
"""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from schemas.vocabulary import Channel, Direction
from services.ingest.adapters.twilio_taskrouter.payload import Payload, json_object
from services.ingest.translated import Pseudonyms

_SID = re.compile("[A-Z]{2}[0-9A-Za-z]{3,62}")
"""Twilio's own numbers, `CA…`, `CH…`, `WT…`; in conversation_id anything may stand."""

CHANNELS = {
    "voice": Channel.PHONE,
    "phone": Channel.PHONE,
    "call": Channel.PHONE,
    "callback": Channel.PHONE,
    "voicemail": Channel.PHONE,
    "video": Channel.PHONE,
    "chat": Channel.CHAT,
    "web": Channel.CHAT,
    "webchat": Channel.CHAT,
    "sms": Channel.SMS,
    "rcs": Channel.SMS,
    "email": Channel.EMAIL,
    "mail": Channel.EMAIL,
    "whatsapp": Channel.SOCIAL,
    "messenger": Channel.SOCIAL,
    "facebook": Channel.SOCIAL,
    "instagram": Channel.SOCIAL,
    "gbm": Channel.SOCIAL,
}
"""Names of task channels and channel types, in small letters and digits. Video is spoken, live: `phone`."""


class Attributes(Struct, frozen=True):
    """`call`, `conversation`: numbers of what the task is about, None where it is about neither."""

    call: str | None
    conversation: str | None
    direction: Direction | None
    customer: str | None
    channel: Channel | None


def attributes_of(payload: Payload, pseudonyms: Pseudonyms) -> Attributes:
    told = json_object(payload.fields.get("task_attributes"))
    insights = json_object(told.get("conversations"))
    direction = _direction(told)
    customer = _text(told, "from") if direction is not Direction.OUTBOUND else None
    return Attributes(
        call=_sid(told, "call_sid"),
        conversation=_sid(told, "conversationSid")
        or _sid(told, "channelSid")
        or _named(insights, "conversation_id", pseudonyms),
        direction=direction,
        customer=pseudonyms.of(customer) if customer is not None else None,
        channel=_channel(_text(told, "channelType") or _text(told, "channel_type")),
    )


def channel_of(payload: Payload, attributes: Attributes) -> Channel:
    """By the task channel; where that is `default` or one of their own, by what the task is about.

    `phone` where nothing tells: TaskRouter was made to queue calls.
    """
    named = _channel(payload.text("task_channel_unique_name"))
    if named is not None:
        return named
    if attributes.call is not None:
        return Channel.PHONE
    if attributes.channel is not None:
        return attributes.channel
    return Channel.CHAT if attributes.conversation is not None else Channel.PHONE


def _channel(name: str | None) -> Channel | None:
    return CHANNELS.get(re.sub("[^a-z0-9]", "", name.lower())) if name is not None else None


def _direction(told: Mapping[str, Any]) -> Direction | None:
    word = (_text(told, "direction") or "").lower()
    if word.startswith("outbound"):
        return Direction.OUTBOUND
    return Direction.INBOUND if word == "inbound" else None


def _named(told: Mapping[str, Any], name: str, pseudonyms: Pseudonyms) -> str | None:
    """A number of Twilio's as it is; anything else might name somebody."""
    text = _text(told, name)
    return _sid(told, name) or (pseudonyms.of(text) if text is not None else None)


def _sid(told: Mapping[str, Any], name: str) -> str | None:
    text = _text(told, name)
    return text if text is not None and _SID.fullmatch(text) else None


def _text(told: Mapping[str, Any], name: str) -> str | None:
    value = told.get(name)
    return value.strip() if isinstance(value, str) and value.strip() else None
