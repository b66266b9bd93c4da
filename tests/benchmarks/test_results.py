"""The table of the benchmarks says what was measured, and nothing more."""

import pytest

from benchmarks.results import Line, Reach, number, spread, table


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (12345.6, "12,346"), (100, "100"), (4.512, "4.51"), (0.03412, "0.0341")]
)
def test_numbers_have_the_digits_that_mean_something(value: float, text: str) -> None:
    assert number(value) == text


def test_several_values_are_told_by_their_median_and_range() -> None:
    assert spread([3.0]) == "3"
    assert spread([9.0, 1.0, 2.0]) == "2 (1 to 9)"


def test_the_table_sets_ours_beside_others_as_ratios() -> None:
    lines = [
        Line(
            "a", "throughput", "events/s", [200.0, 400.0, 300.0], {"Faust": [30.0]}, Reach(350, is_least=True)
        ),
        Line("e", "cold start", "s", [4.0], reach=Reach(12)),
    ]

    _, _, first, second = table(lines).splitlines()

    assert [cell.strip() for cell in first.strip("|").split("|")] == [
        "a", "throughput", "events/s", "300 (200 to 400)", "Faust 30, × 0.1", "≥ 350", "no"
    ]  # fmt: skip
    assert [cell.strip() for cell in second.strip("|").split("|")] == [
        "e", "cold start", "s", "4", "–", "≤ 12", "yes"
    ]  # fmt: skip


def test_nothing_is_no_ratio() -> None:
    assert ", ×" not in table([Line("d", "wrong counts", "", [0], {"Faust": [8010]})])
