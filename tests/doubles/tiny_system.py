"""A supervisor of tiny services, as a process of its own: `python -m tests.doubles.tiny_system NAME[:MODE]…`.

The name `sleep` stands for a program that knows nothing of supervisors.
"""

import asyncio
import signal
import sys

from services.cli.supervise import Program, Supervisor
from services.runtime import log as logs


def program(words: str) -> Program:
    """What keeps running under this name."""
    name, _, mode = words.partition(":")
    if name == "sleep":
        return Program(name=name, command=["/bin/sleep", "1000"], guarded=True)
    return Program(name=name, command=[sys.executable, "-m", "tests.doubles.tiny_service", name, mode])


async def main(names: list[str]) -> int:
    """Runs them until SIGTERM or SIGINT; a second signal kills. The exit code is that of `vigie up`."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    async with Supervisor() as supervisor:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lambda: supervisor.kill() if stop.is_set() else stop.set())
        for name in names:
            supervisor.start(program(name))
        ends = [asyncio.create_task(event.wait()) for event in (stop, supervisor.gave_up)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        await supervisor.drain()
        return 2 if supervisor.gave_up.is_set() else int(supervisor.was_killed)


if __name__ == "__main__":
    logs.set_up("up")
    sys.exit(asyncio.run(main(sys.argv[1:])))
