"""Rocket.Chat's omnichannel webhooks → our events. Pure, each by itself. Table: docs/sources/rocketchat.md.

A room is a contact, its department the queue; a visit is a room in a department. Rooms that are forwarded
to another department leave the one and enter the other.
"""

import json
from collections.abc import Callable, Mapping

from schemas.config import SourceConfig
from schemas.errors import InvalidMessage
from schemas.vocabulary import Author, Channel, EndedBy, Outcome, Reason, TransferKind
from services.ingest.facts import Facts, Spot
from services.ingest.fields import Object, at, instant, needed, needed_instant, table, text
from services.ingest.names import contact_name, digest, our_queue
from services.ingest.translated import Pseudonyms, Spoiled, Translated, type_name

NO_DEPARTMENT = "livechat"
"""The queue of rooms that are in no department."""


class Translator:
    """One server's webhooks, in any order."""

    def __init__(self, source: SourceConfig, pseudonyms: Pseudonyms) -> None:
        self._source = source
        self._pseudonyms = pseudonyms
        self._facts = Facts(source)
        self._handlers: Mapping[str, Callable[[Object], None]] = {
            "LivechatSessionStart": self._started,
            "LivechatSessionQueued": self._started,
            "LivechatSessionTaken": self._taken,
            "LivechatSessionForwarded": self._forwarded,
            "LivechatSession": self._closed,
            "Message": self._messages,
            "LivechatOfflineMessage": self._left_a_message,
        }

    def take(self, body: bytes, now_ms: int) -> Translated:
        """What a webhook tells. Raises `InvalidMessage`: it is nothing that Rocket.Chat sends."""
        try:
            told = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise InvalidMessage("body: no JSON") from error
        kind = type_name(table(told).get("type"))
        found = Translated()
        handler = self._handlers.get(kind)
        if handler is None:
            found.unknown[kind] += 1
            return found
        found.types[kind] += 1
        self._facts.received_ms = now_ms
        try:
            handler(told)
        except InvalidMessage as error:
            self._facts.take()
            found.spoiled.append(Spoiled.of(body, f"{kind}: {error.detail}"))
            return found
        found.events = self._facts.take()
        if not found.events:
            found.dropped[Reason.NOT_AN_EVENT] += 1
        return found

    def _started(self, told: Object) -> None:
        """Waits from the beginning of the session, whether it is queued or routed at once."""
        contact, at_ms = self._contact(told), needed_instant(told.get("createdAt"), "createdAt")
        self._facts.created(contact, at_ms, channel=Channel.CHAT, customer=self._customer(told))
        self._facts.entered(self._spot(contact, told), at_ms, channel=Channel.CHAT)

    def _taken(self, told: Object) -> None:
        contact = self._contact(told)
        at_ms = instant(at(told, "servedBy", "ts")) or needed_instant(
            told.get("lastMessageAt"), "servedBy.ts"
        )
        agent = _agent(told.get("servedBy")) or _agent(told.get("agent"))
        if agent is None:
            raise InvalidMessage("servedBy: missing")
        self._accept(self._spot(contact, told), at_ms, agent)

    def _accept(self, spot: Spot, at_ms: int, agent: str) -> None:
        self._facts.left(spot, at_ms, outcome=Outcome.ANSWERED, agent=agent)
        self._facts.accepted(spot, at_ms, agent=agent, key=f"{agent}/{at_ms}")

    def _forwarded(self, told: Object) -> None:
        contact = self._contact(told)
        when = at(told, "servedBy", "ts") or told.get("lastMessageAt")
        at_ms = needed_instant(when, "servedBy.ts")
        here, before = self._spot(contact, told), _department(told, "oldDepartmentId", "oldDepartment")
        old = _agent(told.get("oldServedBy"))
        left = here if before is None else self._named(contact, before)
        kind = TransferKind.BLIND if left.queue == here.queue else TransferKind.QUEUE
        self._facts.transfer(contact, at_ms, kind=kind, from_queue=left.queue, to_queue=here.queue)
        if old is not None:
            self._facts.talk_ended(left, at_ms, agent=old, by=EndedBy.TRANSFER, key=f"{old}/{at_ms}")
            self._facts.wrap_end(left, at_ms, agent=old, key=f"{old}/{at_ms}")
        if left.queue != here.queue:
            self._facts.left(left, at_ms, outcome=Outcome.TRANSFERRED)
            self._facts.entered(here, at_ms, channel=Channel.CHAT)
        agent = _agent(told.get("servedBy"))
        if agent is not None:
            self._accept(here, at_ms, agent)

    def _closed(self, told: Object) -> None:
        contact = self._contact(told)
        at_ms = needed_instant(told.get("closedAt") or told.get("lastMessageAt"), "closedAt")
        spot = self._spot(contact, told)
        closer = {"user": EndedBy.AGENT, "visitor": EndedBy.CUSTOMER}.get(str(told.get("closer")))
        if _agent(told.get("servedBy")) is None and _agent(told.get("agent")) is None:
            self._facts.left(spot, at_ms, outcome=Outcome.ABANDONED)
        else:
            self._facts.talk_ended(spot, at_ms, agent=None, by=closer)
            self._facts.wrap_end(spot, at_ms, agent=None)
        self._facts.ended(contact, at_ms)

    def _messages(self, told: Object) -> None:
        contact = self._contact(told)
        messages = told.get("messages")
        for message in messages if isinstance(messages, list) else ():
            at_ms, number = instant(table(message).get("ts")), text(table(message).get("_id"))
            if at_ms is None or number is None:
                raise InvalidMessage("messages: one without _id or ts")
            is_ours = text(table(message).get("agentId")) is not None
            self._facts.message(
                contact,
                at_ms,
                key=number,
                author=Author.AGENT if is_ours else Author.CUSTOMER,
                channel=Channel.CHAT,
                queue=self._spot(contact, told).queue,
            )

    def _left_a_message(self, told: Object) -> None:
        """Nobody was there: the visitor left a mail. What becomes of it, the mailbox tells."""
        at_ms = needed_instant(told.get("sentAt") or told.get("createdAt"), "sentAt")
        customer = self._customer(told)
        name = digest(f"{customer}/{at_ms}".encode())
        contact = contact_name(self._source, f"offline/{name}")
        self._facts.created(contact, at_ms, channel=Channel.EMAIL, customer=customer)

    def _contact(self, told: Object) -> str:
        return contact_name(self._source, needed(told.get("_id"), "_id"))

    def _spot(self, contact: str, told: Object) -> Spot:
        return self._named(contact, _department(told, "departmentId", "department") or NO_DEPARTMENT)

    def _named(self, contact: str, department: str) -> Spot:
        return Spot(contact, f"{contact}/{department}", our_queue(self._source, department))

    def _customer(self, told: Object) -> str | None:
        """Numbers and addresses are a text in old versions, a list of objects since."""
        visitor = table(told.get("visitor"))
        for name, inside in (("phone", "phoneNumber"), ("email", "address"), ("token", "")):
            found = visitor.get(name)
            if isinstance(found, list):
                found = table(found[0]).get(inside) if found else None
            if (who := text(found)) is not None:
                return self._pseudonyms.of(who)
        return None


def _department(told: Object, *names: str) -> str | None:
    """Its id; in the older payloads it is the visitor's."""
    found = [told.get(name) for name in names]
    if names[0] == "departmentId":
        found.append(at(told, "visitor", "department"))
    texts = (text(table(each).get("_id")) if isinstance(each, dict) else text(each) for each in found)
    return next((each for each in texts if each is not None), None)


def _agent(told: object) -> str | None:
    """The user's name is what people are called by there, unless it is an address."""
    agent = table(told)
    name = text(agent.get("username"))
    return name if name is not None and "@" not in name else text(agent.get("_id"))
