"""A process from its start to its exit code, with a tiny service on the real runtime."""

import signal
import socket
import sys
import urllib.request

import pytest

from schemas.errors import Misconfigured
from services.runtime.process import listen
from tests.doubles.started import Started


def tiny(mode: str) -> Started:
    return Started([sys.executable, "-m", "tests.doubles.tiny_service", "tiny", mode])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_drains_and_ends_with_0(number: signal.Signals) -> None:
    with tiny("plain") as service:
        service.wait_for(" tiny there")
        service.process.send_signal(number)

        assert service.wait_for_end() == 0
        service.wait_for(f" tiny stopping signal={number.name}")
        service.wait_for(" tiny drained")


def test_a_dead_task_ends_the_process_with_1() -> None:
    with tiny("failing") as service:
        assert service.wait_for_end() == 1
        service.wait_for("error tiny failed")
        service.wait_for("RuntimeError: a task died")


def test_misconfigured_is_2_and_one_line() -> None:
    with tiny("refusing") as service:
        assert service.wait_for_end() == 2
        assert len(service.lines) == 1
        service.wait_for('error tiny misconfigured fault="tiny.setting (line 1): is wrong"')


def test_it_answers_http_until_it_is_told_to_stop() -> None:
    with tiny("serving") as service:
        address = service.wait_for(" tiny listening address=").split("address=")[1]
        with urllib.request.urlopen(f"http://{address}/") as answer:
            assert answer.read() == b"hello"
        service.process.send_signal(signal.SIGTERM)

        assert service.wait_for_end() == 0
        service.wait_for(" tiny drained")


def test_an_address_that_is_taken_is_named() -> None:
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        port = somebody.getsockname()[1]

        with pytest.raises(
            Misconfigured, match=rf"cannot listen on 127.0.0.1:{port} \(Address already in use\)"
        ):
            listen(f"127.0.0.1:{port}")
