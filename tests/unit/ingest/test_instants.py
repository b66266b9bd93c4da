"""Instants as other systems write them."""

import contextlib
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InvalidMessage
from services.ingest.instants import epoch_ms

PARIS = ZoneInfo("Europe/Paris")
AT = 1_795_341_600_000
"""2026-11-22T10:00:00Z."""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (AT // 1000, AT),
        (AT, AT),
        (1_795_341_600.25, AT + 250),
        ("1795341600", AT),
        ("1795341600123", AT + 123),
        ("1795341600.9996", AT + 999),
        ("2026-11-22T10:00:00Z", AT),
        ("2026-11-22T11:00:00.123456+01:00", AT + 123),
        ("2026-11-22 11:00:00", AT),
        (" 2026-11-22 11:00:00.5 ", AT + 500),
    ],
)
def test_instants(value: object, expected: int) -> None:
    assert epoch_ms(value, zone=PARIS) == expected


def test_a_form_of_ones_own() -> None:
    assert epoch_ms("22/11/2026 11:00", zone=PARIS, form="%d/%m/%Y %H:%M") == AT


def test_an_hour_that_comes_twice_is_the_first() -> None:
    assert epoch_ms("2026-10-25 02:30:00", zone=PARIS) == epoch_ms("2026-10-25T00:30:00Z")


@pytest.mark.parametrize(
    "value", [None, True, "", "yesterday", -1, "1969-12-31", 1e15, [], float("nan"), "1" * 5000]
)
def test_what_is_no_instant_is_said(value: object) -> None:
    with pytest.raises(InvalidMessage):
        epoch_ms(value)


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.lists(st.integers())))
def test_whatever_comes_is_an_instant_or_invalid(value: object) -> None:
    with contextlib.suppress(InvalidMessage):
        assert epoch_ms(value) >= 0
