"""How figures read."""

import pytest

from services.cli.terminal.words import age, columns_of, duration, fit, percent, plain


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "—"),
        (0, "0:00"),
        (7.9, "0:07"),
        (67, "1:07"),
        (723, "12:03"),
        (3599.9, "59:59"),
        (3600, "1 h 00"),
        (3900, "1 h 05"),
        (86_399, "23 h 59"),
        (86_400 * 3 + 4 * 3600, "3 d 04 h"),
        (-1, "0:00"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        (0.0, "0%"),
        (1.0, "100%"),
        (0.0001, "<1%"),
        (0.0049, "<1%"),
        (0.005, "1%"),
        (0.9951, ">99%"),
        (0.99999, ">99%"),
        (0.994, "99%"),
        (0.825, "83%"),
        (0.8249, "82%"),
        (0.125, "13%"),
    ],
)
def test_rates_read_zero_and_hundred_only_when_exact(value: float | None, text: str) -> None:
    assert percent(value) == text


@pytest.mark.parametrize(
    ("heard_ms", "text"), [(None, "—"), (999, "0 s"), (-13_000, "14 s"), (-251_000, "4:12"), (2000, "0 s")]
)
def test_ages(heard_ms: int | None, text: str) -> None:
    assert age(heard_ms, 1000) == text


def test_names_cannot_steer_the_terminal() -> None:
    assert plain("a\x1b[2Jb\nc\x07") == "a�[2Jb�c�"
    assert plain("Échéancier · Lyon") == "Échéancier · Lyon"


def test_wide_and_combining_characters_are_measured_as_they_are_drawn() -> None:
    assert columns_of("客服") == 4
    assert columns_of("e\u0301") == 1
    assert fit("客服客服", 5) == "客服…"
    assert fit("short", 5) == "short"
