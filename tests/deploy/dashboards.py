"""The dashboards of deploy/grafana, read: panels, variables, every expression as Prometheus gets it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "deploy/grafana"
FILES = sorted((FOLDER / "dashboards").glob("*.json"))

_FILLED = {"$__rate_interval": "1m", "$window": "15m"}
_LABEL_VALUES = re.compile(r"label_values\((.*), *(\w+)\)")


def read(file: Path) -> dict[str, Any]:
    dashboard: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return dashboard


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that show something; rows are left out."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    """Where it stands, and the expression with its variables filled in."""
    for file in FILES:
        dashboard = read(file)
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                match = _LABEL_VALUES.fullmatch(variable["query"]["query"])
                assert match is not None, variable
                yield f"{file.stem}: ${variable['name']}", filled(f"count by ({match[2]}) ({match[1]})")
        for panel in panels(dashboard):
            for target in panel["targets"]:
                yield f"{file.stem}: {panel['title']}", filled(target["expr"])


def variables_of(expression: str) -> set[str]:
    """The names of the dashboard's own variables in an expression."""
    return {name for name in re.findall(r"\$(\w+)", expression) if not name.startswith("__")}


def filled(expression: str) -> str:
    """As it is asked with everything chosen."""
    for name, value in _FILLED.items():
        expression = expression.replace(name, value)
    return re.sub(r"\$\w+", ".*", expression)
