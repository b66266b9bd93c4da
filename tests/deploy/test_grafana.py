"""The dashboards: what Grafana reads in them, what Prometheus is asked, what each panel says of itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.deploy import exposition
from tests.deploy.dashboards import FILES, FOLDER, expressions, panels, read, variables_of
from tests.prometheus import promtool

_UNITS = {"short", "s", "percentunit", "cps", "cpm", "reqps"}
"""Grafana's ids of the units we use."""

_EACH = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def test_there_is_one_for_the_centre_and_one_for_the_pipeline() -> None:
    assert [file.stem for file in FILES] == ["vigie-centre", "vigie-pipeline"]
    assert [read(file)["uid"] for file in FILES] == ["vigie-centre", "vigie-pipeline"]


@_EACH
def test_grafana_knows_every_field(file: Path) -> None:
    """Read into Grafana's own models and written again, nothing is lost."""
    register_default_plugins()
    written = JSONEncoder(sort_keys=True).encode(Dashboard.from_json(read(file)))

    assert list(_lost(read(file), json.loads(written))) == []


@_EACH
def test_every_panel_says_what_it_shows_in_which_unit_and_from_where(file: Path) -> None:
    dashboard = read(file)
    for panel in panels(dashboard):
        where = panel["title"]
        assert where
        assert panel["description"].endswith("."), where
        assert panel["fieldConfig"]["defaults"]["unit"] in _UNITS, where
        assert panel["fieldConfig"]["defaults"]["noValue"], where
        assert all(target["datasource"] == _source() for target in panel["targets"]), where
    for variable in dashboard["templating"]["list"]:
        assert variable["description"]
        assert variable.get("datasource", _source()) == _source()
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))


@_EACH
def test_a_curve_breaks_where_figures_were_stale(file: Path) -> None:
    curves = [panel for panel in panels(read(file)) if panel["type"] == "timeseries"]

    assert len(curves) > 8
    assert all(panel["fieldConfig"]["defaults"]["custom"]["spanNulls"] is False for panel in curves)


@_EACH
def test_panels_do_not_overlap(file: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in read(file)["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


@_EACH
def test_every_variable_is_used_and_every_used_one_is_there(file: Path) -> None:
    dashboard = read(file)
    variables = dashboard["templating"]["list"]
    used = {name for p in panels(dashboard) for t in p["targets"] for name in variables_of(t["expr"])}
    used |= {name for v in variables if v["type"] == "query" for name in variables_of(v["query"]["query"])}

    assert used == {variable["name"] for variable in variables}


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_an_expression_asks_for_what_is_told(where: str, expression: str) -> None:
    assert exposition.faults(expression) == [], where


def test_prometheus_understands_every_expression(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{n}", "expr": expression} for n, (_, expression) in enumerate(expressions())]
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}), "utf-8")

    assert f"{len(rules)} rules found" in promtool("check", "rules", str(file))


def test_the_board_gauges_of_two_apis_are_not_added_up() -> None:
    """Each replica tells the whole board."""
    for where, expression in expressions():
        for selected in exposition.asked(expression):
            if selected.job == "vigie-api" and selected.name.startswith(("vigie_queue_", "vigie_agents")):
                assert "max" in expression or "count by" in expression, where


def test_grafana_is_given_the_datasource_and_the_folder_that_compose_mounts() -> None:
    datasources = yaml.safe_load((FOLDER / "provisioning/datasources/prometheus.yml").read_text("utf-8"))
    providers = yaml.safe_load((FOLDER / "provisioning/dashboards/vigie.yml").read_text("utf-8"))

    (datasource,) = datasources["datasources"]
    assert {"type": datasource["type"], "uid": datasource["uid"]} == _source()
    (provider,) = providers["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards/vigie"


def _source() -> dict[str, str]:
    return {"type": "prometheus", "uid": "vigie-prometheus"}


def _lost(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Where `after` lacks something of `before`, or has another value."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in after:
                yield from _lost(value, after[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _lost(one, other, f"{path}[{number}]")
    elif before != after:
        yield path
