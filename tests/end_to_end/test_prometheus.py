"""The real Prometheus, our files, the running system: it is asked, and what rules ask for is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.deploy import exposition
from tests.deploy.dashboards import expressions
from tests.end_to_end.prometheus import FILES, RunningPrometheus, running_prometheus
from tests.end_to_end.running_system import SERVICES, SITE, RunningSystem, until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

_ITS_OWN = {"le", "job", "instance", "alertname", "alertstate"}


async def test_prometheus_reads_the_running_system_and_every_expression_finds_its_labels(
    system: RunningSystem, tmp_path: Path
) -> None:
    await system.tell("queue.entered", contact="seen-by-prometheus", queue="scraped", channel="phone")
    async with running_prometheus(tmp_path, system.addresses) as prometheus:

        async def all_up() -> bool:
            healths = await prometheus.healths()
            return all(healths.get(f"vigie-{name}") == "up" for name in SERVICES)

        async def is_waiting() -> bool:
            found = await prometheus.ask("query", query=f'vigie_queue_contacts_waiting{{site="{SITE}"}} > 0')
            return "scraped" in [each["metric"]["queue"] for each in found["result"]]

        await until(all_up, "not every service is read")
        await until(is_waiting, "the contact is not seen")
        await _rules_are_well(prometheus)
        await _labels_are_there(prometheus)
    await system.tell("contact.ended", contact="seen-by-prometheus")


async def _rules_are_well(prometheus: RunningPrometheus) -> None:
    async def evaluated() -> bool:
        groups = (await prometheus.ask("rules"))["groups"]
        return all(rule["health"] != "unknown" for group in groups for rule in group["rules"])

    await until(evaluated, "rules are not looked at")
    groups = (await prometheus.ask("rules"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert {rule["name"] for rule in rules} == {name for name, _ in _rules()}
    assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []


async def _labels_are_there(prometheus: RunningPrometheus) -> None:
    """Where a series exists, it has the labels by which rules and dashboards choose and group it."""
    missing = []
    for where, expression in [*_rules(), *expressions()]:
        await prometheus.ask("query", query=expression)
        for selected in exposition.asked(expression):
            series = await prometheus.ask("series", **{"match[]": selected.name})
            known = {label for each in series for label in each} | _ITS_OWN
            wanted = set(re.findall(r"(\w+)=", selected.matchers)) | _groupings(expression)
            if series and not wanted <= known:
                missing.append((where, selected.name, sorted(wanted - known)))
    assert missing == []


def _groupings(expression: str) -> set[str]:
    return {
        label.strip()
        for labels in re.findall(r"\bby \(([^)]*)\)", expression)
        for label in labels.split(",")
        if label.strip()
    }


def _rules() -> Iterator[tuple[str, str]]:
    for group in yaml.safe_load((FILES / "vigie.rules.yml").read_text("utf-8"))["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
