"""Many boards in one process: `python -m benchmarks.audience HOST:PORT SOCKETS PATH…`.

A websocket library would measure itself here. So: a handshake by hand, one buffer for all, and of each
frame nothing but its length, its first bytes and the instant at which its last byte was there.

Each line on stdin is an order, answered by one line of JSON on stdout:
`join`: opens all sockets. `listen SECONDS`: how old the rows were when a frame that had them was there.
`storm`: cuts all at once, and opens them again.
"""

import asyncio
import contextlib
import os
import re
import sys
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from typing import cast

import msgspec
import uvloop
from msgspec import Struct

HEAD = 700
"""Bytes of a frame that are looked at: the first row's instant stands within them."""

_JOINING = 100
"""Sockets that open at the same time in `join`."""

_TEXT, _CLOSE, _PING = 1, 8, 9
_ROWS = re.compile(rb'"queues":\[\{.*?"as_of_ms":(\d+)')
FIRST_S = 60.0
"""How long a socket of a storm may be without a snapshot."""

_PATIENCE_S = 300.0
"""How long all may take to join, one after the other."""

_buffer = memoryview(bytearray(1 << 18))


class Heard(Struct, frozen=True):
    """What `listen` gives. `ages`: how often rows were so many tenths of a millisecond old, when a socket
    heard of their instant for the first time."""

    ages: dict[int, int]

    @property
    def told(self) -> int:
        return sum(self.ages.values())


class Joined(Struct, frozen=True):
    """What `join` and `storm` give: when each socket had its first snapshot, in seconds since the start.

    `missing`: so many had none in time, and are left out."""

    first_s: list[float]
    missing: int


class Ear:
    """What all sockets of this process hear."""

    def __init__(self) -> None:
        self.ages: Counter[int] = Counter()

    def empty(self) -> Heard:
        """What was heard since it was last emptied."""
        heard, self.ages = Heard(dict(self.ages)), Counter()
        return heard


class Board(asyncio.BufferedProtocol):
    """One socket. `first` is done when its first snapshot is there, or fails."""

    def __init__(self, ear: Ear, address: str, path: str) -> None:
        self._ear = ear
        self._ask = (
            f"GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {b64encode(os.urandom(16)).decode()}\r\n\r\n"
        )
        self.transport: asyncio.Transport | None = None
        self.first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answer: bytearray | None = bytearray()
        self._header = bytearray()
        self._head = bytearray()
        self._left = 0
        self._newest_ms = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self.transport.write(self._ask.encode())

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.first.done():
            self.first.set_exception(ConnectionError(str(exc)))

    def get_buffer(self, sizehint: int) -> memoryview:
        return _buffer

    def buffer_updated(self, nbytes: int) -> None:
        data = _buffer[:nbytes]
        if self._answer is not None:
            data = self._shake(data)
        at = 0
        while at < len(data):
            if not self._left:
                self._header.append(data[at])
                at += 1
                self._begin()
                continue
            step = min(self._left, len(data) - at)
            if len(self._head) < HEAD:
                self._head += data[at : at + min(step, HEAD - len(self._head))]
            at += step
            self._left -= step
            if not self._left:
                self._end()

    def _shake(self, data: memoryview) -> memoryview:
        """Reads the server's answer; gives what came behind it."""
        assert self._answer is not None
        self._answer += data
        answer, end, rest = self._answer.partition(b"\r\n\r\n")
        if not end:
            return data[:0]
        if not answer.startswith(b"HTTP/1.1 101"):
            said = answer.decode("latin-1").splitlines()[0]
            self.first.set_exception(RuntimeError(f"the server does not open a socket: {said}"))
            return data[:0]
        self._answer = None
        return memoryview(bytes(rest))

    def _begin(self) -> None:
        """Knows how long the frame is, once its header is whole."""
        if len(self._header) < 2:
            return
        length = self._header[1]
        more = {126: 2, 127: 8}.get(length, 0)
        if len(self._header) < 2 + more:
            return
        self._left = int.from_bytes(self._header[2:], "big") if more else length
        if not self._left:
            self._end()

    def _end(self) -> None:
        kind, head = self._header[0] & 15, bytes(self._head)
        self._header.clear()
        self._head.clear()
        if kind == _TEXT:
            self._hear(head)
        elif kind == _PING and self.transport is not None:
            self.transport.write(bytes([0x8A, 0x80 | len(head)]) + bytes(4) + head)  # masked with zeros
        elif kind == _CLOSE and self.transport is not None:
            self.transport.close()

    def _hear(self, head: bytes) -> None:
        if head.startswith(b'{"type":"snapshot"'):
            if not self.first.done():
                self.first.set_result(None)
        elif (found := _ROWS.search(head)) and (told_ms := int(found[1])) > self._newest_ms:
            self._newest_ms = told_ms
            self._ear.ages[round(time.time() * 10_000 - told_ms * 10)] += 1


class Audience:
    """The sockets of this process, spread over the paths."""

    def __init__(self, address: str, sockets: int, paths: Sequence[str]) -> None:
        self.ear = Ear()
        self._address = address
        self._paths = [paths[number % len(paths)] for number in range(sockets)]
        self._boards: list[Board] = []

    async def join(self, *, at_once: int, within_s: float) -> Joined:
        """Every socket is open and has its first snapshot, or has had its time."""
        begun_s, gate = time.monotonic(), asyncio.Semaphore(at_once)

        async def one(path: str) -> float:
            async with gate:
                while True:
                    try:
                        self._boards.append(await self._open(path))
                        return time.monotonic() - begun_s
                    except OSError:
                        await asyncio.sleep(0.05)

        tasks = [asyncio.create_task(one(path)) for path in self._paths]
        done, late = await asyncio.wait(tasks, timeout=within_s)
        for task in late:
            task.cancel()
        return Joined([task.result() for task in done], len(late))

    def leave(self) -> None:
        for board in self._boards:
            if board.transport is not None:
                board.transport.abort()
        self._boards.clear()

    async def _open(self, path: str) -> Board:
        host, _, port = self._address.rpartition(":")
        loop = asyncio.get_running_loop()
        transport, board = await loop.create_connection(
            lambda: Board(self.ear, self._address, path), host, int(port)
        )
        try:
            await board.first
        except BaseException:
            transport.abort()
            raise
        return board


async def main(address: str, sockets: int, paths: Sequence[str]) -> None:
    audience = Audience(address, sockets, paths)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin
    )
    while words := (await orders.readline()).decode().split():
        answer: Struct | None = None
        match words:
            case ["join"]:
                answer = await audience.join(at_once=_JOINING, within_s=_PATIENCE_S)
            case ["listen", seconds]:
                audience.ear.empty()
                await asyncio.sleep(float(seconds))
                answer = audience.ear.empty()
            case ["storm"]:
                audience.leave()
                answer = await audience.join(at_once=sockets, within_s=FIRST_S)
        print(msgspec.json.encode(answer).decode(), flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
