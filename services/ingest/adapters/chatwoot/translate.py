"""Chatwoot's webhooks → our events. Pure. Table: docs/sources/chatwoot.md.

A conversation is a contact; what begins with its being open is a visit to the queue of its inbox. The
first answer of a human ends the wait: Chatwoot says so when `first_reply_created_at` comes to be, later
(after the conversation was opened again) when `waiting_since` goes. Each webhook is translated by itself,
but for conversations that were opened again: which visit they are in is remembered (`Reopened`).
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping

from msgspec import Struct

from schemas.config import SourceConfig
from schemas.errors import InvalidMessage
from schemas.events import AgentAccepted, AnyEvent, ContactEnded, QueueEntered
from schemas.vocabulary import LIVE_CHANNELS, Author, Channel, OfferEnd, Outcome, Reason, TransferKind
from services.ingest.facts import Facts, Spot
from services.ingest.fields import Object, at, instant, needed, needed_instant, table, text
from services.ingest.names import contact_name
from services.ingest.translated import Pseudonyms, Spoiled, Translated, type_name

MAX_REOPENED = 20_000
"""Conversations that were opened again and are not over: the one heard of longest ago is forgotten first."""

FIRST = "first"
CHANNELS = {
    "Channel::Sms": Channel.SMS,
    "Channel::TwilioSms": Channel.SMS,
    "Channel::Email": Channel.EMAIL,
    "Channel::FacebookPage": Channel.SOCIAL,
    "Channel::Instagram": Channel.SOCIAL,
    "Channel::TwitterProfile": Channel.SOCIAL,
    "Channel::Tiktok": Channel.SOCIAL,
}
"""Any other is a chat."""

OF_NO_USE = frozenset(
    """contact_created contact_updated inbox_created inbox_updated webwidget_triggered conversation_typing_on
    conversation_typing_off conversation_read conversation_contact_changed""".split()  # noqa: SIM905 - reads better
)


class Cycle(Struct):
    """A visit of a conversation that was opened again."""

    segment: str
    is_answered: bool = False


class Translator:
    """One account's webhooks, in any order."""

    def __init__(self, source: SourceConfig, pseudonyms: Pseudonyms) -> None:
        self._source = source
        self._pseudonyms = pseudonyms
        self._facts = Facts(source)
        self._reopened: OrderedDict[str, Cycle] = OrderedDict()
        self._handlers: Mapping[str, Callable[[Object], Reason | None]] = {
            "conversation_created": self._created,
            "conversation_updated": self._updated,
            "conversation_status_changed": self._status_changed,
            "message_created": self._message,
            "message_updated": self._answered_survey,
        }

    def take(self, body: bytes, now_ms: int) -> Translated:
        """What a webhook tells. Raises `InvalidMessage`: it is nothing that Chatwoot sends."""
        try:
            told = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise InvalidMessage("body: no JSON") from error
        event = type_name(table(told).get("event"))
        found = Translated()
        handler = self._handlers.get(event)
        if handler is None:
            if event in OF_NO_USE:
                found.types[event] += 1
                found.dropped[Reason.NOT_AN_EVENT] += 1
            else:
                found.unknown[event] += 1
            return found
        found.types[event] += 1
        self._facts.received_ms = now_ms
        try:
            dropped = handler(told)
        except InvalidMessage as error:
            self._facts.take()
            found.spoiled.append(Spoiled.of(body, f"{event}: {error.detail}"))
            return found
        found.events = self._facts.take()
        if dropped is not None:
            found.dropped[dropped] += 1
        return found

    def recall(self, event: AnyEvent) -> None:
        """What was told before: visits that were opened again and are not over."""
        if isinstance(event, QueueEntered) and event.segment != f"{event.contact}/{FIRST}":
            self._remember(event.contact, Cycle(event.segment or ""))
        elif isinstance(event, AgentAccepted) and event.contact in self._reopened:
            cycle = self._reopened[event.contact]
            cycle.is_answered = cycle.is_answered or cycle.segment == event.segment
        elif isinstance(event, ContactEnded):
            self._reopened.pop(event.contact, None)

    # --- conversations ---

    def _created(self, told: Object) -> Reason | None:
        contact, channel = self._contact(told), _channel(told)
        at_ms = needed_instant(told.get("created_at"), "created_at")
        self._facts.created(contact, at_ms, channel=channel, customer=self._customer(told))
        if told.get("status") == "open":
            self._facts.entered(self._first(contact, told), at_ms, channel=channel)
            agent = _agent(at(told, "meta", "assignee"))
            if agent is not None:
                self._facts.offered(self._first(contact, told), at_ms, agent=agent, attempt=agent)
        return None

    def _status_changed(self, told: Object) -> Reason | None:
        contact, channel = self._contact(told), _channel(told)
        before, now = _change(told, "status")
        status = text(told.get("status")) or text(now)
        at_ms = needed_instant(told.get("updated_at"), "updated_at")
        if status == "resolved":
            self._resolve(contact, told, at_ms)
        elif status == "open" and before == "pending":
            self._facts.entered(self._first(contact, told), at_ms, channel=channel)
        elif status == "open" and before == "resolved":
            cycle = Cycle(f"{contact}/{at_ms}")
            self._remember(contact, cycle)
            self._facts.entered(self._spot(contact, told, cycle.segment), at_ms, channel=channel)
        else:
            return Reason.NOT_AN_EVENT
        return None

    def _resolve(self, contact: str, told: Object, at_ms: int) -> None:
        """Nobody has answered what is waited for: abandoned where people wait in person, else closed.

        An answer that was told, whenever, beats both. Who closed it, Chatwoot does not say.
        """
        cycle = self._reopened.pop(contact, None)
        spot = self._spot(contact, told, cycle.segment if cycle is not None else f"{contact}/{FIRST}")
        is_open = instant(told.get("waiting_since")) is not None
        if instant(told.get("first_reply_created_at")) is None or (is_open and cycle is not None):
            is_live = _channel(told) in LIVE_CHANNELS
            self._facts.left(spot, at_ms, outcome=Outcome.ABANDONED if is_live else Outcome.CLOSED)
        self._facts.talk_ended(spot, at_ms, agent=None)
        self._facts.wrap_end(spot, at_ms, agent=None)
        self._facts.ended(contact, at_ms, key=at_ms)

    def _updated(self, told: Object) -> Reason | None:
        contact = self._contact(told)
        at_ms = needed_instant(told.get("updated_at"), "updated_at")
        cycle = self._reopened.get(contact)
        first_before, first_now = _change(told, "first_reply_created_at")
        waiting_before, waiting_now = _change(told, "waiting_since")
        is_first = first_before is None and instant(first_now) is not None
        is_again = cycle is not None and not cycle.is_answered and bool(waiting_before) and not waiting_now
        if is_first:
            self._answer(contact, told, instant(first_now) or at_ms, cycle)
        elif is_again:
            self._answer(contact, told, at_ms, cycle)
        before, now = _change(told, "assignee_id")
        if before == now:
            return None if is_first or is_again else Reason.NOT_AN_EVENT
        self._assign(contact, told, at_ms, before=_named(before), now=_named(now))
        return None

    def _answer(self, contact: str, told: Object, at_ms: int, cycle: Cycle | None) -> None:
        """The first answer of a human; by whom it is assigned to, for the event does not name the writer."""
        segment = f"{contact}/{FIRST}"
        if cycle is not None:
            cycle.is_answered, segment = True, cycle.segment
        agent = _agent(at(told, "meta", "assignee"))
        spot = self._spot(contact, told, segment)
        self._facts.left(spot, at_ms, outcome=Outcome.ANSWERED, agent=agent)
        if agent is not None:
            self._facts.accepted(spot, at_ms, agent=agent)

    def _assign(self, contact: str, told: Object, at_ms: int, *, before: str | None, now: str | None) -> None:
        """Given to somebody: offered, until he answers; given on by who has answered: a transfer."""
        cycle = self._reopened.get(contact)
        spot = self._spot(contact, told, cycle.segment if cycle is not None else f"{contact}/{FIRST}")
        is_answered = (
            cycle.is_answered
            if cycle is not None
            else instant(told.get("first_reply_created_at")) is not None
        )
        if is_answered and before is not None and now is not None:
            self._facts.transfer(contact, at_ms, kind=TransferKind.BLIND, from_queue=spot.queue)
            self._facts.talk_ended(spot, at_ms, agent=before, key=f"{before}/{at_ms}")
            self._facts.wrap_end(spot, at_ms, agent=before, key=f"{before}/{at_ms}")
            self._facts.accepted(spot, at_ms, agent=now, key=f"{now}/{at_ms}")
        elif not is_answered:
            if before is not None:
                self._facts.offer_ended(
                    spot, at_ms, agent=before, attempt=f"{before}/{at_ms}", reason=OfferEnd.CANCELLED
                )
            if now is not None:
                self._facts.offered(spot, at_ms, agent=now, attempt=f"{now}/{at_ms}")

    # --- messages ---

    def _message(self, told: Object) -> Reason | None:
        """Of a customer, an agent or a bot; activities, templates and private notes are none."""
        kind = told.get("message_type")
        is_in, is_out = kind in (0, "incoming"), kind in (1, "outgoing")
        if told.get("private") is True or not (is_in or is_out):
            return Reason.NOT_AN_EVENT
        conversation = table(told.get("conversation"))
        contact = self._contact({**conversation, "account": told.get("account")})
        author = Author.CUSTOMER if is_in else _author(told)
        self._facts.message(
            contact,
            needed_instant(told.get("created_at"), "created_at"),
            key=needed(told.get("id"), "id"),
            author=author,
            channel=_channel(conversation),
            queue=self._queue(conversation),
            agent=_agent(told.get("sender")) if author is Author.AGENT else None,
        )
        return None

    def _answered_survey(self, told: Object) -> Reason | None:
        answer = table(at(told, "content_attributes", "submitted_values", "csat_survey_response"))
        rating = answer.get("rating")
        if told.get("content_type") != "input_csat" or not isinstance(rating, int | float):
            return Reason.NOT_AN_EVENT
        conversation = table(told.get("conversation"))
        contact = self._contact({**conversation, "account": told.get("account")})
        at_ms = instant(told.get("updated_at")) or needed_instant(told.get("created_at"), "created_at")
        self._facts.survey(
            contact,
            at_ms,
            key=needed(told.get("id"), "id"),
            score=float(rating),
            programme="csat",
            scale="1-5",
            queue=self._queue(conversation),
        )
        return None

    # --- names ---

    def _contact(self, told: Object) -> str:
        """A conversation's number counts within its account; older payloads name that in a message only."""
        messages = told.get("messages")
        first = table(messages[0]) if isinstance(messages, list) and messages else {}
        account = (
            text(at(told, "account", "id")) or text(told.get("account_id")) or text(first.get("account_id"))
        )
        number = needed(told.get("id"), "id")
        return contact_name(self._source, f"{account or '?'}/{number}")

    def _queue(self, told: Object) -> str | None:
        inbox = text(told.get("inbox_id"))
        return None if inbox is None else self._source.map.get(inbox, f"inbox-{inbox}")

    def _first(self, contact: str, told: Object) -> Spot:
        return self._spot(contact, told, f"{contact}/{FIRST}")

    def _spot(self, contact: str, told: Object, segment: str) -> Spot:
        return Spot(contact, segment, needed(self._queue(told), "inbox_id"))

    def _customer(self, told: Object) -> str | None:
        sender = table(at(told, "meta", "sender"))
        known = (text(sender.get(name)) for name in ("phone_number", "email", "identifier"))
        who = next((each for each in known if each is not None), None)
        return self._pseudonyms.of(who) if who is not None else None

    def _remember(self, contact: str, cycle: Cycle) -> None:
        self._reopened[contact] = cycle
        self._reopened.move_to_end(contact)
        while len(self._reopened) > MAX_REOPENED:
            self._reopened.popitem(last=False)


def _channel(told: Object) -> Channel:
    return CHANNELS.get(str(told.get("channel")), Channel.CHAT)


def _change(told: Object, name: str) -> tuple[object, object]:
    """(before, now) of an attribute; twice None where it has not changed."""
    changes = told.get("changed_attributes")
    for change in changes if isinstance(changes, list) else ():
        if name in table(change):
            found = table(table(change)[name])
            return found.get("previous_value"), found.get("current_value")
    return None, None


def _agent(told: object) -> str | None:
    return _named(table(told).get("id"))


def _named(number: object) -> str | None:
    """An agent by his number: names are for people, and change."""
    found = text(number)
    return None if found is None else f"agent-{found}"


def _author(told: Object) -> Author:
    """Whoever is no user of Chatwoot (a bot, an automation) is no human."""
    is_user = text(at(told, "sender", "type")) == "user"
    is_automatic = at(told, "content_attributes", "automation_rule_id") is not None
    return Author.AGENT if is_user and not is_automatic else Author.BOT
