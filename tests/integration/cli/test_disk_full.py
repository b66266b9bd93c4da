"""A disk that becomes full under Kafka: ingest says 503, nothing accepted is lost, and it goes on by itself.

The disk is a small file system of its own, in a mount namespace that only this `vigie up` sees.
"""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from services.cli.broker import free_ports
from tests.doubles.started import PATIENCE_S, Started

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

SERVICES = ("ingest", "aggregator", "api", "notifier")
_SIZE = "120m"
_IN_NAMESPACE = ("unshare", "--map-root-user", "--mount")


@pytest.fixture(scope="module", autouse=True)
def _mounts() -> None:
    """Containers may forbid what makes the small disk; the full one cannot be had otherwise."""
    try:
        tried = subprocess.run(
            [*_IN_NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("no full disk was tried: this machine has no `unshare`")
    if tried.returncode != 0:
        pytest.skip(f"no full disk was tried: this machine allows no mount ({tried.stderr.strip()})")


def up_on_small_disk(folder: Path, addresses: dict[str, str]) -> Started:
    (folder / "vigie.toml").write_text(
        "[http]\n" + "".join(f'{name} = "{address}"\n' for name, address in addresses.items())
    )
    data = folder / "data"
    data.mkdir()
    up = f"{sys.executable} -m services.cli up --config={folder / 'vigie.toml'} --data={data}"
    script = f"mount -t tmpfs -o size={_SIZE} tmpfs {data} && exec {up}"
    return Started([*_IN_NAMESPACE, "sh", "-c", script])


def post(address: str, number: int) -> int:
    """The status that ingest answers to one more contact."""
    event = {
        "specversion": "1.0",
        "id": f"e{number}",
        "source": "shop",
        "type": "vigie.queue.entered.v1",
        "data": {"contact": f"c{number}", "queue": "orders"},
    }
    headers = {"content-type": "application/cloudevents+json"}
    request = urllib.request.Request(f"http://{address}/v1/events", json.dumps(event).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code if error.headers["Retry-After"] else 0


def waiting(address: str) -> int:
    with urllib.request.urlopen(f"http://{address}/api/v1/queues/orders?site=main") as answer:
        row: dict[str, Any] = json.load(answer)
        return int(row["waiting"])


def test_a_full_disk_loses_nothing_that_was_accepted(tmp_path: Path) -> None:
    addresses = {n: f"127.0.0.1:{p}" for n, p in zip(SERVICES, free_ports(len(SERVICES)), strict=True)}
    ingest = addresses["ingest"]
    with up_on_small_disk(tmp_path, addresses) as system:
        system.wait_for("Wallboard: ")
        accepted = {number for number in range(50) if post(ingest, number) == 202}
        assert len(accepted) == 50

        filler = Path(f"/proc/{system.process.pid}/root{tmp_path / 'data' / 'filler'}")
        _fill(filler)
        number = 50
        while (status := post(ingest, number)) == 202:  # what Kafka could still write
            accepted.add(number)
            number += 1
        assert status == 503
        system.wait_for("disk_full folder=")
        system.wait_for("process_died process=kafka")

        filler.unlink()
        end_s = time.monotonic() + PATIENCE_S
        while post(ingest, number) != 202:  # as a source does: the same again, until it is taken
            assert time.monotonic() < end_s
        accepted.add(number)
        while (found := waiting(addresses["api"])) != len(accepted) and time.monotonic() < end_s:
            time.sleep(0.1)
        assert found == len(accepted)

        system.process.send_signal(signal.SIGTERM)
        assert system.wait_for_end() == 0


def _fill(file: Path) -> None:
    """Writes until no byte fits any more."""
    with file.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        for size in (65536, 1):
            while filler.write(b"x" * size) == size:
                pass
    assert shutil.disk_usage(file.parent).free == 0
