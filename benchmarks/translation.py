"""h. How many payloads of each source are translated in a second, on one core, by whole samples.

Each turn is a fresh translator that is handed a sample, as often as fills a second. What is sent over the
network and into Kafka is not in it: section b has that.
"""

import importlib
import pkgutil
import time
from collections.abc import Sequence

from benchmarks.results import Line, Say, Size
from tests.contract import adapters
from tests.contract.adapters import AdapterCase


async def measure(size: Size, say: Say) -> list[Line]:
    lines = []
    for case in _cases():
        samples = [payloads for path in case.samples if (payloads := case.payloads(path))]
        say(f"   {case.kind}: {sum(map(len, samples))} payloads in {len(samples)} samples")
        turns = [_turn(case, samples, size.of(1000, 10) / 1000) for _ in range(size.repeats)]
        lines.append(Line("h", f"payloads of {case.kind} translated", "payloads/s", turns))
    return lines


def _cases() -> list[AdapterCase]:
    names = [module.name for module in pkgutil.iter_modules(adapters.__path__)]
    return [importlib.import_module(f"{adapters.__name__}.{name}").CASE for name in names]


def _turn(case: AdapterCase, samples: Sequence[list[bytes]], least_s: float) -> float:
    """Payloads per second of CPU."""
    count, begun = 0, time.process_time()
    while (took_s := time.process_time() - begun) < least_s or not count:
        for payloads in samples:
            case.takes(payloads)
            count += len(payloads)
    return count / max(time.process_time() - begun, took_s, 1e-9)
