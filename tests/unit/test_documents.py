"""What the documents say of the tree: links lead somewhere, decisions are numbered, metrics are named."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")]
_LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
_METRIC = re.compile(r'"(vigie_[a-z_]+)"')


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_to_one(document: Path) -> None:
    links = _LINK.findall(document.read_text("utf-8"))

    assert [link for link in links if not (document.parent / link).exists()] == []


def test_decisions_are_numbered_without_holes_and_say_what_they_must() -> None:
    records = sorted((ROOT / "docs/decisions").glob("*.md"))

    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text("utf-8")
        assert text.startswith(f"# {int(record.name[:4])}. "), record.name
        assert all(f"\n## {part}\n" in text for part in ("Context", "Decision", "Consequences")), record.name


def test_the_extra_for_amazon_is_the_one_that_is_locked() -> None:
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    lines = (ROOT / "requirements/aws.in").read_text("utf-8").splitlines()
    locked = (ROOT / "requirements/aws.txt").read_text("utf-8")

    assert extra["aws"] == [line for line in lines if line and line[0] not in "#-"]
    assert all(f"\n{each} " in f"\n{locked}" for each in extra["aws"])


def test_the_changelog_names_every_metric() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    names = {
        name
        for file in ROOT.glob("services/*/metrics.py")
        for name in _METRIC.findall(file.read_text("utf-8"))
    }

    assert len(names) > 30
    assert sorted(name for name in names if name not in changelog) == []
