"""`vigie up` as people start it: the real command, Kafka and services, ended in every way there is."""

import json
import os
import signal
import socket
import sys
import time
import urllib.request
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from services.cli.broker import free_ports
from tests.doubles.started import Started, all_gone, is_alive

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

SERVICES = ("ingest", "aggregator", "api", "notifier")


def up(folder: Path, *, kafka: str | None = None) -> Started:
    """A whole system on free ports, its data in the folder."""
    settings = folder / "vigie.toml"
    if not settings.exists():
        folder.mkdir(exist_ok=True)
        settings.write_text(_http())
    told = ["up", f"--config={settings}", f"--data={folder / 'data'}"]
    told += [f"--kafka={kafka}"] if kafka else []
    return Started([sys.executable, "-m", "services.cli", *told])


def _http() -> str:
    listeners = zip(SERVICES, free_ports(len(SERVICES)), strict=True)
    return "[http]\n" + "".join(f'{name} = "127.0.0.1:{port}"\n' for name, port in listeners)


def test_a_system_starts_restarts_what_dies_and_ends_when_asked(tmp_path: Path) -> None:
    with up(tmp_path) as system:
        wallboard = system.wait_for("Wallboard: http://127.0.0.1:").split()[1]
        with urllib.request.urlopen(wallboard) as page:
            assert page.status == 200
        before = system.pids()
        assert tuple(before) == ("kafka", *SERVICES)

        os.kill(before["kafka"], signal.SIGKILL)
        system.wait_for('process_died process=kafka cause="signal SIGKILL"')
        os.kill(before["ingest"], signal.SIGKILL)
        system.wait_for("process_started process=kafka", times=2)
        system.wait_for(" ingest listening", times=2)

        system.process.send_signal(signal.SIGINT)
        assert system.wait_for_end() == 0
        assert all_gone([*before.values(), *system.pids().values()])


def test_killed_itself_it_leaves_nothing_and_disturbs_nobody(tmp_path: Path) -> None:
    with up(tmp_path / "one") as one, up(tmp_path / "two") as two:
        address = one.wait_for(" kafka_ready ").split("address=")[1].split()[0]
        one.wait_for("Wallboard: ")
        two.wait_for("Wallboard: ")
        with up(tmp_path / "one") as same:
            assert same.wait_for_end() == 2
            same.wait_for(f"--data {tmp_path / 'one' / 'data'}: another Vigie runs in this folder")

        pids = list(one.pids().values())
        assert all(map(is_alive, pids))
        one.process.kill()
        assert all_gone(pids)
        assert all(map(is_alive, two.pids().values()))

        with up(tmp_path / "one") as again:
            assert f"address={address} " in again.wait_for(" kafka_ready ")
            again.wait_for("topics_declared created=0 aligned=0")
            again.process.send_signal(signal.SIGTERM)
            assert again.wait_for_end() == 0
            assert all_gone(list(again.pids().values()))


def test_the_demo_shows_six_queues_on_three_channels(tmp_path: Path) -> None:
    own = resources.files("services.cli.demo").joinpath("vigie.toml").read_text("utf-8")
    (tmp_path / "vigie.toml").write_text(_http() + own)
    told = ["demo", f"--config={tmp_path / 'vigie.toml'}", f"--data={tmp_path / 'data'}", "--seed=7"]
    with Started([sys.executable, "-m", "services.cli", *told]) as system:
        wallboard = system.wait_for("Wallboard: http://127.0.0.1:").split()[1]
        sites: list[dict[str, Any]] = []
        while not any(_is_lively(site) for site in sites):
            time.sleep(0.2)
            with urllib.request.urlopen(f"{wallboard}api/v1/board") as answer:
                sites = json.load(answer)["sites"]
        [site] = sites
        queues = site["queues"]
        assert len(queues) == 6
        assert {queue["channel"] for queue in queues} == {"phone", "chat", "email"}
        assert {queue["freshness"] for queue in queues} == {"live"}

        system.process.send_signal(signal.SIGTERM)
        assert system.wait_for_end() == 0
        assert all_gone(list(system.pids().values()))


def _is_lively(site: dict[str, Any]) -> bool:
    """Whether somebody waits and somebody works."""
    return any(queue["waiting"] for queue in site["queues"]) and sum(site["agents"].values()) > 0


def test_every_address_that_is_taken_is_named_with_its_setting(tmp_path: Path, broker: str) -> None:
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.bind(("127.0.0.1", 0))
            each.listen()
        taken = {"api": first.getsockname()[1], "ingest": second.getsockname()[1]}
        lines = [f'{name} = "127.0.0.1:{port}"' for name, port in taken.items()]
        (tmp_path / "vigie.toml").write_text("\n".join(["[http]", *lines]))
        with up(tmp_path, kafka=broker) as system:
            assert system.wait_for_end() == 2
            for line in lines:
                assert "in use" in system.wait_for(f"[http] {line}: ")


def test_a_kafka_with_other_partitions_is_refused(tmp_path: Path, broker: str) -> None:
    (tmp_path / "vigie.toml").write_text("[kafka]\npartitions = 8\n" + _http())

    with up(tmp_path, kafka=broker) as system:
        assert system.wait_for_end() == 2
        system.wait_for("topic vigie.events: has 4 partitions, [kafka] partitions is 8")


def test_a_kafka_that_is_not_there_is_a_failure_with_its_address(tmp_path: Path) -> None:
    [port] = free_ports(1)
    with up(tmp_path, kafka=f"127.0.0.1:{port}") as system:
        assert system.wait_for_end() == 1
        system.wait_for(f"Kafka at 127.0.0.1:{port} does not answer")
