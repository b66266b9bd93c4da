"""docs/operations.md: every metric, every alert of ours, every port and topic has its place there."""

import re
from pathlib import Path

import yaml

from schemas.config import HttpConfig
from schemas.topics import TOPICS
from tests.deploy import exposition

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/operations.md").read_text("utf-8")
HEADINGS = re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)


def test_every_metric_is_explained_where_it_is_told() -> None:
    rows = re.findall(r"^\| `(vigie_[a-z_]+)` \| ([a-z, ]+) \| (.+) \|$", TEXT, re.MULTILINE)
    explained = {
        (name, f"vigie-{job}")
        for name, jobs, _ in rows
        for job in (["ingest", "aggregator", "api", "notifier"] if jobs == "all" else jobs.split(", "))
    }
    told = {
        (re.sub(r"_(bucket|sum|count)$", "", name), job)
        for job, names in exposition.told().items()
        for name in names
    }

    assert sorted(told - explained) == []
    assert sorted(explained - told) == []


def test_every_alert_has_its_chapter_and_its_severity() -> None:
    groups = yaml.safe_load((ROOT / "deploy/prometheus/vigie.rules.yml").read_text("utf-8"))["groups"]
    alerts = {rule["alert"]: rule["labels"]["severity"] for group in groups for rule in group["rules"]}

    written = dict(re.findall(r"^### (Vigie\w+)\n\*\*(\w+)\.\*\* ", TEXT, re.MULTILINE))
    assert written == {name: severity.capitalize() for name, severity in alerts.items()}
    runbooks = {rule["annotations"]["runbook_url"] for group in groups for rule in group["rules"]}
    assert runbooks == {f"docs/operations.md#{_anchor(name)}" for name in written}


def test_links_inside_lead_to_a_heading() -> None:
    anchors = {_anchor(heading) for heading in HEADINGS}

    assert [link for link in re.findall(r"\]\(#([^)]*)\)", TEXT) if link not in anchors] == []


def test_every_port_and_every_topic_that_is_kept_is_named() -> None:
    for name in ("ingest", "api", "aggregator", "notifier"):
        port = getattr(HttpConfig(), name).rpartition(":")[2]
        assert re.search(rf"^\| {name} \| {port} \|", TEXT, re.MULTILINE)
    assert [topic.name for topic in TOPICS if f"`{topic.name}`" not in TEXT] == []


def _anchor(heading: str) -> str:
    """As the page's address has it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
