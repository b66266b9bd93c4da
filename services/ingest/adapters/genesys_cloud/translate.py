"""What Genesys Cloud sends → our events: which payload is whose matter. Pure; table: docs/sources.

A payload is a notification, an event of EventBridge around one, a conversation as analytics shows it, or
an array of these.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from msgspec import structs

from schemas.config import SourceConfig
from schemas.errors import InvalidMessage
from schemas.events import AnyEvent, SourceEvent
from schemas.vocabulary import Outcome, Reason
from services.ingest.adapters.genesys_cloud import conversation, topics, words
from services.ingest.adapters.genesys_cloud.agents import Agents
from services.ingest.adapters.genesys_cloud.contacts import Contacts
from services.ingest.adapters.genesys_cloud.detail_events import AGENT_STATE, DetailEvents
from services.ingest.adapters.genesys_cloud.memory import Memory
from services.ingest.adapters.genesys_cloud.told import Told
from services.ingest.adapters.genesys_cloud.topics import Topic
from services.ingest.adapters.genesys_cloud.writing import Writing
from services.ingest.facts import Facts, Spot
from services.ingest.fields import Object, at, instant, needed, needed_instant, table, text
from services.ingest.payloads import take_any
from services.ingest.translated import Pseudonyms, Spoiled, Translated

ANALYTICS = "analytics.conversation"
_DETAILS_OF_NO_USE = (
    "flow. voicemail. wrapup attribute contact. outbound. after flowoutcome milestone".split()  # noqa: SIM905 - reads better
)
_AGENT_PRESENCE = "UserPresence"


class Translator:
    """One source's payloads. `is_pulled`: we go to it, hear all of it in order, and what was told once is
    in the log; else payloads may come in any order, again, and to two of us.
    """

    def __init__(self, source: SourceConfig, pseudonyms: Pseudonyms, *, is_pulled: bool = False) -> None:
        self._write = Writing(source, pseudonyms)
        self._states = Facts(source)
        self._agents = Agents(source, self._states, is_pulled=is_pulled)
        self._memory = Memory()
        self._contacts = Contacts(source, self._write, self._memory, self._agents)
        self._details = DetailEvents(source, self._write, self._memory, self._agents)
        self._told = Told() if is_pulled else None
        self._handlers: Mapping[str, Callable[[Topic, Object, int], Reason | None]] = {
            "conversations": self._notification,
            "user": self._user,
            "detail": self._detail,
            "detail_agent": self._detail_agent,
            "audit": self._audit,
        }

    def take(self, raw: bytes, now_ms: int) -> Translated:
        """What a body tells that was received at `now_ms`; 0: nobody knows when. Raises `InvalidMessage`
        when it is no JSON.
        """
        try:
            value = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise InvalidMessage("body: no JSON") from error
        found, several = Translated(), value if isinstance(value, list) else [value]
        for each in several:
            part = raw if len(several) == 1 else json.dumps(each).encode()
            found.add(self._one(each, part, now_ms))
        return found

    def take_any(self, raw: bytes, now_ms: int) -> Translated:
        """The same, for who has nobody to answer: what is no JSON is spoiled."""
        return take_any(self.take, raw, now_ms)

    def recall(self, event: AnyEvent) -> None:
        """An event that was told before we started; all of them come before the first payload."""
        self._agents.recall(event)
        self._memory.recall(event)
        if self._told is not None:
            self._told.recall(event)

    # --- for who goes to Genesys Cloud ---

    def watch(self, queues: Collection[str]) -> None:
        """Only these queues are shown, by their ids; where there are none, whatever is told of."""
        self._contacts.watched = self._agents.watched = frozenset(queues) or None

    def heartbeat(self, now_ms: int) -> Translated:
        self._received(now_ms)
        self._states.heartbeat(None)
        return Translated(events=self._take())

    def snapshot(self, conversations: Iterable[Object], now_ms: int) -> Translated:
        """What the conversations show that was not told: we were not there."""
        found = Translated()
        for each in conversations:
            found.add(self._one(each, b"", now_ms))
        found.events = [structs.replace(event, inferred=True) for event in found.events]
        return found

    def users(self, users: Iterable[Object], queues: Mapping[str, list[str]], now_ms: int) -> Translated:
        """How they stand now, and which queues each has activated."""
        self._received(now_ms)
        for each in users:
            user = text(each.get("id"))
            if user is None:
                continue
            self._presence(user, table(each.get("presence")))
            self._routing(user, table(each.get("routingStatus")))
            if user in queues:
                self._agents.queues(user, queues[user], now_ms)
            self._agents.tell(user)
        return Translated(events=[structs.replace(event, inferred=True) for event in self._take()])

    def open_contacts(self, *, heard_before_ms: int) -> list[str]:
        """Conversations without an end of which nothing was heard since: their ids, as `gone` takes them."""
        assert self._told is not None  # of a source that we go to
        return [
            contact.rpartition("/")[2]
            for contact, known in self._told.open()
            if known.heard_ms < heard_before_ms
        ]

    def heard_ms(self) -> int:
        """The instant of the newest fact of a contact that was told; 0: there is none."""
        assert self._told is not None
        return self._told.heard_ms

    def gone(self, conversations: Collection[str], now_ms: int) -> Translated:
        """These are open no more, and nobody can say how they ended: unknown, from now on."""
        assert self._told is not None
        self._received(now_ms)
        over = {self._write.contact(each) for each in conversations}
        for contact, known in self._told.open():
            if contact not in over:
                continue
            for segment, queue in known.waiting.items():
                place = Spot(contact, segment, queue)
                self._write.said.left(place, now_ms, outcome=Outcome.UNKNOWN, inferred=True)
            for agent, queue in known.talking.items():
                place = Spot(contact, f"{contact}/{agent}", queue)
                self._write.gone_from_talk(place, now_ms, agent)
            self._write.said.ended(contact, now_ms, key="gone", inferred=True)
        return Translated(events=self._take())

    # --- one payload ---

    def _one(self, value: object, raw: bytes, now_ms: int) -> Translated:
        self._received(now_ms)
        found, body = Translated(), _unwrapped(value)
        name = text(body.get("topicName"))
        if name is None and "conversationId" in body and "participants" in body:
            topic = Topic(ANALYTICS, "", "", ANALYTICS)
        else:
            topic = topics.read(name or "?")
        try:
            dropped = self._handle(topic, body, now_ms)
        except InvalidMessage as error:
            self._take()
            found.spoiled.append(
                Spoiled.of(raw or json.dumps(value).encode(), f"{topic.type}: {error.detail}")
            )
            return found
        if dropped is Reason.UNKNOWN_TYPE:
            found.unknown[topic.type] += 1
            return found
        found.types[topic.type] += 1
        if dropped is not None:
            found.dropped[dropped] += 1
        found.events = self._take()
        return found

    def _handle(self, topic: Topic, body: Object, now_ms: int) -> Reason | None:
        """What of it is of no use, and why. Raises `InvalidMessage`."""
        if topic.form == ANALYTICS:
            self._contacts.tell(conversation.of_analytics(body), now_ms)
            return None
        if topic.type in (topics.METADATA, topics.CLOSING):
            return Reason.NOT_AN_EVENT
        handler = self._handlers.get(topic.form)
        if handler is None:
            return Reason.UNKNOWN_TYPE
        inner = body.get("eventBody")
        if not isinstance(inner, dict):
            raise InvalidMessage("eventBody: missing")
        return handler(topic, inner, now_ms)

    def _notification(self, topic: Topic, body: Object, now_ms: int) -> Reason | None:
        media = words.media_of(topic.kind)
        if topic.kind and not media:
            return Reason.NOT_AN_EVENT
        self._contacts.tell(conversation.of_notification(body, media), now_ms)
        return None

    def _detail(self, topic: Topic, body: Object, now_ms: int) -> Reason | None:
        if self._details.knows(topic.kind) and topic.kind != AGENT_STATE:
            self._details.take(topic.kind, body)
            return None
        is_known = topic.kind.startswith(tuple(_DETAILS_OF_NO_USE))
        return Reason.NOT_AN_EVENT if is_known else Reason.UNKNOWN_TYPE

    def _detail_agent(self, topic: Topic, body: Object, now_ms: int) -> Reason | None:
        if topic.kind != "state":
            return Reason.UNKNOWN_TYPE
        self._details.take(AGENT_STATE, body)
        return None

    # --- users ---

    def _user(self, topic: Topic, body: Object, now_ms: int) -> Reason | None:
        user, kind = topic.id, topic.kind
        if kind == "presence":
            if body.get("primary") is False:
                return Reason.NOT_AN_EVENT
            is_told = self._presence(user, body)
        elif kind == "routingStatus":
            is_told = self._routing(user, table(body.get("routingStatus")))
        else:
            is_told = self._presence(user, table(body.get("presence")))
            is_told = self._routing(user, table(body.get("routingStatus"))) or is_told
            self._activated(user, body)
        if not is_told:
            raise InvalidMessage("neither a presence nor a routing status with its instant")
        self._agents.tell(user)
        return None

    def _presence(self, user: str, told: Object) -> bool:
        definition = table(told.get("presenceDefinition"))
        word, at_ms = text(definition.get("systemPresence")), instant(told.get("modifiedDate"))
        if word is None or at_ms is None:
            return False
        self._agents.presence(user, word, at_ms, presence_id=text(definition.get("id")) or "")
        return True

    def _routing(self, user: str, told: Object) -> bool:
        word, at_ms = text(told.get("status")), instant(told.get("startTime"))
        if word is None or at_ms is None:
            return False
        self._agents.routing(user, word, at_ms)
        return True

    def _activated(self, user: str, body: Object) -> None:
        ids = body.get("activeQueueIds")
        if isinstance(ids, list):
            at_ms = instant(body.get("dateActiveQueuesChanged")) or 0
            self._agents.queues(user, [found for each in ids if (found := text(each))], at_ms)

    def _audit(self, topic: Topic, body: Object, now_ms: int) -> Reason | None:
        """Audits of presences say the presence; all others are of no use."""
        if topic.kind != _AGENT_PRESENCE:
            return Reason.NOT_AN_EVENT
        user = needed(body.get("userId") or at(body, "entity", "id") or topic.id, "userId")
        at_ms = needed_instant(body.get("eventTime"), "eventTime")
        word = _new_presence(body.get("propertyChanges"))
        if word is None:
            return Reason.NOT_AN_EVENT
        self._agents.presence(user, word, at_ms)
        self._agents.tell(user)
        return None

    # --- out ---

    def _received(self, now_ms: int) -> None:
        self._write.received(now_ms)
        self._states.received_ms = now_ms

    def _take(self) -> list[SourceEvent]:
        """What was not told yet, where it is known to be in the log."""
        events = [*self._write.take(), *self._states.take()]
        return self._told.new(events) if self._told is not None else events


def _unwrapped(value: object) -> Object:
    """The notification in an event of EventBridge; else the payload itself."""
    body = table(value)
    detail: Any = body.get("detail")
    return detail if isinstance(detail, dict) and "topicName" in detail else body


def _new_presence(changes: object) -> str | None:
    for change in changes if isinstance(changes, list) else []:
        values = at(change, "newValues")
        if at(change, "property") == "PRESENCE" and isinstance(values, list) and values:
            return text(values[-1])
    return None
