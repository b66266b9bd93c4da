"""The api as a process: what it refuses, that it waits for its broker, how it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.doubles.served import free_port

NO_BROKER = "127.0.0.1:1"


def start(folder: Path, address: str) -> subprocess.Popen[str]:
    settings = folder / "vigie.toml"
    settings.write_text(f'[http]\napi = "{address}"\n')
    command = [sys.executable, "-m", "services.api", "--config", str(settings), "--kafka", NO_BROKER]
    return subprocess.Popen(
        [*command, "--data", str(folder)], stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """An api that answers, whose broker is not there."""
    address = f"127.0.0.1:{free_port()}"
    process = start(tmp_path, address)
    try:
        _wait_for(address, process)
        yield process, address
    finally:
        process.kill()
        process.communicate()


def test_another_address_than_this_machine_s_refuses_to_start(tmp_path: Path) -> None:
    process = start(tmp_path, "192.0.2.1:8080")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "192.0.2.1:8080" in said
    assert "127.0.0.1" in said


def test_without_a_broker_it_lives_is_not_ready_says_why_and_ends_well(
    running: tuple[subprocess.Popen[str], str],
) -> None:
    process, address = running
    with httpx.Client(base_url=f"http://{address}") as http:
        assert http.get("/health/live").status_code == 200
        ready = http.get("/health/ready")
        assert ready.status_code == 503
        assert [part.partition(":")[0] for part in ready.json()["missing"]] == ["broker", "board"]
        assert http.get("/api/v1/board").json()["sites"] == []
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0


def _wait_for(address: str, process: subprocess.Popen[str]) -> None:
    for _ in range(600):
        assert process.poll() is None, process.communicate()[1]
        try:
            httpx.get(f"http://{address}/health/live")
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the api does not answer")
