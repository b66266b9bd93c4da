"""A key in the address becomes a cookie, and leaves the address."""

import pytest

from services.api.sign_in import cookie, key_in_cookie, key_in_query, place
from services.runtime.keys import new_key


@pytest.mark.parametrize(
    ("query", "key", "rest"),
    [
        (b"", None, b""),
        (b"lang=fr", None, b"lang=fr"),
        (b"key=abc", "abc", b""),
        (b"key=", "", b""),
        (b"site=paris&key=abc&queues=a,b", "abc", b"site=paris&queues=a,b"),
        (b"key=abc&key=def", "abc", b""),
        (b"key=a%2Bb+c", "a+b c", b""),
        (b"monkey=abc", None, b"monkey=abc"),
    ],
)
def test_the_key_leaves_the_query_and_the_rest_stays_as_it_was(
    query: bytes, key: str | None, rest: bytes
) -> None:
    assert key_in_query(query) == (key, rest)


def test_the_page_is_found_again_beside_itself() -> None:
    assert place(b"") == "./"
    assert place(b"lang=fr&queues=a,b") == "./?lang=fr&queues=a,b"


def test_the_cookie_is_for_nobody_but_us() -> None:
    words = cookie("abc", is_secure=False).split("; ")

    assert words[0] == "vigie_key=abc"
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} < set(words)
    assert "Secure" not in words
    assert cookie("abc", is_secure=True).endswith("; Secure")


@pytest.mark.parametrize("key", [new_key(), "a;b=c é\r\n"], ids=["new", "strange"])
def test_what_the_browser_sends_back_is_the_key(key: str) -> None:
    sent = cookie(key, is_secure=True).partition(";")[0].encode("ascii")

    assert key_in_cookie({b"cookie": b"theme=dark; " + sent + b"; a=b"}) == key


@pytest.mark.parametrize("sent", [b"", b"vigie_key", b"vigie_key=", b"my_vigie_key=abc", b";;=;"])
def test_no_key_is_found_where_there_is_none(sent: bytes) -> None:
    assert key_in_cookie({b"cookie": sent}) is None
