"""Who may speak to the api."""

import pytest

from schemas.errors import Misconfigured
from services.api.guard import Guard, is_loopback, refuse_exposure


@pytest.mark.parametrize(
    "address", ["127.0.0.1:8080", "localhost:1", "[::1]:8080", "127.9.9.9:80", "localhost"]
)
def test_loopback_is_this_machine(address: str) -> None:
    assert is_loopback(address)
    refuse_exposure(address)


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0:8080", "192.168.1.4:8080", "[::]:8080", ":8080", "", "board.example:80", "127.0.0.1.evil:80"],
)
def test_any_other_address_is_refused_and_named(address: str) -> None:
    assert not is_loopback(address)
    with pytest.raises(Misconfigured, match="only this machine") as refusal:
        refuse_exposure(address)
    assert repr(address) in str(refusal.value)


@pytest.mark.parametrize(
    ("origin", "host", "known"),
    [
        (None, "127.0.0.1:8080", True),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", True),
        ("https://127.0.0.1:8080", "127.0.0.1:8080", True),
        ("http://127.0.0.1:8081", "127.0.0.1:8080", False),
        ("http://localhost:8080", "127.0.0.1:8080", False),
        ("https://evil.example", "127.0.0.1:8080", False),
        ("null", "127.0.0.1:8080", False),
        ("https://BOARD.example", "127.0.0.1:8080", True),
        ("", None, False),
    ],
)
def test_a_page_is_known_by_its_origin(origin: str | None, host: str | None, known: bool) -> None:
    assert Guard(["https://board.example/"]).knows_origin(origin, host) is known


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1:8080", True),
        ("localhost", True),
        ("board.example", True),
        ("evil.example", False),
        (None, False),
    ],
)
def test_a_name_that_is_not_ours_is_not_known(host: str | None, known: bool) -> None:
    assert Guard(["https://board.example"]).knows_host(host) is known
