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

from services.runtime.keys import hash_of, new_key
from tests.doubles.served import free_port

NO_BROKER = "127.0.0.1:1"


def start(folder: Path, address: str, *, more: str = "", **environment: str) -> subprocess.Popen[str]:
    settings = folder / "vigie.toml"
    settings.write_text(f'[http]\napi = "{address}"\n{more}')
    command = [sys.executable, "-m", "services.api", "--config", str(settings), "--kafka", NO_BROKER]
    command += ["--data", str(folder)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})


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


def test_a_key_reaches_no_line_of_the_log(tmp_path: Path) -> None:
    key, address = new_key(), f"127.0.0.1:{free_port()}"
    auth = f'[auth]\nkeys = [{{ id = "tv", for = "board", hash = "{hash_of(key)}" }}]\n'
    process = start(tmp_path, address, more=auth, VIGIE_LOG="debug")
    try:
        _wait_for(address, process)
        with httpx.Client(base_url=f"http://{address}") as http:
            assert http.get(f"/?key={key}").status_code == 303
            assert http.get(f"/?key={key}x").status_code == 303
            assert http.get("/api/v1/board").status_code == 200
            assert http.get(f"/api/v1/board?key={key}").status_code == 200
            assert http.get("/api/v1/board", headers={"authorization": f"Bearer {key}x"}).status_code == 401
            assert http.get(f"/a%00b?key={key}").status_code == 404
            assert http.post("/api/v1/alerts/a/acknowledge", json={"by": key}).status_code == 403
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert "api listening" in said
    assert key not in said


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
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said.count("log_unavailable") == 1
    assert "aiokafka" not in said  # which tells of every attempt, many times a second


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
