"""Who looks at the board, and what each was last sent: changed rows out, once encoded, to many.

What waits for one client, and the frames made of it: `client.py`. Only `run` waits.

`seq` of a frame: whoever has applied it holds everything up to that version of the board. Rows that
were applied but are held back (at most one per key every 100 ms) are not promised before they leave.
"""

import asyncio
import itertools
from collections.abc import Callable, Sequence

from schemas.board import Alert
from services.api import wire
from services.api.board import Board, Key, View
from services.api.client import MAX_ALERTS, Batch, Client
from services.api.history import History, Left

ROW_PACE_MS = 100
"""A row leaves at most this often, unless `waiting` or its freshness changed."""
HEARTBEAT_MS = 1000
LOOK_MS = 250
"""How often rows are looked at for what time alone has changed."""
SNAPSHOT_SHARED_MS = 250
"""Readers who arrive within this time share one snapshot, while nothing has changed."""
WOKEN_AT_ONCE = 50
"""Clients that write in one turn of the event loop."""
STALLED_MS = 5000
"""A client that takes no bytes for this long is closed with 4008."""


class Hub:
    """Hands the board's changes to its clients. `epoch` names this run of the api."""

    def __init__(
        self,
        board: Board,
        *,
        epoch: str,
        clock: Callable[[], int],
        on_sent: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self.board = board
        self.epoch = epoch
        self.clock = clock
        self.dropped = 0
        self.stalled = 0
        self._on_sent = on_sent
        self._clients: dict[View, set[Client]] = {}
        self._left_ms: dict[Key, int] = {}
        self._texts: dict[Key, str] = {}
        self._standings: dict[Key, tuple[object, ...]] = {}
        self._told_ms: dict[Key, int | None] = {}
        self._snapshots: dict[View, tuple[int, int, str]] = {}
        self._history = History()
        self._wake = asyncio.Event()
        self._called: dict[Client, None] = {}
        self._looked_ms = self._beat_ms = 0

    @property
    def clients(self) -> int:
        return sum(len(clients) for clients in self._clients.values())

    @property
    def seq(self) -> int:
        """Up to which version of the board everything has left for the mailboxes."""
        board = self.board  # both are in the order of their versions
        held = next(iter(board.changed.values())).since if board.changed else board.seq + 1
        return min(held, board.alerted[0][0] if board.alerted else held) - 1

    def join(self, view: View) -> Client:
        """A new client; its first frame is a snapshot."""
        client = Client(self, view)
        self._clients.setdefault(view, set()).add(client)
        return client

    def resume(self, client: Client, epoch: str | None, seq: int | None) -> None:
        """The client holds this version: it gets what it missed since, or else the whole board."""
        missed = None
        if epoch == self.epoch and seq is not None and 0 <= seq <= self.board.seq:
            missed = self._history.missed(seq, client.view, self.clock())
        if seq is None or missed is None or len(missed.alerts) > MAX_ALERTS:
            client.post_not_recovered()
        else:
            client.post_missed(missed, seq)

    def leave(self, client: Client) -> None:
        """The client gets nothing more. May be called twice."""
        clients = self._clients.get(client.view, set())
        clients.discard(client)
        self._called.pop(client, None)
        if not clients:
            self._clients.pop(client.view, None)
            self._snapshots.pop(client.view, None)

    def sent(self, told_ms: int | None) -> None:
        """Frames that tell of an event of that instant have been sent; None: of nothing new."""
        if told_ms is not None:
            self._on_sent(max(0, self.clock() - told_ms) / 1000)

    def wake(self) -> None:
        """Something was applied to the board: look at it soon."""
        self._wake.set()

    def call(self, client: Client) -> None:
        """There is something for this client; `run` wakes its writer."""
        self._called[client] = None
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Releases what is due until `stop`; the clients are then closed by the web server."""
        while not stop.is_set():
            now_ms = self.clock()
            self.step(now_ms)
            self._wake.clear()
            await self._wake_writers()
            try:
                async with asyncio.timeout(max(0.005, (self.due_ms(now_ms) - now_ms) / 1000)):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _wake_writers(self) -> None:
        """A few at a time: the event loop keeps what they write until its next turn, all of it at once."""
        while self._called:
            for client in list(itertools.islice(self._called, WOKEN_AT_ONCE)):
                del self._called[client]
                client.wake()
            await asyncio.sleep(0)

    def step(self, now_ms: int) -> None:
        """Everything that is due at `now_ms`."""
        if now_ms - self._looked_ms >= LOOK_MS or now_ms < self._looked_ms:
            self._looked_ms = now_ms
            self._look(now_ms)
        self.release(now_ms)
        if now_ms - self._beat_ms >= HEARTBEAT_MS or now_ms < self._beat_ms:
            self._beat_ms = now_ms
            self._beat(now_ms)

    def due_ms(self, now_ms: int) -> int:
        """When `step` has something to do again, if nothing is applied before."""
        held = [self._left_ms.get(key, 0) + ROW_PACE_MS for key in self.board.changed]
        return min(self._looked_ms + LOOK_MS, self._beat_ms + HEARTBEAT_MS, *held)

    def release(self, now_ms: int) -> None:
        """Puts the alerts and the rows that may leave into the mailboxes of those who look at them."""
        alerts = tuple((alert, wire.alert_text(alert)) for _, alert in self.board.alerted)
        for alert, text in alerts:
            self._share_alert(alert, text)
        self.board.alerted.clear()
        keys = [
            key for key, change in self.board.changed.items() if change.urgent or self._may_leave(key, now_ms)
        ]
        if keys:
            self._share(keys, self._write(keys, now_ms), now_ms)
        if keys or alerts:
            is_sayable = not self._gone_sites(keys)
            self._history.add(Left(self.board.seq, now_ms, tuple(keys), alerts, is_sayable))

    def body(self, keys: Sequence[Key], now_ms: int) -> str:
        """The body of an update with the newest rows of `keys`, from texts written when they left."""
        queues = [self._texts[key] for key in keys if key[0] == "queue" and key in self._texts]
        sites = [self._texts[key] for key in keys if key[0] == "site" and key in self._texts]
        removed = [(key[1], key[2]) for key in keys if key[0] == "queue" and key not in self._texts]
        return wire.update_body(queues, sites, removed, now_ms)

    def snapshot(self, view: View, now_ms: int) -> str:
        """The body of a snapshot; shared by those who ask at about the same time."""
        seq = self.seq
        known = self._snapshots.get(view)
        if known is not None and known[0] == seq and now_ms - known[1] < SNAPSHOT_SHARED_MS:
            return known[2]
        body = wire.snapshot_body(self.board, view, now_ms)
        self._snapshots[view] = (seq, now_ms, body)
        return body

    def _look(self, now_ms: int) -> None:
        """Finds the rows that left saying what time alone has made untrue."""
        for key, said in self._standings.items():
            if self.board.standing(key, now_ms) != said:
                self.board.note(key, urgent=True)

    def _may_leave(self, key: Key, now_ms: int) -> bool:
        return not 0 <= now_ms - self._left_ms.get(key, 0) < ROW_PACE_MS

    def _write(self, keys: list[Key], now_ms: int) -> dict[Key, int]:
        """Writes the rows of `keys` once; a row that is gone has no text. Returns what is news in them:
        the instant of the event that each tells of for the first time."""
        news = {}
        for key in keys:
            del self.board.changed[key]
            self._left_ms[key] = now_ms
            text = self._text(key, now_ms)
            if text is not None:
                self._texts[key] = text
                self._standings[key] = self.board.standing(key, now_ms)
                told_ms = self._newly_told_ms(key)
                if told_ms is not None:
                    news[key] = told_ms
            else:
                for known in (self._texts, self._standings, self._left_ms, self._told_ms):
                    known.pop(key, None)
        return news

    def _newly_told_ms(self, key: Key) -> int | None:
        """When that occurred which a queue's row tells for the first time. What the first row of a queue
        tells was told before we were there."""
        if key[0] != "queue":
            return None
        told_ms = self.board.queues[key[1], key[2]].told_ms
        is_news = told_ms is not None and key in self._told_ms and told_ms > (self._told_ms[key] or 0)
        self._told_ms[key] = told_ms
        return told_ms if is_news else None

    def _text(self, key: Key, now_ms: int) -> str | None:
        if key[0] == "site":
            return wire.site_text(self.board, key[1], now_ms) if self.board.has_site(key[1]) else None
        row = self.board.queues.get((key[1], key[2]))
        return None if row is None else wire.queue_text(self.board, row, now_ms)

    def _share_alert(self, alert: Alert, text: str) -> None:
        for view, clients in self._clients.items():
            if view.shows(alert.site, alert.queue):
                for client in clients:
                    client.post_alert(text)

    def _share(self, keys: list[Key], news: dict[Key, int], now_ms: int) -> None:
        gone = self._gone_sites(keys)
        for view, clients in self._clients.items():
            seen = tuple(key for key in keys if view.shows_key(key))
            if any(view.shows_site(site) for site in gone):
                for client in clients:
                    client.post_snapshot()
            elif seen:
                told = min((news[key] for key in seen if key in news), default=None)
                batch = Batch(seen, self.body(seen, now_ms), told)
                for client in clients:
                    client.post(batch)

    def _gone_sites(self, keys: list[Key]) -> list[str]:
        """An update has no word for a site that is no more: who showed it needs a snapshot."""
        return [key[1] for key in keys if key[0] == "site" and key not in self._texts]

    def _beat(self, now_ms: int) -> None:
        everybody = [client for clients in self._clients.values() for client in clients]
        for client in everybody:
            if client.sending_since_ms is not None and now_ms - client.sending_since_ms > STALLED_MS:
                self._give_up(client)
            else:
                client.post_beat()

    def _give_up(self, client: Client) -> None:
        """Ends the send it hangs in; its connection then closes it with 4008 (live.py)."""
        client.stalled = True
        self.stalled += 1
        self.leave(client)
        if client.writer is not None:
            client.writer.cancel()
