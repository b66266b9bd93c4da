"""Prometheus' own files: it takes them, every rule is tried, and asks for what our services really tell."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from schemas.config import HttpConfig
from tests.deploy import exposition
from tests.prometheus import promtool

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/prometheus"


@cache
def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "vigie.rules.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_prometheus_takes_the_configuration_and_the_rules(tmp_path: Path) -> None:
    for file in FOLDER.iterdir():
        text = file.read_text("utf-8").replace("/run/secrets/metrics_key", str(tmp_path / "key"))
        (tmp_path / file.name).write_text(text, "utf-8")
    (tmp_path / "key").write_text("secret")

    assert "SUCCESS" in promtool("check", "config", str(tmp_path / "prometheus.yml"))
    assert "SUCCESS" in promtool(
        "check", "rules", "--lint=all", "--lint-fatal", str(FOLDER / "vigie.rules.yml")
    )


def test_every_rule_does_what_its_examples_say() -> None:
    assert "SUCCESS" in promtool("test", "rules", str(FOLDER / "vigie.rules.test.yml"))


def test_every_rule_has_an_example_that_fires_and_one_that_is_silent() -> None:
    tests = yaml.safe_load((FOLDER / "vigie.rules.test.yml").read_text("utf-8"))["tests"]
    examples = [example for test in tests for example in test["promql_expr_test"]]
    fired = {
        name
        for example in examples
        for sample in example["exp_samples"]
        for name in re.findall(r'alertname="([^"]*)"', sample["labels"])
    }
    silent = " ".join(example["expr"] for example in examples if not example["exp_samples"])

    names = {rule["alert"] for rule in rules()}
    assert fired == names
    patterns = re.findall(r'alertname=~?"([^"]*)"', silent)
    assert [n for n in names if not any(re.fullmatch(p, n) for p in patterns)] == ["VigieServiceDown"]
    assert """ALERTS{alertstate="firing"}""" in silent  # of that one: nothing at all fires


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_says_how_bad_it_is_what_happened_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{rule['alert'].lower()}"


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_asks_for_what_is_told(rule: dict[str, Any]) -> None:
    assert exposition.faults(rule["expr"]) == []


def test_each_service_is_asked_where_it_listens() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}

    services = {job: job.removeprefix("vigie-") for job in exposition.JOBS}
    assert targets == {
        job: [f"{name}:{getattr(HttpConfig(), name).rpartition(':')[2]}"] for job, name in services.items()
    }
    assert all(job["authorization"]["credentials_file"] for job in config["scrape_configs"])


@pytest.mark.parametrize("job", sorted(exposition.registries()))
def test_promtool_finds_nothing_wrong_with_what_a_service_tells(job: str) -> None:
    page = generate_latest(exposition.registries()[job]).decode()

    assert promtool("check", "metrics", text=page) == ""
