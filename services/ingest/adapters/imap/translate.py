"""A shared mailbox over time → our events. Pure: somebody else looks into it and says what is there.

A thread is a contact. Its first message of a customer in the inbox enters the queue; the first answer of
one of ours, in the sent mailbox or in the inbox, takes it; when none of its messages is in the inbox any
more, it is closed. A message of a customer in a thread that was closed opens it again: another visit of
the same contact. IMAP does not tell when something was moved or flagged: such instants are those at which
it was seen, and the facts are marked as inferred.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable

import msgspec
from msgspec import Struct

from schemas.config import SourceConfig
from schemas.vocabulary import Author, Channel, Outcome, Reason
from services.ingest.adapters.imap.letters import Letter
from services.ingest.facts import Facts, Spot
from services.ingest.names import contact_name
from services.ingest.translated import Pseudonyms, Translated

MAX_THREADS = 20_000
"""Remembered at the most, open ones included; the one heard of longest ago is forgotten first."""
MAX_KEYS = 100_000
"""Messages of which the thread is remembered."""


class Thread(Struct):
    """One thread. `segment` names its last visit; `uids`: its messages of customers in the inbox.

    `flagged_ms`: since when one of them is flagged as answered, and no answer has been seen.
    """

    contact: str
    segment: str
    entered_ms: int
    uids: set[int] = set()
    is_answered: bool = False
    is_open: bool = True
    flagged_ms: int | None = None


class Memory(Struct):
    """What has to survive a restart. `threads` by name, `keys`: thread by message."""

    threads: dict[str, Thread] = {}
    keys: dict[str, str] = {}


class Mailbox:
    """One mailbox. Each look: `inbox`, then `sent`, then `rest`; all give into one `Translated` (`take`)."""

    def __init__(self, source: SourceConfig, pseudonyms: Pseudonyms) -> None:
        self._source = source
        self._pseudonyms = pseudonyms
        self._facts = Facts(source, precision_ms=1000)  # IMAP knows no parts of a second
        self._queue = source.queue or source.mailbox or source.id
        self._channel = source.channel or Channel.EMAIL
        self._threads: OrderedDict[str, Thread] = OrderedDict()
        self._keys: OrderedDict[str, str] = OrderedDict()
        self._told = Translated()

    def remember(self, text: str | None) -> None:
        """Takes up what `memory` gave before the restart; what cannot be read is as nothing."""
        if text is None:
            return
        try:
            memory = msgspec.json.decode(text, type=Memory)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return
        self._threads, self._keys = OrderedDict(memory.threads), OrderedDict(memory.keys)

    def memory(self) -> str:
        return msgspec.json.encode(Memory(dict(self._threads), dict(self._keys))).decode()

    def open_uids(self) -> set[int]:
        """Messages that were in the inbox when it was last looked into."""
        return {uid for thread in self._threads.values() if thread.is_open for uid in thread.uids}

    def renumber(self) -> None:
        """The mailbox numbers its messages anew (UIDVALIDITY): the inbox has to be read again."""
        for thread in self._threads.values():
            thread.uids.clear()

    def take(self, now_ms: int) -> Translated:
        """What was told since the last time, in the order in which it happened, and the heartbeat."""
        self._facts.received_ms = now_ms
        events = sorted(self._facts.take(), key=lambda event: event.occurred_ms)
        self._facts.heartbeat(None)
        self._told.events += [*events, *self._facts.take()]
        told, self._told = self._told, Translated()
        return told

    def inbox(self, letters: Iterable[Letter], now_ms: int) -> None:
        """Messages that are new in the inbox."""
        self._facts.received_ms = now_ms
        for letter in sorted(letters, key=lambda each: (each.at_ms, each.uid)):
            if letter.is_ours:
                self._answer(letter)
            elif letter.is_automatic:
                self._told.dropped[Reason.AUTOMATIC] += 1
            else:
                self._told.types["message"] += 1
                self._arrive(letter)

    def sent(self, letters: Iterable[Letter], now_ms: int) -> None:
        """Messages that are new in the sent mailbox."""
        self._facts.received_ms = now_ms
        for letter in sorted(letters, key=lambda each: (each.at_ms, each.uid)):
            self._answer(letter)

    def rest(
        self,
        *,
        present: Collection[int],
        answered: Collection[int],
        closed: Collection[str] | None,
        now_ms: int,
    ) -> None:
        """What the inbox still holds, and which of it is flagged as answered.

        `closed`: keys of the messages in the mailboxes for what is done; None: whatever has left the inbox.
        """
        self._facts.received_ms = now_ms
        here, flagged = set(present), set(answered)
        for thread in list(self._threads.values()):
            if not thread.is_open:
                continue
            if thread.uids & flagged and not thread.is_answered:
                self._flag(thread, now_ms)
            thread.uids &= here
            if not thread.uids:
                self._close(thread, closed, now_ms)

    def _arrive(self, letter: Letter) -> None:
        """A message of a customer: of a thread that is known, opened again, or new."""
        name = self._name_of(letter)
        contact = contact_name(self._source, name)
        thread = self._threads.get(name)
        is_known = thread is not None
        if thread is None or not thread.is_open:
            thread = Thread(contact, f"{contact}/{letter.key}", letter.at_ms)
            if not is_known:
                self._facts.created(
                    contact, letter.at_ms, channel=self._channel, customer=self._customer(letter)
                )
            self._facts.entered(self._spot(thread), letter.at_ms, channel=self._channel)
        thread.uids.add(letter.uid)
        self._keep(name, thread, letter)
        self._facts.message(
            contact,
            letter.at_ms,
            key=letter.key,
            author=Author.CUSTOMER,
            channel=self._channel,
            queue=self._queue,
        )

    def _answer(self, letter: Letter) -> None:
        """A message of ours. One to a thread that nobody of a customer began is no contact."""
        name = self._name_of(letter)
        thread = self._threads.get(name)
        if thread is None:
            self._told.dropped[Reason.NOT_AN_EVENT] += 1
            return
        self._told.types["answer"] += 1
        self._keep(name, thread, letter)
        self._facts.message(
            thread.contact,
            letter.at_ms,
            key=letter.key,
            author=Author.BOT if letter.is_automatic else Author.AGENT,
            channel=self._channel,
            queue=self._queue,
        )
        if not letter.is_automatic and letter.at_ms >= thread.entered_ms and not thread.is_answered:
            thread.is_answered, thread.flagged_ms = True, None
            self._facts.left(self._spot(thread), letter.at_ms, outcome=Outcome.ANSWERED)

    def _flag(self, thread: Thread, now_ms: int) -> None:
        """Flagged as answered, perhaps from elsewhere. The answer may yet be seen: one look is waited for."""
        if thread.flagged_ms is None:
            thread.flagged_ms = now_ms
            return
        thread.is_answered = True
        at_ms = max(thread.flagged_ms, thread.entered_ms)
        self._facts.left(self._spot(thread), at_ms, outcome=Outcome.ANSWERED, inferred=True)

    def _close(self, thread: Thread, closed: Collection[str] | None, now_ms: int) -> None:
        thread.is_open = False
        at_ms = max(now_ms, thread.entered_ms)
        spot = self._spot(thread)
        if thread.is_answered:
            self._facts.talk_ended(spot, at_ms, agent=None, inferred=True)
        else:
            is_done = closed is None or any(self._is_of(key, thread) for key in closed)
            outcome = Outcome.CLOSED if is_done else Outcome.UNKNOWN
            self._facts.left(spot, at_ms, outcome=outcome, inferred=True)
        self._facts.ended(thread.contact, at_ms, key=thread.segment.rpartition("/")[2], inferred=True)

    def _is_of(self, key: str, thread: Thread) -> bool:
        name = self._keys.get(key)
        return name is not None and self._threads.get(name) is thread

    def _name_of(self, letter: Letter) -> str:
        """The thread: that of a message which it names, the nearest first; else of the oldest it names."""
        known = (self._keys[key] for key in reversed(letter.names) if key in self._keys)
        return next(known, letter.thread)

    def _keep(self, name: str, thread: Thread, letter: Letter) -> None:
        self._threads[name] = thread
        self._threads.move_to_end(name)
        self._keys[letter.key] = name
        self._keys.move_to_end(letter.key)
        while len(self._threads) > MAX_THREADS:
            self._threads.popitem(last=False)
        while len(self._keys) > MAX_KEYS:
            self._keys.popitem(last=False)

    def _customer(self, letter: Letter) -> str | None:
        return self._pseudonyms.of(letter.sender) if letter.sender else None

    def _spot(self, thread: Thread) -> Spot:
        return Spot(thread.contact, thread.segment, self._queue)
