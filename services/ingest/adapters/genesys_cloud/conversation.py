"""A whole conversation as Genesys Cloud shows it, in its three forms → one form of ours. Pure.

Notifications of one kind of media have a participant's state beside its instants; notifications of all
kinds have it in lists of sessions, without the instant at which an agent began to be rung; analytics has
sessions cut into segments. Names, attributes, subjects, messages, wrap-up notes and external contacts are
not read.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from schemas.errors import InvalidMessage
from schemas.vocabulary import Channel, Direction
from services.ingest.adapters.genesys_cloud import words
from services.ingest.fields import Object, at, instant, needed, table, text

MAX_PARTIES = 500
_LISTS = ("calls", "callbacks", "chats", "emails", "messages")
_TALKING = frozenset({"interact", "hold"})
_LISTENING = ("monitoredParticipantId", "coachedParticipantId", "bargedParticipantId")


class Hold(Struct, frozen=True):
    """`end_ms` None: it lasts, or its end is not told."""

    start_ms: int
    end_ms: int | None = None


class Party(Struct, frozen=True, kw_only=True):
    """One participant's part in one kind of media. `queue`, `user`: their ids, "" where there are none.

    `end_ms`: of waiting, ringing or talk, before wrap-up. `is_held` None: it is not told.
    """

    id: str
    purpose: str
    channel: Channel
    is_callback: bool = False
    user: str = ""
    queue: str = ""
    direction: Direction | None = None
    start_ms: int | None = None
    connected_ms: int | None = None
    end_ms: int | None = None
    ended: str = ""
    holds: tuple[Hold, ...] = ()
    is_held: bool | None = None
    wrap_start_ms: int | None = None
    wrap_end_ms: int | None = None
    address: str = ""


class Conversation(Struct, frozen=True):
    id: str
    parties: list[Party]


def of_notification(body: Object, media: str) -> Conversation:
    """`media` as `words.media_of` gives it; "" where the notification is of all kinds.

    Raises `InvalidMessage` when it is no conversation.
    """
    number, found = _head(body, "id")
    message_type = next((each["type"] for each in found if each.get("type")), None)
    parties: list[Party] = []
    for participant in found:
        if media:
            parties.append(_flat(participant, participant, media, message_type))
        else:
            parties += _of_sessions(participant)
    return Conversation(number, parties)


def of_analytics(body: Object) -> Conversation:
    """Raises `InvalidMessage` when it is no conversation."""
    number, found = _head(body, "conversationId")
    parties = [
        _of_segments(participant, session, media)
        for participant in found
        for session in _tables(participant.get("sessions"))
        if (media := words.media_of(session.get("mediaType")))
    ]
    return Conversation(number, parties)


def _head(body: Object, name: str) -> tuple[str, list[Object]]:
    number = needed(body.get(name), name)
    if not isinstance(body.get("participants"), list):
        raise InvalidMessage("participants: no list")
    return number, [each for each in _tables(body["participants"]) if _counts(each)]


def _counts(participant: Object) -> bool:
    """Who waits, who is waited for, where; not who only listens."""
    purpose = _purpose(participant)
    is_one = purpose in words.CUSTOMERS or purpose in (words.ACD, words.AGENT)
    return is_one and not any(participant.get(name) for name in _LISTENING)


def _purpose(participant: Object) -> str:
    return (text(participant.get("purpose")) or "").lower()


def _tables(value: object) -> list[Object]:
    return [each for each in value[:MAX_PARTIES] if isinstance(each, dict)] if isinstance(value, list) else []


def _who(participant: Object) -> dict[str, Any]:
    """Who it is, whatever the form."""
    purpose = _purpose(participant)
    queue = text(at(participant, "queue", "id")) or text(participant.get("queueId"))
    user = text(at(participant, "user", "id")) or text(participant.get("userId"))
    return {
        "id": text(participant.get("id")) or text(participant.get("participantId")) or "",
        "purpose": "customer" if purpose in words.CUSTOMERS else purpose,
        "queue": queue or "",
        "user": user or "",
    }


def _flat(participant: Object, session: Object, media: str, message_type: object = None) -> Party:
    """State and instants of `session`, which is the participant itself in notifications of one media."""
    connected_ms = instant(session.get("connectedTime"))
    start_ms = instant(session.get("startTime"))
    who = _who(participant)
    if start_ms is None and who["purpose"] != words.AGENT:
        start_ms = connected_ms
    hold_ms = instant(session.get("startHoldTime"))
    is_held = session.get("held")
    return Party(
        **who,
        channel=words.channel_of(media, message_type),
        is_callback=media == words.CALLBACK,
        direction=direction_of(session.get("direction")),
        start_ms=start_ms,
        connected_ms=connected_ms,
        end_ms=instant(session.get("endTime")) or instant(session.get("disconnectedTime")),
        ended=words.how(session.get("disconnectType")),
        holds=(Hold(hold_ms),) if hold_ms is not None and is_held is True else (),
        is_held=is_held if isinstance(is_held, bool) else None,
        wrap_start_ms=_wrap(participant, session, "start"),
        wrap_end_ms=_wrap(participant, session, "end"),
        address=text(participant.get("address")) or text(participant.get("ani")) or "",
    )


def _wrap(participant: Object, session: Object, which: str) -> int | None:
    return instant(participant.get(f"{which}AcwTime")) or instant(
        at(session, "afterCallWork", f"{which}Time")
    )


def _of_sessions(participant: Object) -> Iterator[Party]:
    for name in _LISTS:
        for session in _tables(participant.get(name)):
            yield _flat(participant, session, words.media_of(name), session.get("type"))


def _of_segments(participant: Object, session: Object, media: str) -> Party:
    segments = _tables(session.get("segments"))
    who = _who(participant)
    queue = next((found for each in segments if (found := text(each.get("queueId")))), "")
    is_agent = who["purpose"] == words.AGENT
    parts = [each for each in segments if _type(each) != "wrapup"]
    talk = [each for each in parts if _type(each) in _TALKING] if is_agent else parts
    starts = [ms for each in parts if (ms := instant(each.get("segmentStart"))) is not None]
    ends = [instant(each.get("segmentEnd")) for each in parts]
    wrap = next((each for each in segments if _type(each) == "wrapup"), {})
    return Party(
        **{**who, "queue": who["queue"] or queue},
        channel=words.channel_of(media, session.get("messageType")),
        is_callback=media == words.CALLBACK,
        direction=direction_of(session.get("direction")),
        start_ms=min(starts, default=None),
        connected_ms=min((ms for each in talk if (ms := instant(each.get("segmentStart")))), default=None),
        end_ms=max((ms for ms in ends if ms is not None), default=None) if None not in ends else None,
        ended=next((words.how(found) for each in parts if (found := each.get("disconnectType"))), ""),
        holds=tuple(_holds(talk)),
        wrap_start_ms=instant(wrap.get("segmentStart")),
        wrap_end_ms=instant(wrap.get("segmentEnd")),
        address=customer_address(session) if who["purpose"] == "customer" else "",
    )


def _holds(segments: list[Object]) -> Iterator[Hold]:
    for each in segments:
        start_ms = instant(each.get("segmentStart"))
        if _type(each) == "hold" and start_ms is not None:
            yield Hold(start_ms, instant(each.get("segmentEnd")))


def _type(segment: Object) -> str:
    return (text(segment.get("segmentType")) or "").lower()


def direction_of(word: object) -> Direction | None:
    return _DIRECTIONS.get(word.lower()) if isinstance(word, str) else None


def customer_address(told: Mapping[str, object]) -> str:
    """Where the customer is reached, of one session of detail events or analytics; "" where not told."""
    is_outbound = direction_of(told.get("direction")) is Direction.OUTBOUND
    names = ("dnis", "addressTo") if is_outbound else ("ani", "addressFrom")
    return next((found for name in names if (found := text(table(told).get(name)))), "")


_DIRECTIONS = {"inbound": Direction.INBOUND, "outbound": Direction.OUTBOUND}
