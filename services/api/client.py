"""One reader of the board: what still has to be sent to it, and the frames made of that.

A mailbox holds keys, not frames: what was not sent yet is overtaken by newer rows, so a slow reader
costs nobody else anything and gets no hole (SEMANTICS.md §9). Who posts, and when: `hub.py`.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from services.api import wire
from services.api.board import Key, View
from services.api.history import Missed

if TYPE_CHECKING:
    from services.api.hub import Hub

MAX_ALERTS = 200
"""Alerts that may wait for one client; with more it gets a snapshot instead."""

_RECOVERED, _NOT_RECOVERED = '"recovered":true,', '"recovered":false,'


class Batch:
    """The rows that left together for one view, written once for all its readers.

    `told_ms`: when the oldest event occurred of which they tell for the first time; None: of none.
    """

    __slots__ = ("body", "keys", "told_ms")

    def __init__(self, keys: tuple[Key, ...], body: str, told_ms: int | None = None) -> None:
        self.keys = keys
        self.body = body
        self.told_ms = told_ms


class Client:
    """One connection: what it still has to be sent (newest wins) and the `seq` of its last frame.

    `writer` is the task that sends; `sending_since_ms` says since when it has been in one send.
    `taken_told_ms`: `told_ms` of the frames taken last.
    """

    __slots__ = (
        "_alerts",
        "_batch",
        "_beat",
        "_hub",
        "_is_resuming",
        "_keys",
        "_snapshot",
        "_told_ms",
        "_waiter",
        "prev",
        "sending_since_ms",
        "stalled",
        "taken_told_ms",
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
        self._beat = self._is_resuming = False
        self._told_ms: int | None = None
        self.taken_told_ms: int | None = None
        self._waiter: asyncio.Future[None] | None = None

    def post(self, batch: Batch) -> None:
        """Newer rows: they take the place of what was not sent yet."""
        if self._batch is None and self._keys is None:
            self._batch = batch
        else:
            self._hub.dropped += 1
            self._merge(batch)
        if batch.told_ms is not None:  # of what was overtaken unsent, the newer rows tell too
            self._told_ms = min(batch.told_ms, self._told_ms or batch.told_ms)
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
        self._snapshot = self._snapshot or (_NOT_RECOVERED if self._is_resuming else "")
        self._hub.call(self)

    def post_not_recovered(self) -> None:
        """The whole board next, as the answer to a client that asked for what it missed."""
        self._snapshot = _NOT_RECOVERED
        self._hub.call(self)

    def post_missed(self, missed: Missed, seq: int) -> None:
        """What came after `seq`, which the client holds: one update and the alerts, chained to `seq`.

        All that waits for it left after that version, so it is among what it missed.
        """
        self.prev = seq
        self._snapshot = self._batch = self._told_ms = None
        self._keys = dict.fromkeys(missed.keys)
        self._alerts = deque(missed.alerts)
        self._is_resuming = True
        self._hub.call(self)

    def take(self, now_ms: int) -> list[str]:
        """The frames to send now, chained by `prev`; afterwards nothing waits."""
        seq = self._hub.seq
        self.taken_told_ms, self._told_ms = self._told_ms, None
        if self._snapshot is not None:
            frames = [self._snapshot_frame(self._snapshot, seq, now_ms)]
            self.taken_told_ms = None
        else:
            frames = self._changes(seq, now_ms)
        if self._beat:
            frames.append(self._frame("heartbeat", wire.heartbeat_body(now_ms), seq))
        self._snapshot = self._keys = self._batch = self._alerts = None
        self._beat = self._is_resuming = False
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
        if self._keys is None:
            return None
        prelude = _RECOVERED if self._is_resuming else ""
        return prelude + self._hub.body(tuple(self._keys), now_ms)

    def _frame(self, kind: str, body: str, seq: int) -> str:
        prev, self.prev = self.prev, seq
        return wire.frame(kind, body, epoch=self._hub.epoch, seq=seq, prev=prev)

    def _snapshot_frame(self, prelude: str, seq: int, now_ms: int) -> str:
        self.prev = seq
        body = prelude + self._hub.snapshot(self.view, now_ms)
        return wire.frame("snapshot", body, epoch=self._hub.epoch, seq=seq, prev=None)
