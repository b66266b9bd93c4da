"""Every figure of `vectors/` that is a live one comes out of the oracle."""

import pytest

from tests.data.vector_case import QUEUE, SITE, VECTORS, Case, rows
from tests.data.vector_cases import NOT_LIVE, cases
from tests.oracle.fold import figures

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_oracle_gives_the_figure(case: Case) -> None:
    row = figures(case.events, case.config, now_ms=case.now_ms)[SITE, QUEUE]
    assert case.figure(row) == pytest.approx(case.expected, rel=0, abs=case.tolerance)


def test_every_row_is_driven_or_left_out_with_a_reason() -> None:
    driven = {tuple(case.name.split()[:2]) for case in CASES}
    for file in sorted(VECTORS.glob("*.csv")):
        left_out = NOT_LIVE.get(file.name, {})
        for row in rows(file.name):
            is_driven = (file.stem, row["id"]) in driven
            assert is_driven != ("*" in left_out or row["id"] in left_out), (file.name, row["id"])


def test_the_reasons_name_rows_that_exist() -> None:
    for file, reasons in NOT_LIVE.items():
        ids = {row["id"] for row in rows(file)}
        assert {name for name in reasons if name != "*"} <= ids
