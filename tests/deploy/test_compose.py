"""docker-compose.yml, judged without Docker: as the specification reads it, what its containers may do."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from schemas.config import HttpConfig
from services.runtime import config as configuration
from services.runtime import options

ROOT = Path(__file__).parents[2]
SETTINGS = ROOT / "deploy/compose/vigie.toml"
LISTENING = {"ingest": 8081, "api": 8080, "aggregator": 8082, "notifier": 8083}
MOUNTED = "/etc/vigie/vigie.toml"
OURS = (*LISTENING, "topics")
_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")


@cache
def compose() -> dict[str, Any]:
    """The file, with its variables at their defaults."""
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    loaded: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(r"\2", text))
    return loaded


SERVICES = sorted(compose()["services"])


@pytest.fixture
def on_loopback(tmp_path: Path) -> Path:
    """The settings, listening on this machine only: elsewhere they would need keys that are in force."""
    file = tmp_path / "vigie.toml"
    file.write_text(SETTINGS.read_text("utf-8").replace('"0.0.0.0:', '"127.0.0.1:'), "utf-8")
    return file


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = compose()["services"][name]
    return found


def test_compose_reads_it_and_loses_nothing() -> None:
    read = PyCompose.from_json(json.dumps(compose()))
    read.validate()

    assert sorted(read.service_names()) == SERVICES
    assert [name for name in SERVICES if set(service(name)) - set(read.to_dict()["services"][name])] == []


def test_everything_is_there() -> None:
    assert set(SERVICES) == {*OURS, "kafka", "prometheus", "grafana"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_can_do_no_more_than_it_must(name: str) -> None:
    said = service(name)

    assert said["read_only"] is True
    assert said["cap_drop"] == ["ALL"]
    assert said["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in said
    assert "cap_add" not in said
    limits = said["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    assert "/tmp" in said["tmpfs"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_says_whether_it_is_well(name: str) -> None:
    check = service(name)["healthcheck"]

    assert check == {"disable": True} if name == "topics" else check["test"][0] == "CMD"


@pytest.mark.parametrize("name", SERVICES)
def test_only_this_machine_reaches_what_is_published(name: str) -> None:
    ports = service(name).get("ports", [])

    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert bool(ports) <= ("outside" in service(name)["networks"])


def test_kafka_and_what_only_speaks_with_it_are_cut_off() -> None:
    assert compose()["networks"]["inside"] == {"internal": True}
    assert [n for n in SERVICES if service(n)["networks"] == ["inside"]] == ["aggregator", "kafka", "topics"]


@pytest.mark.parametrize("name", OURS)
def test_our_services_run_the_image_with_a_command_that_it_takes(name: str, on_loopback: Path) -> None:
    said = service(name)
    command, *words = said["command"]
    told = options.parse(name, [str(on_loopback) if word == MOUNTED else word for word in words])

    assert said["build"] == {"context": ".", "dockerfile": "deploy/Dockerfile"}
    assert command == name
    assert MOUNTED in words
    assert (told.kafka.bootstrap, told.slot) == ("kafka:9092", 0)


def test_the_topics_are_there_before_anybody_needs_them() -> None:
    assert service("topics")["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    for name in LISTENING:
        assert service(name)["depends_on"] == {"topics": {"condition": "service_completed_successfully"}}


def test_the_settings_are_right_but_for_the_address(on_loopback: Path) -> None:
    text = SETTINGS.read_text("utf-8")

    config = configuration.load(on_loopback, environment={})

    assert (
        config.kafka.bootstrap == service("kafka")["environment"]["KAFKA_ADVERTISED_LISTENERS"].split("//")[1]
    )
    for name, port in LISTENING.items():
        assert f'{name} = "0.0.0.0:{port}"' in text
        assert getattr(HttpConfig(), name) == f"127.0.0.1:{port}"
    assert config.auth is not None
    assert {key.use for key in config.auth.keys} == {"board", "operator", "ingest"}


def test_no_key_of_the_tree_opens_anything() -> None:
    """Placeholders of hashes that no key can be found for, and no secret in the tree."""
    hashes = re.findall(r'hash = "([^"]*)"', SETTINGS.read_text("utf-8"))

    assert len(set(hashes)) == len(hashes) == 4
    assert all(re.fullmatch("0{62}[0-9a-f]{2}", each) for each in hashes)
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    for secret in compose()["secrets"].values():
        assert secret["file"].startswith("./deploy/compose/secrets/")
    assert "/deploy/compose/secrets/" in ignored


def test_files_that_are_mounted_are_there() -> None:
    mounted = [
        volume.split(":")[0]
        for name in SERVICES
        for volume in service(name).get("volumes", [])
        if volume.startswith(".")
    ]
    mounted += [config["file"] for config in compose()["configs"].values()]

    assert len(mounted) == 4
    assert [path for path in mounted if not (ROOT / path).exists()] == []


def test_grafana_and_prometheus_find_their_files_where_they_are_mounted() -> None:
    prometheus = service("prometheus")
    assert "./deploy/prometheus:/etc/prometheus:ro" in prometheus["volumes"]
    assert "--config.file=/etc/prometheus/prometheus.yml" in prometheus["command"]
    grafana = service("grafana")
    (board,) = [v for v in grafana["volumes"] if v.startswith("./deploy/grafana/dashboards:")]
    provider = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards/vigie.yml").read_text("utf-8"))
    assert board.split(":")[1] == provider["providers"][0]["options"]["path"]
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (ROOT / "deploy/grafana/dashboards" / home.name).is_file()


def test_images_of_others_are_pinned_and_kafka_is_the_one_that_the_tests_run() -> None:
    images = {name: service(name)["image"] for name in SERVICES if name not in OURS}
    jars = (ROOT / "services/cli/kafka_jars.txt").read_text("utf-8")

    assert all(re.search(r":v?\d+\.\d+\.\d+$", image) for image in images.values())
    version = images["kafka"].rpartition(":")[2]
    assert f"org.apache.kafka:kafka_2.13:{version}" in jars
