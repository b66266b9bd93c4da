"""The comparisons of rules, by tables."""

import pytest

from schemas.config import QueueConfig
from schemas.expressions import SETTINGS, Expression, settings_of

QUEUE = settings_of(QueueConfig(id="support", wait_limit_s=120))


@pytest.mark.parametrize(
    ("text", "op", "limit"),
    [
        ("> wait_limit_s", ">", 120),
        ("< 0.75 * wait_limit_s", "<", 90),
        ("<0.75*wait_limit_s", "<", 90),
        (">= 120", ">=", 120),
        ("<= 2 * 60", "<=", 120),
        ("  <  0.8  ", "<", 0.8),
        ("< service_level.target", "<", 0.8),
        ("> service_level.threshold_s", ">", 20),
        ("> occupancy.high", ">", 0.85),
        ("> -1", ">", -1),
    ],
)
def test_expression_is_an_operator_and_a_limit(text: str, op: str, limit: float) -> None:
    expression = Expression.parse(text)

    assert expression.op == op
    assert expression.limit(QUEUE) == pytest.approx(limit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "120",
        "= 120",
        "> ",
        "> wait_limit_s * 2",
        "> 1 * 2 * 3",
        "> a b",
        "> nan",
        "> 1e9",
        "!= 1",
        "> 1;",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"comparison|setting"):
        Expression.parse(text)


def test_unknown_setting_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match='"wait_limit" is not a setting of a queue; there are wait_limit_s'):
        Expression.parse("> wait_limit")


@pytest.mark.parametrize(
    ("op", "below", "at", "above"),
    [
        ("<", True, False, False),
        ("<=", True, True, False),
        (">", False, False, True),
        (">=", False, True, True),
    ],
)
def test_comparison_at_and_beside_its_limit(op: str, below: bool, at: bool, above: bool) -> None:
    expression = Expression.parse(f"{op} 90")

    assert [expression.holds(value, 90.0) for value in (89.999, 90.0, 90.001)] == [below, at, above]


def test_every_setting_has_a_value() -> None:
    assert tuple(QUEUE) == SETTINGS
