"""Who looks at the board, and what each was last sent: changed rows out, once encoded, to many.

A client's mailbox holds keys, not frames: what it has not been sent yet is overtaken by newer rows,
so a slow reader costs nobody else anything and gets no hole (SEMANTICS.md §9). Only `run` waits.

`seq` of a frame: whoever has applied it holds everything up to that version of the board. Rows that
were applied but are held back (at most one per key every 100 ms) are not promised before they leave.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Sequence

from schemas.board import Alert
from services.api import wire
from services.api.board import Board, Key, View

ROW_PACE_MS = 100
"""A row leaves at most this often, unless `waiting` or its freshness changed."""
HEARTBEAT_MS = 1000
LOOK_MS = 250
"""How often rows are looked at for what time alone has changed."""
SNAPSHOT_SHARED_MS = 250
"""Readers who arrive within this time share one snapshot, while nothing has changed."""
WOKEN_AT_ONCE = 50
"""Clients that write in one turn of the event loop."""
MAX_ALERTS = 200
"""Alerts that may wait for one client; with more it gets a snapshot instead."""
STALLED_MS = 5000
"""A client that takes no bytes for this long is closed with 4008."""


class Batch:
    """The rows that left together for one view, written once for all its readers."""

    __slots__ = ("body", "keys")

    def __init__(self, keys: tuple[Key, ...], body: str) -> None:
        self.keys = keys
        self.body = body


class Client:
    """One connection: what it still has to be sent (newest wins) and the `seq` of its last frame.

    `writer` is the task that sends; `sending_since_ms` says since when it has been in one send.
    """

    __slots__ = (
        "_alerts",
        "_batch",
        "_beat",
        "_hub",
        "_keys",
        "_snapshot",
        "_waiter",
        "prev",
        "sending_since_ms",
        "stalled",
        "view",
        "writer",
    )

    def __init__(self, hub: "Hub", view: View) -> None:
        self._hub = hub
        self.view = view
        self.prev: int | None = None
        self.writer: asyncio.Task[None] | None = None
        self.sending_since_ms: int | None = None
        self.stalled = False
        self._snapshot: str | None = ""
        self._keys: dict[Key, None] | None = None
        self._batch: Batch | None = None
        self._alerts: deque[str] | None = None
        self._beat = False
        self._waiter: asyncio.Future[None] | None = None

    def post(self, batch: Batch) -> None:
        """Newer rows: they take the place of what was not sent yet."""
        if self._batch is None and self._keys is None:
            self._batch = batch
        else:
            self._hub.dropped += 1
            self._merge(batch)
        self._hub.call(self)

    def post_alert(self, text: str) -> None:
        """An alert; when too many wait, a snapshot takes the place of all of them."""
        alerts = self._alerts = deque() if self._alerts is None else self._alerts
        if len(alerts) >= MAX_ALERTS:
            self._hub.dropped += len(alerts)
            alerts.clear()
            self.post_snapshot()
        alerts.append(text)
        self._hub.call(self)

    def post_beat(self) -> None:
        self._beat = True
        self._hub.call(self)

    def post_snapshot(self) -> None:
        """The whole board next, because an update cannot say what happened."""
        self._snapshot = self._snapshot or ""
        self._hub.call(self)

    def post_not_recovered(self) -> None:
        """The whole board next, as the answer to a client that asked for what it missed."""
        self._snapshot = '"recovered":false,'
        self._hub.call(self)

    def take(self, now_ms: int) -> list[str]:
        """The frames to send now, chained by `prev`; afterwards nothing waits."""
        seq = self._hub.seq
        if self._snapshot is not None:
            frames = [self._snapshot_frame(self._snapshot, seq, now_ms)]
        else:
            frames = self._changes(seq, now_ms)
        if self._beat:
            frames.append(self._frame("heartbeat", wire.heartbeat_body(now_ms), seq))
        self._snapshot = self._keys = self._batch = self._alerts = None
        self._beat = False
        return frames

    async def wait(self) -> None:
        """Returns once something waits to be sent."""
        if not self._is_empty():
            return
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _is_empty(self) -> bool:
        nothing = self._snapshot is None and self._keys is None and self._batch is None
        return nothing and not self._alerts and not self._beat

    def wake(self) -> None:
        """Lets its writer go on, if it waits and there is something to send."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _merge(self, batch: Batch) -> None:
        if self._keys is None:
            self._keys = dict.fromkeys(self._batch.keys if self._batch is not None else ())
            self._batch = None
        self._keys.update(dict.fromkeys(batch.keys))

    def _changes(self, seq: int, now_ms: int) -> list[str]:
        """Alerts first. Only the last frame promises `seq`: a client that is cut off between two
        frames asks for what came after the `seq` it holds, and nothing may be missing then."""
        body = self._body(now_ms)
        alerts = list(self._alerts or ())
        before = seq if self.prev is None else self.prev
        frames = []
        for left, text in zip(range(len(alerts) - 1, -1, -1), alerts, strict=True):
            is_last = body is None and left == 0
            frames.append(self._frame("alert", wire.alert_body(text), seq if is_last else before))
        if body is not None:
            frames.append(self._frame("update", body, seq))
        return frames

    def _body(self, now_ms: int) -> str | None:
        if self._batch is not None:
            return self._batch.body
        return None if self._keys is None else self._hub.body(tuple(self._keys), now_ms)

    def _frame(self, kind: str, body: str, seq: int) -> str:
        prev, self.prev = self.prev, seq
        return wire.frame(kind, body, epoch=self._hub.epoch, seq=seq, prev=prev)

    def _snapshot_frame(self, prelude: str, seq: int, now_ms: int) -> str:
        self.prev = seq
        body = prelude + self._hub.snapshot(self.view, now_ms)
        return wire.frame("snapshot", body, epoch=self._hub.epoch, seq=seq, prev=None)


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
        self._as_of_ms: dict[Key, int] = {}
        self._snapshots: dict[View, tuple[int, int, str]] = {}
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

    def leave(self, client: Client) -> None:
        """The client gets nothing more. May be called twice."""
        clients = self._clients.get(client.view, set())
        clients.discard(client)
        self._called.pop(client, None)
        if not clients:
            self._clients.pop(client.view, None)
            self._snapshots.pop(client.view, None)

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
        for _, alert in self.board.alerted:
            self._share_alert(alert)
        self.board.alerted.clear()
        keys = [
            key for key, change in self.board.changed.items() if change.urgent or self._may_leave(key, now_ms)
        ]
        if keys:
            self._write(keys, now_ms)
            self._share(keys, now_ms)

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

    def _write(self, keys: list[Key], now_ms: int) -> None:
        """Writes the rows of `keys` once; a row that is gone has no text."""
        for key in keys:
            del self.board.changed[key]
            self._left_ms[key] = now_ms
            text = self._text(key, now_ms)
            if text is not None:
                self._texts[key] = text
                self._standings[key] = self.board.standing(key, now_ms)
            else:
                for known in (self._texts, self._standings, self._left_ms, self._as_of_ms):
                    known.pop(key, None)

    def _text(self, key: Key, now_ms: int) -> str | None:
        if key[0] == "site":
            return wire.site_text(self.board, key[1], now_ms) if self.board.has_site(key[1]) else None
        row = self.board.queues.get((key[1], key[2]))
        if row is None:
            return None
        if self._clients and self._as_of_ms.get(key) != row.as_of_ms:
            self._as_of_ms[key] = row.as_of_ms
            self._on_sent(max(0, now_ms - row.as_of_ms) / 1000)
        return wire.queue_text(self.board, row, now_ms)

    def _share_alert(self, alert: Alert) -> None:
        text = wire.alert_text(alert)
        for view, clients in self._clients.items():
            if view.shows(alert.site, alert.queue):
                for client in clients:
                    client.post_alert(text)

    def _share(self, keys: list[Key], now_ms: int) -> None:
        gone = [key[1] for key in keys if key[0] == "site" and key not in self._texts]
        for view, clients in self._clients.items():
            seen = tuple(key for key in keys if view.shows_key(key))
            if any(view.shows_site(site) for site in gone):
                for client in clients:
                    client.post_snapshot()  # an update has no word for a site that is no more
            elif seen:
                batch = Batch(seen, self.body(seen, now_ms))
                for client in clients:
                    client.post(batch)

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
