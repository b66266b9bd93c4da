"""Looks into a shared mailbox every few seconds, for as long as it takes.

What has to survive a restart is kept in a mark, written once the log has what it tells. A crash in between
tells it again, and ids make that harmless; without the mark, the inbox is read as it is, and what was
closed meanwhile ends by silence.
"""

import asyncio
import random
from datetime import UTC, date, datetime

from schemas.config import SourceConfig
from services.ingest.adapters.imap.session import Session
from services.ingest.adapters.imap.translate import Mailbox
from services.ingest.handover import messages_of, store
from services.ingest.line import Patience, keep, until_stopped
from services.ingest.marks import Mark
from services.ingest.tools import Tools

INBOX = "INBOX"
POLL_S = 15.0
BACKFILL_S = 30 * 86_400.0
"""How far back answers and closed messages are looked at when nothing is remembered."""


async def run(source: SourceConfig, tools: Tools, *, patience: Patience | None = None) -> None:
    """Looks into the mailbox until told to stop."""
    looker = _Looker(source, tools)
    work = keep(looker.talk, report=tools.report, patience=patience or Patience())
    await until_stopped(work, report=tools.report, stop=tools.stop)


class _Looker:
    """What is known of the mailbox over all connections. `_seen`: messages by mailbox that were read."""

    def __init__(self, source: SourceConfig, tools: Tools) -> None:
        self._source = source
        self._tools = tools
        self._mark = Mark(tools.folder, source.id)
        self._mailbox = Mailbox(source, tools.pseudonyms)
        self._mailbox.remember(self._mark.read())
        self._seen: dict[str, set[int]] = {}
        self._validity: dict[str, int] = {}
        self._closed: dict[str, set[str]] = {}

    async def talk(self) -> None:
        """One connection. Raises `Lost`."""
        session = await asyncio.to_thread(Session, self._source, self._tools.secret)
        try:
            while True:
                await asyncio.to_thread(self._look, session)
                await self._tell()
                self._tools.report.up()
                await asyncio.sleep(self._pause_s())
        finally:
            await asyncio.to_thread(session.close)

    def _pause_s(self) -> float:
        """Not all at one instant, where several look into one server."""
        every_s = self._source.poll_s or POLL_S
        return every_s * (0.9 + 0.2 * random.random())

    def _look(self, session: Session) -> None:
        """The inbox first: what leaves it meanwhile is in the other mailboxes by the time they are read."""
        now_ms = self._tools.clock()
        inbox = self._source.mailbox or INBOX
        sent = session.sent_mailbox()
        self._open(session, inbox)
        present = session.uids()
        self._mailbox.inbox(session.letters(self._unseen(inbox, present)), now_ms)
        answered = session.uids(flag="ANSWERED")
        if sent is not None:
            self._open(session, sent)
            self._mailbox.sent(session.letters(self._unseen(sent, session.uids(since=self._since()))), now_ms)
        closed = [self._read_closed(session, name) for name in self._source.closed_mailboxes]
        keys = frozenset().union(*closed) if closed else None
        self._mailbox.rest(present=present, answered=answered, closed=keys, now_ms=now_ms)

    def _read_closed(self, session: Session, name: str) -> set[str]:
        self._open(session, name)
        new = session.letters(self._unseen(name, session.uids(since=self._since())))
        keys = self._closed.setdefault(name, set())
        keys.update(letter.key for letter in new)
        return keys

    def _open(self, session: Session, name: str) -> None:
        validity = session.open(name)
        if self._validity.setdefault(name, validity) != validity:
            self._validity[name] = validity
            self._seen.pop(name, None)
            if name == (self._source.mailbox or INBOX):
                self._mailbox.renumber()

    def _unseen(self, name: str, uids: list[int]) -> list[int]:
        """Those that were not read yet; from now on they are. What is gone is forgotten."""
        seen = self._seen.get(name, set())
        self._seen[name] = set(uids)
        return [uid for uid in uids if uid not in seen]

    def _since(self) -> date:
        back_s = self._source.backfill_s if self._source.backfill_s is not None else BACKFILL_S
        return datetime.fromtimestamp(self._tools.clock() / 1000 - back_s, UTC).date()

    async def _tell(self) -> None:
        """In the log, however long that is away; then the mark is set."""
        tools = self._tools
        told = self._mailbox.take(tools.clock())
        messages = messages_of(told, report=tools.report, now_ms=tools.clock())
        await store(messages, send=tools.send, report=tools.report)
        if not tools.is_trial:
            await asyncio.to_thread(self._mark.write, self._mailbox.memory())
