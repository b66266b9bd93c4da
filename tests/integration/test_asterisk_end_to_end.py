"""A real Asterisk's run through the whole of Vigie, by AMI and by `vigie replay`: the board counts alike.

One system, two sites. To `paris` the run comes from a manager that two configured sources listen to,
cut off in mid-frame twice; to `lyon` it comes from the recording, sent twice.
"""

import asyncio
import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from services.cli.broker import free_ports
from services.runtime.clock import now_ms
from tests.data import asterisk
from tests.doubles.ami_server import AmiServer
from tests.doubles.started import PATIENCE_S, Started

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

QUEUES = {"support": "answered_only", "sales": "abandons_within_t_count_as_met"}
SITES = ("paris", "lyon")
SECRET = "s3cret"
LAST_S = 1_795_321_818
"""The second in which the run ends."""

SUMMARY = r"17150 payloads, (\d+) events sent, \1 accepted, 0 rejected, \d+ events/s\n"
OF_THE_WAY = ("from_ms", "to_ms", "late", "duplicates", "occupancy")
"""What a window says that hangs on when and how the run was told."""

Windows = dict[str, dict[str, Any]]


def settings(ami_port: int, ports: dict[str, int]) -> str:
    lines = ["[http]", *(f'{name} = "127.0.0.1:{port}"' for name, port in ports.items())]
    for site in SITES:
        lines += ["[[sites]]", f'id = "{site}"', 'time_zone = "Europe/Paris"']
        for queue, definition in QUEUES.items():
            level = f'{{ threshold_s = {asterisk.THRESHOLD_S:g}, definition = "{definition}" }}'
            lines += ["[[queues]]", f'id = "{queue}"', f'site = "{site}"', f"service_level = {level}"]
    wraps = ", ".join(f"{queue} = {wrap_s:g}" for queue, wrap_s in asterisk.WRAP_UP_S.items())
    for source in ("pbx1", "pbx2"):
        lines += ["[[sources]]", f'id = "{source}"', 'kind = "asterisk_ami"', 'site = "paris"']
        lines += [f"port = {ami_port}", 'user = "wallboard"', 'secret_env = "PBX_SECRET"']
        lines += [f"wrap_up_s = {{ {wraps} }}"]
    return "\n".join(lines)


class System:
    """A `vigie up` of this test: its processes, and what its board shows."""

    def __init__(self, folder: Path, ami_port: int) -> None:
        names = ("ingest", "aggregator", "api", "notifier")
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.file, self.data, self._api = folder / "vigie.toml", folder / "data", ports["api"]
        self.file.write_text(settings(ami_port, ports))
        self.started = Started(self._command("up"), env={"PBX_SECRET": SECRET})

    def replay(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(
                "replay", "asterisk_ami", str(asterisk.CAPTURE), *words, "--speed=max", "--shift=now"
            ),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def board(self, site: str) -> dict[str, dict[str, Any]]:
        """The rows of a site's queues, by queue."""
        url = f"http://127.0.0.1:{self._api}/api/v1/board?site={site}"
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            [found] = json.load(answer)["sites"]
        return {row["queue"]: row for row in found["queues"]}

    def _command(self, command: str, *words: str) -> list[str]:
        told = [f"--config={self.file}", f"--data={self.data}"]
        return [sys.executable, "-m", "services.cli", command, *words, *told]


@pytest.fixture
async def manager() -> AsyncIterator[AmiServer]:
    async with AmiServer(secret=SECRET, clock_us=now_ms() * 1000) as manager:
        yield manager


async def test_the_board_counts_what_asterisk_counted(manager: AmiServer, tmp_path: Path) -> None:
    system = System(tmp_path, manager.port)
    with system.started as started:
        await asyncio.to_thread(started.wait_for, "Wallboard: ")
        await play_with_cuts(manager)
        heard = await until(lambda: system.board("paris"), is_complete, started)
        for queue in QUEUES:
            assert_is_what_asterisk_counted(queue, heard[queue])
        assert {row["agents"]["available"] for row in heard.values()} == {2}
        assert {tuple(row["sources"]) for row in heard.values()} == {("pbx1", "pbx2")}

        for _ in range(2):
            replayed = await asyncio.to_thread(system.replay, "--site", "lyon", "--source", "pbx1")
            assert (replayed.returncode, replayed.stderr) == (0, "")
            assert re.fullmatch(SUMMARY, replayed.stdout)
        again = await until(lambda: system.board("lyon"), is_complete, started)
        for queue in QUEUES:
            assert facts(again[queue]) == facts(heard[queue])

        started.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(started.wait_for_end) == 0
        assert not [line for line in started.lines if " error " in line]


async def play_with_cuts(manager: AmiServer) -> None:
    """The whole run, its last second being this one. After a cut the frame that was cut comes again."""
    data, start = asterisk.capture(), 0
    manager.shift_s = now_ms() // 1000 - LAST_S - 1
    for cut in (1_234_567, 4_500_123, len(data) + 1):
        async with asyncio.timeout(PATIENCE_S):
            await manager.until_connected(2)
        await manager.play(data[start:], cut_at=cut - start)
        start = data.rfind(b"\r\n\r\n", 0, cut) + 4
    assert manager.logins == 6


async def until(
    look: Callable[[], dict[str, dict[str, Any]]],
    is_so: Callable[[dict[str, dict[str, Any]]], bool],
    started: Started,
) -> dict[str, dict[str, Any]]:
    """What is seen once it is so."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_so(found := await asyncio.to_thread(look)):
        assert time.monotonic() < deadline_s, json.dumps(found, indent=1) + "\n".join(started.lines)
        await asyncio.sleep(0.2)
    return found


def is_complete(board: dict[str, dict[str, Any]]) -> bool:
    """Every contact is there, and nobody waits, talks or wraps up any more."""
    if board.keys() != QUEUES.keys():
        return False
    at_work = ("ringing", "in_contact", "wrap_up")
    return all(
        row["windows"]["15m"]["offered"] == asterisk.OFFERED[queue]
        and row["waiting"] == 0
        and not any(row["agents"][state] for state in at_work)
        for queue, row in board.items()
    )


def assert_is_what_asterisk_counted(queue: str, row: dict[str, Any]) -> None:
    """But for the listed waits within a second of the threshold, which Asterisk cuts to whole seconds."""
    own, window = asterisk.own_counters()[queue], row["windows"]["15m"]
    is_with_abandons = QUEUES[queue] == "abandons_within_t_count_as_met"
    listed = asterisk.TRUNCATED if is_with_abandons else asterisk.TRUNCATED_ANSWERED
    level, truncated = window["service_level"], sum(where == queue for _, where in listed)

    assert window["offered"] == asterisk.OFFERED[queue]
    assert window["answered"] == own.answered
    assert window["abandoned"] + window["left"]["timeout"] == own.abandoned
    assert level["denominator"] == own.answered + (own.abandoned if is_with_abandons else 0)
    assert round(100 * (level["numerator"] + truncated) / level["denominator"], 1) == (
        own.service_level_2 if is_with_abandons else own.service_level
    )


def facts(row: dict[str, Any]) -> Windows:
    """Of a row's windows that hold the whole run, what hangs on the run alone."""
    return {
        name: {key: value for key, value in rounded(row["windows"][name]).items() if key not in OF_THE_WAY}
        for name in ("15m", "30m", "60m")
    }


def rounded(value: Any) -> Any:
    """Sums of floats depend on their order in the last digits; `since_ms` is when the site began."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items() if key != "since_ms"}
    return round(value, 6) if isinstance(value, float) else value
