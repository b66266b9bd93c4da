"""Whether all is right: `vigie verify` as people run it, nothing taken that is not in the log, nothing told
that is not recorded, nothing recorded as told that was not.
"""

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from schemas import codec
from schemas.deliveries import Delivery, DeliveryState
from schemas.topics import DELIVERIES, EVENTS
from services.aggregator.verify.deliveries import NOT_REACHED
from services.aggregator.verify.rows import BEHIND
from tests.doubles.receiver import Arrival
from tests.integration.crash_worker import ROOT, read

_VERIFY_S = 600.0
_MOST = 20


class Verified(Struct, frozen=True):
    """What `vigie verify` came to. `found` None: it could not read; `said`: its standard error."""

    code: int
    said: str
    found: dict[str, Any] | None = None

    @property
    def differences(self) -> list[str]:
        if self.found is None:
            return []
        return [f"{each['what']} {each['name']}: {each['detail']}" for each in self.found["differences"]]

    @property
    def is_unfinished(self) -> bool:
        """Whether notices are not over, or the notifier has not come to some, or rows are not live yet."""
        if self.found is None:
            return True
        left_out = self.found["not_compared"]
        waits = self.found["compared"].get("deliveries under way", 0)
        return bool(waits or left_out.get(NOT_REACHED, 0) or left_out.get(BEHIND, 0))

    def as_text(self) -> str:
        return json.dumps(self.found, indent=1, ensure_ascii=False)


async def verify(bootstrap: str, settings: Path) -> Verified:
    """Runs the command beside the system."""
    command = ["-m", "services.cli", "verify", "--json", "--kafka", bootstrap, "--config", str(settings)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_VERIFY_S):
            out, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Verified(process.returncode, said.decode(), json.loads(out) if out.strip() else None)


async def missing_events(bootstrap: str, taken: Collection[tuple[str, str]]) -> list[str]:
    """Events that ingest answered for and that are not in the log."""
    events = [codec.decode_event(record.value or b"") for record in await read(bootstrap, EVENTS.name)]
    lost = sorted(set(taken) - {(event.source, event.id) for event in events})
    return _some([f"event {source} {name}: answered 202, and not in the log" for source, name in lost])


async def recorded(bootstrap: str) -> list[Delivery]:
    return [codec.decode_delivery(record.value or b"") for record in await read(bootstrap, DELIVERIES.name)]


def told_otherwise(records: Iterable[Delivery], arrived: Iterable[Arrival]) -> list[str]:
    """Where what the receiver got and what the notifier recorded disagree."""
    newest = {each.delivery_id: each for each in records}
    got: dict[str, list[Arrival]] = defaultdict(list)
    for arrival in arrived:
        got[arrival.delivery_id].append(arrival)
    found = [
        f"receiver {name}: recorded as delivered, and never taken"
        for name, delivery in newest.items()
        if delivery.state is DeliveryState.DELIVERED and not any(each.is_taken for each in got.get(name, ()))
    ]
    for name, own in got.items():
        tries = newest[name].attempt if name in newest else 0
        if len(own) > tries:
            found.append(f"receiver {name}: came {len(own)} times, {tries} tries are recorded")
        if len({each.body for each in own}) > 1:
            found.append(f"receiver {name}: came with different bodies")
        if not all(each.is_signed for each in own):
            found.append(f"receiver {name}: a wrong signature")
    return _some(found)


def exceptions(lines: Sequence[str]) -> list[str]:
    """Exceptions that somebody logged, each with the line that ends it: none of ours is expected to fail."""
    said = [line.partition(" | ")[2] or line for line in lines]  # without the name of who wrote it
    starts = [number for number, line in enumerate(said) if "Traceback (most recent call last)" in line]
    ends = [next((line for line in said[n + 1 :] if line[:1] not in (" ", "|")), "") for n in starts]
    return _some([f"log: exception {line}" for line in ends])


def _some(found: Sequence[str]) -> list[str]:
    more = [f"… and {len(found) - _MOST} more"] if len(found) > _MOST else []
    return [*found[:_MOST], *more]
