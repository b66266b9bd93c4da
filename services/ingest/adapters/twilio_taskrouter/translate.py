"""Whatever Twilio sends to one address → our events. Pure, and nothing is remembered.

Each payload is translated by itself: Twilio promises no order, and sends some twice. Events of other
products (`com.twilio.messaging…`) are unknown types: counted, dropped, and named on the source panel, so
that whoever subscribed to them sees that they are of no use here.
"""

from schemas.config import SourceConfig
from schemas.errors import InvalidMessage
from schemas.events import SourceEvent
from services.ingest.adapters.twilio_taskrouter import conversations
from services.ingest.adapters.twilio_taskrouter import story as taskrouter
from services.ingest.adapters.twilio_taskrouter.payload import Payload, Unreadable, of_body
from services.ingest.adapters.twilio_taskrouter.story import Story
from services.ingest.adapters.twilio_taskrouter.tasks import at_ms_of
from services.ingest.facts import Facts
from services.ingest.names import contact_name
from services.ingest.translated import Pseudonyms, Spoiled, Translated, type_name

SINK_TEST = "com.twilio.eventstreams.test-event"
_UNUSED = taskrouter.UNUSED | conversations.UNUSED | {SINK_TEST}


class Translator:
    """Translates each payload by itself."""

    def __init__(self, source: SourceConfig, pseudonyms: Pseudonyms) -> None:
        self._source = source
        self._story = Story(source, pseudonyms)
        self._facts = Facts(source)

    def body(self, body: bytes, *, is_form: bool, now_ms: int) -> Translated:
        """What a request tells. Raises `InvalidMessage` when it is neither JSON nor a form."""
        told = Translated()
        for payload in of_body(body, is_form=is_form):
            told.add(self.payload(payload, now_ms))
        return told

    def payload(self, payload: Payload | Unreadable, now_ms: int | None) -> Translated:
        """What one payload tells. `now_ms` None: it is received when it happened."""
        told = Translated()
        if isinstance(payload, Unreadable):
            told.spoiled.append(Spoiled.of(payload.raw, payload.detail))
            return told
        kind = payload.type
        is_telling = kind in self._story.tellers or kind in _OF_CONVERSATIONS
        if not is_telling and kind not in _UNUSED:
            told.unknown[type_name(payload.word)] += 1
            return told
        told.types[payload.word] += 1
        if is_telling:
            try:
                told.events = self._tell(payload, now_ms)
            except InvalidMessage as error:
                told.spoiled.append(Spoiled.of(payload.raw, f"{payload.type}: {error.detail}"))
        return told

    def _tell(self, payload: Payload, now_ms: int | None) -> list[SourceEvent]:
        received_ms = now_ms if now_ms is not None else _at_ms(payload)
        if payload.type in self._story.tellers:
            return self._story.tell(payload, received_ms)
        self._facts.received_ms = received_ms
        _OF_CONVERSATIONS[payload.type](self, payload)
        return self._facts.take()

    def _message(self, payload: Payload) -> None:
        conversation, number = payload.needs("conversation_sid"), payload.needs("message_sid")
        at_ms = _at_ms(payload)
        writer = conversations.writer_of(payload, self._source.agents)
        if writer is not None:
            self._facts.message(
                contact_name(self._source, conversation),
                at_ms,
                key=number,
                author=writer.author,
                channel=writer.channel,
                agent=writer.agent,
            )

    def _state(self, payload: Payload) -> None:
        if payload.needs("state_to", "state").lower() == "closed":
            self._over(payload, "closed")

    def _removed(self, payload: Payload) -> None:
        self._over(payload, "removed")

    def _over(self, payload: Payload, key: str) -> None:
        contact = contact_name(self._source, payload.needs("conversation_sid"))
        self._facts.ended(contact, _at_ms(payload), key=key)


_OF_CONVERSATIONS = {
    conversations.MESSAGE: Translator._message,
    conversations.STATE: Translator._state,
    conversations.REMOVED: Translator._removed,
}


def _at_ms(payload: Payload) -> int:
    """When it happened. Conversations have a date per kind of event. Raises `InvalidMessage`."""
    if payload.type not in _OF_CONVERSATIONS:
        return at_ms_of(payload)
    names = {
        conversations.MESSAGE: ("date_created",),
        conversations.STATE: ("state_updated", "date_updated"),
        conversations.REMOVED: ("date_removed", "date_updated"),
    }
    at_ms = payload.instant_ms(*names[payload.type], "timestamp")
    if at_ms is None:
        raise InvalidMessage(f"{names[payload.type][0]}: missing, or no instant")
    return at_ms
