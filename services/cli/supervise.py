"""Keeps processes running: starts them, writes their lines into one log, starts again those that die,
ends them in reverse order. The rules of restarting are in `lives.py`.

Nothing outlives the supervisor: every child's standard input is a pipe that only the supervisor
holds open. Our services read its end (`runtime/process.py`); for others there is `guard.py`.
"""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog
from msgspec import Struct

from services.cli import lives
from services.cli.lives import Life, State
from services.runtime.process import SUPERVISOR_PIPE

DRAIN_S = 9.0
"""All children have ended this long after they were told to."""

_LAST_S = 2.5
"""Of that time, kept for the one that started first: Kafka, which the others need to drain."""

_TURN_S = 1.5

_LINE_BYTES = 1 << 20
_MISUSE = 2
log = structlog.get_logger()


class Program(Struct, frozen=True, kw_only=True):
    """A process to keep running. `guarded`: it cannot watch its parent itself (not one of our services)."""

    name: str
    command: list[str]
    guarded: bool = False


class _Child:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.life = Life()
        self.process: asyncio.subprocess.Process | None = None
        self.wake = asyncio.Event()
        self.ended = asyncio.Event()


class Supervisor:
    """Use it inside `async with`: on leaving, whatever still runs is killed."""

    def __init__(self) -> None:
        self.gave_up = asyncio.Event()
        """Set when a program refused its settings at its first start: trying again would not help."""
        self.was_killed = False
        self._children: list[_Child] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._pipe_read, self._pipe_write = os.pipe()

    def start(self, program: Program) -> None:
        """Keeps the program running from now on."""
        child = _Child(program)
        self._children.append(child)
        task = asyncio.create_task(self._keep(child), name=program.name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def starts(self, name: str) -> int:
        """How often the program has been started."""
        return next((c.life.starts for c in self._children if c.program.name == name), 0)

    def pid(self, name: str) -> int | None:
        """The program's process now, if it has one."""
        running = (c.process for c in self._children if c.program.name == name)
        return next((p.pid for p in running if p is not None and p.returncode is None), None)

    def end(self, name: str) -> None:
        """Kills one program's process; it is started again like any that dies."""
        for child in self._children:
            if child.program.name == name:
                _signal(child, signal.SIGKILL)

    async def drain(self) -> None:
        """Ends all in reverse order of their start, the first only after the others, within `DRAIN_S`.

        Who takes longer than `_TURN_S` goes on draining beside the next.
        """
        now_s = asyncio.get_running_loop().time
        deadline_s = now_s() + DRAIN_S
        for child in self._children:  # from here on nobody is started again
            child.life = lives.told_to_end(child.life)
            child.wake.set()
        for child in reversed(self._children[1:]):
            _signal(child, signal.SIGTERM)
            await _waited(child.ended, min(_TURN_S, deadline_s - _LAST_S - now_s()))
        for child in reversed(self._children[1:]):
            await self._end(child, until_s=deadline_s - _LAST_S)
        for child in self._children[:1]:
            _signal(child, signal.SIGTERM)
            await self._end(child, until_s=deadline_s)

    def kill(self) -> None:
        """Ends all at once, as a power cut would."""
        self.was_killed = True
        for child in self._children:
            child.life = lives.told_to_end(child.life)
            child.wake.set()
            _signal(child, signal.SIGKILL)

    async def __aenter__(self) -> "Supervisor":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.kill()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        os.close(self._pipe_write)
        os.close(self._pipe_read)

    async def _keep(self, child: _Child) -> None:
        clock = asyncio.get_running_loop().time
        try:
            while child.life.state is State.WAITING:
                if await _waited(child.wake, child.life.due_s - clock()):
                    continue
                child.life = lives.started(child.life, clock())
                try:
                    code = await self._run_once(child)
                except OSError as error:  # no memory, no file descriptors: as good as dead
                    log.error("process_not_started", process=child.program.name, error=str(error))
                    code = 1
                child.life = lives.died(child.life, clock())
                self._tell_death(child, code)
        finally:
            child.ended.set()

    async def _run_once(self, child: _Child) -> int:
        """One life of the process, from its start to its return code, all its lines written."""
        program = child.program
        command = [*_guard(), *program.command] if program.guarded else program.command
        child.process = await asyncio.create_subprocess_exec(
            *command,
            stdin=self._pipe_read,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, SUPERVISOR_PIPE: "0"},
            start_new_session=True,  # Ctrl-C in the terminal is ours alone to act upon
            limit=_LINE_BYTES,
        )
        log.info("process_started", process=program.name, pid=child.process.pid)
        if child.life.state is not State.RUNNING:  # told to end while it was being started
            _signal(child, signal.SIGKILL if self.was_killed else signal.SIGTERM)
        assert child.process.stdout is not None
        await _copy(program.name, child.process.stdout)
        return await child.process.wait()

    def _tell_death(self, child: _Child, code: int) -> None:
        name, life, cause = child.program.name, child.life, lives.cause_of(code)
        if life.state is State.ENDED:
            log.info("process_ended", process=name, cause=cause)
            return
        if code == _MISUSE and life.starts == 1:
            log.error("process_refused_to_start", process=name, cause=cause)
            self.gave_up.set()
            child.life = lives.told_to_end(life)
            return
        again_s = lives.back_off_s(life.deaths)
        log.error("process_died", process=name, cause=cause, again_in_s=again_s, starts=life.starts)

    async def _end(self, child: _Child, until_s: float) -> None:
        """Waits for one that was told, and kills it when its time is over."""
        if not await _waited(child.ended, until_s - asyncio.get_running_loop().time()):
            log.error("process_killed", process=child.program.name, cause="did not end in time")
            _signal(child, signal.SIGKILL)
            await child.ended.wait()


def _signal(child: _Child, number: signal.Signals) -> None:
    """Signals the process if it has not ended yet.

    Not by `child.process`: that one asks the kernel first whether it has ended, and so takes the return
    code away from asyncio, which would tell 255 instead.
    """
    if child.process is not None and child.process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.process.pid, number)


def _guard() -> Sequence[str]:
    guard = Path(__file__).with_name("guard.py")
    return (sys.executable, "-S", "-E", str(guard), str(os.getpid()))


async def _waited(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event came within the time."""
    try:
        await asyncio.wait_for(event.wait(), max(0.0, seconds))
    except TimeoutError:
        return event.is_set()
    return True


async def _copy(name: str, lines: asyncio.StreamReader) -> None:
    """Every line of a child into our log. A line that does not name its service is given its name."""
    ours = re.compile(rb"\S+Z \w+ " + re.escape(name.encode()) + rb" ")
    while True:
        try:
            line = await lines.readline()
        except ValueError:  # longer than the buffer: what was read of it is gone, the rest follows
            line = b"(a line too long to keep)\n"
        if not line:
            return
        head = b"" if ours.match(line) else name.encode() + b" | "
        with contextlib.suppress(OSError, ValueError):  # nobody reads our log any more: the child goes on
            sys.stderr.buffer.write(head + line.rstrip(b"\n") + b"\n")
            sys.stderr.buffer.flush()
