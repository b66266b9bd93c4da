"""A process of the benchmark, and what it cost: CPU and memory, read from /proc while it runs."""

import asyncio
import os
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from benchmarks.programs import end

ROOT = Path(__file__).parents[1]
_EVERY_S = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Sample:
    at_ms: float
    cpu_s: float
    memory_mb: float


class Watched:
    """Runs a command; `async with` ends it. What it says on stderr goes to `log`."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._command = command
        self._log = log
        self.samples: list[Sample] = []

    async def __aenter__(self) -> Self:
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self._command, stdout=asyncio.subprocess.PIPE, stderr=log, cwd=ROOT
            )
        self.started_ms = time.time() * 1000
        self._sampling = asyncio.create_task(self._sample())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sampling.cancel()
        await end(self.process)

    async def told(self, *, within_s: float) -> dict[str, float]:
        """The first line of its output that is a JSON object: libraries have their banners.

        Raises `RuntimeError` with its log when it ends without.
        """
        assert self.process.stdout is not None
        async with asyncio.timeout(within_s):
            async for line in self.process.stdout:
                if line.startswith(b"{"):
                    return msgspec.json.decode(line, type=dict[str, float])
        raise RuntimeError(f"{self._command}: {self.tail()}")

    def check(self) -> None:
        """Raises `RuntimeError` with its log when it has ended."""
        if self.process.returncode is not None:
            raise RuntimeError(f"{self._command}: {self.tail()}")

    def tail(self) -> str:
        return self._log.read_text("utf-8", "replace")[-3000:]

    def cpu_s(self, start_ms: float, end_ms: float) -> float:
        """CPU from one instant to another, of all its threads."""
        return self._cpu_at(end_ms) - self._cpu_at(start_ms)

    def memory_mb(self) -> float:
        """The most it had resident."""
        return max(each.memory_mb for each in self.samples)

    def _cpu_at(self, at_ms: float) -> float:
        """Between two samples, in proportion."""
        place = bisect_left(self.samples, at_ms, key=lambda each: each.at_ms)
        if place == 0 or place == len(self.samples):
            return self.samples[min(place, len(self.samples) - 1)].cpu_s
        before, after = self.samples[place - 1], self.samples[place]
        share = (at_ms - before.at_ms) / (after.at_ms - before.at_ms)
        return before.cpu_s + share * (after.cpu_s - before.cpu_s)

    async def _sample(self) -> None:
        folder = Path(f"/proc/{self.process.pid}")
        while True:
            try:
                stat = (folder / "stat").read_text("utf-8").rsplit(")", 1)[1].split()
                pages = int((folder / "statm").read_text("utf-8").split()[1])
            except (OSError, IndexError):
                return  # it has ended
            cpu_s = (int(stat[11]) + int(stat[12])) / _TICKS
            self.samples.append(Sample(time.time() * 1000, cpu_s, pages * _PAGE / 1e6))
            await asyncio.sleep(_EVERY_S)
