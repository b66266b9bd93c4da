"""Where services listen: what that is made of, and who can reach it."""

import pytest

from services.runtime.listening import from_here, is_loopback, split_address


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("[::1]:80", ("::1", 80)),
        ("wall.example:65535", ("wall.example", 65535)),
        ("wall.example:65536", None),
        ("wall.example", None),
        ("::1:80", None),
        (":80", None),
        ("a b:80", None),
        ("", None),
    ],
)
def test_an_address_is_host_and_port(address: str, parts: tuple[str, int] | None) -> None:
    assert split_address(address) == parts


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:8080",
        "localhost:1",
        "[::1]:8080",
        "127.9.9.9:80",
        "localhost",
        "Localhost:1",
        "[::1]",
        "::1",
    ],
)
def test_loopback_is_this_machine(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0:8080",
        "192.168.1.4:8080",
        "[::]:8080",
        ":8080",
        "",
        "board.example:80",
        "127.0.0.1.evil:80",
        "x@127.0.0.1:80",
    ],
)
def test_any_other_address_is_not(address: str) -> None:
    assert not is_loopback(address)


@pytest.mark.parametrize(
    ("listened", "reached"),
    [
        ("0.0.0.0:8080", "127.0.0.1:8080"),
        ("[::]:8080", "[::1]:8080"),
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        ("10.0.0.7:8080", "10.0.0.7:8080"),
    ],
)
def test_what_listens_everywhere_is_reached_on_loopback(listened: str, reached: str) -> None:
    assert from_here(listened) == reached
