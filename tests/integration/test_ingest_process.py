"""Ingest as a process of its own: it starts, takes events, drains, and refuses what it cannot run."""

import json
import signal
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.doubles.served import free_port
from tests.doubles.started import Started
from tests.unit.ingest.posts import entered


def process(tmp_path: Path, settings: str, *, kafka: str = "127.0.0.1:1") -> Started:
    path = tmp_path / "vigie.toml"
    path.write_text(settings)
    options = ["--config", str(path), "--data", str(tmp_path / "data"), "--kafka", kafka]
    return Started([sys.executable, "-m", "services.ingest", *options], env={"VIGIE_PSEUDONYM_KEY": "k" * 16})


@pytest.mark.broker
def test_takes_events_and_drains_when_told(tmp_path: Path, broker: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    with process(tmp_path, f'[http]\ningest = "{address}"\n', kafka=broker) as started:
        started.wait_for("listening")
        started.wait_for("log_connected")
        headers = {"content-type": "application/cloudevents+json"}
        posted = json.dumps(entered()).encode()
        request = urllib.request.Request(f"http://{address}/v1/events", posted, headers)
        with urllib.request.urlopen(request) as answer:
            assert (answer.status, json.load(answer)) == (202, {"accepted": 1, "rejected": []})
        with urllib.request.urlopen(f"http://{address}/health/ready") as answer:
            assert answer.status == 200
        with urllib.request.urlopen(f"http://{address}/metrics") as answer:
            assert b"_created" not in answer.read(), "a second series beside each counter"
        started.process.send_signal(signal.SIGTERM)
        assert started.wait_for_end() == 0


def test_ends_in_time_with_no_kafka_anywhere(tmp_path: Path) -> None:
    with process(tmp_path, f'[http]\ningest = "127.0.0.1:{free_port()}"\n') as started:
        started.wait_for("listening")
        started.wait_for("log_unavailable")
        started.process.send_signal(signal.SIGINT)
        assert started.wait_for_end() == 0


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ('[http]\ningest = "0.0.0.0:8081"\n', "0.0.0.0:8081"),
        (
            '[[sources]]\nid = "pbx1"\nkind = "asterisk_ami"\nuser = "u"\nsecret_env = "NO_SUCH_SECRET"\n',
            "NO_SUCH_SECRET",
        ),
    ],
)
def test_what_cannot_be_started_is_said_with_exit_code_2(tmp_path: Path, settings: str, fault: str) -> None:
    with process(tmp_path, settings) as started:
        assert started.wait_for_end() == 2
        assert fault in "\n".join(started.lines)
