"""`vigie board`: the board in the terminal, once or each second. How it reads: `services/cli/terminal`."""

import argparse
import asyncio
import contextlib
import io
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TextIO
from urllib.parse import urlencode

import aiohttp
import msgspec
from msgspec import Struct

from schemas.errors import InvalidMessage, Misconfigured, Unavailable
from schemas.vocabulary import WindowName
from services.cli.terminal.frames import Picture, decode, follow
from services.cli.terminal.page import render
from services.runtime import own_key
from services.runtime.clock import now_ms

_TIMEOUT_S = 5.0
_SILENCE_S = 3.0
"""The socket says something each second; after this long without, it is cut."""
_SOCKET_TIMEOUT = aiohttp.ClientWSTimeout(ws_receive=2 * _SILENCE_S, ws_close=2.0)
_NOT_ALLOWED = 1008
_HOME, _REST_OF_LINE, _REST_OF_SCREEN, _WHOLE_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J", "\x1b[2J"


class View(Struct, frozen=True, kw_only=True):
    """What is shown. `api`: base address; `site` None: all of them; `headers` show the key, if any."""

    api: str
    headers: dict[str, str] = {}
    site: str | None
    window: WindowName
    is_json: bool


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 done or told to stop, 1 the api does not answer, 2 wrong use."""
    arguments = _parse(argv)
    try:
        headers = own_key.headers(arguments.key_file, os.environ)
    except Misconfigured as error:
        print(f"vigie board: {error}", file=sys.stderr)
        return 2
    view = View(
        api=arguments.api,
        headers=headers,
        site=arguments.site,
        window=arguments.window,
        is_json=arguments.json,
    )
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without our shapes still gets the words
    try:
        asyncio.run(watch(view, sys.stdout) if arguments.watch else show(view, sys.stdout))
    except (Unavailable, InvalidMessage, Misconfigured) as error:
        print(f"vigie board: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:  # `vigie board | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="vigie board", description="The board in the terminal.")
    parser.add_argument("--watch", action="store_true", help="draw it again each second, until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="as JSON; with --watch one line per frame")
    parser.add_argument("--site", metavar="ID", help="this site only")
    parser.add_argument(
        "--window", type=WindowName, choices=list(WindowName), default=WindowName.M15, help="rolling window"
    )
    parser.add_argument("--api", default="http://127.0.0.1:8080", metavar="URL", help="address of the api")
    own_key.add_argument(parser, "board")
    arguments = parser.parse_args(argv)
    if not arguments.api.startswith(("http://", "https://")):
        parser.error("--api must be an address such as http://127.0.0.1:8080")
    arguments.api = arguments.api.rstrip("/")
    return arguments


async def show(view: View, out: TextIO) -> None:
    """Prints the board once. Raises `Unavailable` when the api does not answer."""
    async with aiohttp.ClientSession(headers=view.headers) as session:
        body = await fetch(session, view)
    if view.is_json:
        print(body.decode(), file=out)
        return
    picture = follow(None, decode(body))
    if picture is not None:
        print(_draw(picture, view, out=out, now_ms=picture.as_of_ms), end="", file=out)


async def fetch(session: aiohttp.ClientSession, view: View) -> bytes:
    """The body of `GET /api/v1/board`. Raises `Unavailable`, naming the address and what to type."""
    url = f"{view.api}/api/v1/board{_query(view)}"
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    try:
        async with session.get(url, timeout=timeout) as answer:
            body = await answer.read()
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise _no_answer(view) from error
    if answer.status != 200:
        hint = f"; {own_key.HINT}" if answer.status in (401, 403) else ""
        raise Unavailable(f"{url} answers {answer.status}: {body[:200].decode('utf-8', 'replace')}{hint}")
    return body


async def watch(view: View, out: TextIO) -> None:
    """Draws the board each second (or prints each frame) until SIGTERM or Ctrl-C."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C raises KeyboardInterrupt there
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    screen = Screen(view, out)
    async with aiohttp.ClientSession(headers=view.headers) as session:
        await fetch(session, view)  # an api that is not there at all is an error, not a cut
        tasks = [asyncio.create_task(listen(session, view, screen.take)), asyncio.create_task(stop.wait())]
        if not view.is_json:
            if out.isatty():
                print(_WHOLE_SCREEN, end="", file=out)
            tasks.append(asyncio.create_task(_redraw(screen)))
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            task.result()


class Screen:
    """What has come so far, and how it is drawn. `cut_ms` by our clock; the board's own by `_ahead_ms`."""

    def __init__(self, view: View, out: TextIO) -> None:
        self._view = view
        self._out = out
        self._picture: Picture | None = None
        self._heard_ms = now_ms()
        self._ahead_ms = 0

    def take(self, text: str) -> bool:
        """Takes one frame; False when one before it was missed."""
        if self._view.is_json:
            print(text, file=self._out, flush=True)
            return True
        frame = decode(text)
        picture = follow(self._picture, frame)
        if picture is None:
            return False
        self._picture, self._heard_ms = picture, now_ms()
        if frame.as_of_ms is not None:
            self._ahead_ms = frame.as_of_ms - self._heard_ms
        return True

    def draw(self) -> None:
        """The screen as it is at this second."""
        if self._picture is None:
            return
        here_ms = now_ms()
        is_cut = here_ms - self._heard_ms > _SILENCE_S * 1000
        cut_ms = self._heard_ms + self._ahead_ms if is_cut else None
        picture = msgspec.structs.replace(self._picture, cut_ms=cut_ms)
        text = _draw(picture, self._view, out=self._out, now_ms=here_ms + self._ahead_ms)
        if self._out.isatty():
            lines = (line + _REST_OF_LINE for line in text.splitlines())
            text = _HOME + "\n".join(lines) + "\n" + _REST_OF_SCREEN
        print(text, file=self._out, flush=True)


async def listen(session: aiohttp.ClientSession, view: View, take: Callable[[str], bool]) -> None:
    """Hands every frame to `take`; comes back after a cut or a gap, at most every 5 s. Never returns.

    Raises `Misconfigured` when the api does not allow it.
    """
    delay_s = 0.25
    while True:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            if await _listen_once(session, view, take):
                delay_s = 0.25
        await asyncio.sleep(delay_s)
        delay_s = min(2 * delay_s, 5.0)


async def _listen_once(session: aiohttp.ClientSession, view: View, take: Callable[[str], bool]) -> bool:
    """One connection to its end; whether anything came over it."""
    url = f"{view.api.replace('http', 'ws', 1)}/api/v1/live{_query(view)}"
    came = False
    async with session.ws_connect(url, max_msg_size=0, timeout=_SOCKET_TIMEOUT) as socket:
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT or not take(message.data):
                break
            came = True
        if socket.close_code == _NOT_ALLOWED:
            raise Misconfigured(
                f"{url}: the api does not allow this client to read the board; {own_key.HINT}"
            )
    return came


async def _redraw(screen: Screen) -> None:
    while True:
        screen.draw()
        await asyncio.sleep(1.0 - now_ms() % 1000 / 1000)


def _draw(picture: Picture, view: View, *, out: TextIO, now_ms: int) -> str:
    width = shutil.get_terminal_size((100, 40)).columns
    colour = out.isatty() and not os.environ.get("NO_COLOR")
    return render(picture, width=width, now_ms=now_ms, colour=colour, window=view.window)


def _query(view: View) -> str:
    return "?" + urlencode({"site": view.site}) if view.site is not None else ""


def _no_answer(view: View) -> Unavailable:
    return Unavailable(
        f"no answer from {view.api}. Start Vigie with `vigie up` (or `vigie demo`), "
        "or name another address with --api URL."
    )


if __name__ == "__main__":
    sys.exit(main())
