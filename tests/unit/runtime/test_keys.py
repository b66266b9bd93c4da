"""Keys: who may do what, and how a key is compared."""

import hmac
from typing import Any

import pytest

from schemas.config import AuthConfig, KeyConfig, KeyUse
from services.runtime import keys
from services.runtime.keys import (
    ACTS,
    READS,
    WRITES,
    Denial,
    Denied,
    Holder,
    Keyring,
    bearer,
    hash_of,
    is_direct,
    keyring,
    new_key,
    refuse_scrape,
)
from tests.doubles.keys import AUTH, BOARD, BOARD_PARIS, INGEST, INGEST_PARIS, OPERATOR, OPERATOR_PARIS

RING = Keyring(AUTH.keys)
OURS = {b"host": b"127.0.0.1:8081"}


@pytest.mark.parametrize(
    ("key", "writes", "reads", "acts"),
    [
        (None, 401, 401, 401),
        ("", 401, 401, 401),
        ("vigie_unknown", 401, 401, 401),
        (BOARD[:-1], 401, 401, 401),
        (BOARD.upper(), 401, 401, 401),
        (hash_of(OPERATOR), 401, 401, 401),
        ("\udc80é", 401, 401, 401),
        (INGEST, 200, 403, 403),
        (INGEST_PARIS, 200, 403, 403),
        (BOARD, 403, 200, 403),
        (BOARD_PARIS, 403, 200, 403),
        (OPERATOR, 403, 200, 200),
        (OPERATOR_PARIS, 403, 200, 200),
    ],
)
def test_a_key_is_good_for_its_use(key: str | None, writes: int, reads: int, acts: int) -> None:
    outcomes = [RING.admit(key, uses) for uses in (WRITES, READS, ACTS)]

    assert [each.status if isinstance(each, Denied) else 200 for each in outcomes] == [writes, reads, acts]


@pytest.mark.parametrize(
    ("key", "uses", "reason", "challenge"),
    [
        (None, READS, Denial.NO_KEY, 'Bearer realm="vigie"'),
        ("x", READS, Denial.UNKNOWN_KEY, 'Bearer realm="vigie", error="invalid_token"'),
        (INGEST, READS, Denial.OTHER_USE, 'Bearer realm="vigie", error="insufficient_scope"'),
    ],
)
def test_a_refusal_says_what_is_missing_and_never_the_key(
    key: str | None, uses: frozenset[KeyUse], reason: Denial, challenge: str
) -> None:
    denied = RING.admit(key, uses)

    assert isinstance(denied, Denied)
    assert (denied.reason, denied.challenge()) == (reason, challenge)
    assert INGEST not in denied.detail


def test_holders_are_known_by_their_id_and_sites() -> None:
    assert RING.find(BOARD) == Holder("board-of-all", "board")
    assert RING.find(INGEST_PARIS) == Holder("ingest-of-paris", "ingest", frozenset({"paris"}))


def test_sites_left_out_are_all_of_them() -> None:
    everywhere, paris = Holder("a", "board"), Holder("b", "board", frozenset({"paris"}))

    assert [everywhere.covers("lyon"), paris.covers("paris"), paris.covers("lyon")] == [True, True, False]


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """Every pair that is compared, by the real comparison."""
    pairs: list[tuple[Any, Any]] = []

    def compare(known: Any, given: Any) -> bool:
        pairs.append((known, given))
        return hmac.compare_digest(known, given)

    class Watched:
        compare_digest = staticmethod(compare)

    monkeypatch.setattr(keys, "hmac", Watched)
    return pairs


@pytest.mark.parametrize("key", [INGEST, OPERATOR_PARIS, "vigie_unknown", "x" * 100_000])
def test_every_key_is_compared_whole_whichever_is_given(key: str, compared: list[tuple[Any, Any]]) -> None:
    RING.find(key)

    assert [known for known, _ in compared] == [bytes.fromhex(each.hash) for each in AUTH.keys]
    assert {(len(known), len(given)) for known, given in compared} == {(32, 32)}


def test_without_auth_there_is_no_ring() -> None:
    assert keyring(None) is None
    assert keyring(AuthConfig(keys=[])) is not None


def test_new_keys_differ_and_are_good_where_keys_go() -> None:
    made = {new_key() for _ in range(100)}

    assert len(made) == 100
    for key in made:
        assert key.startswith("vigie_")
        assert len(key) >= 48
        assert set(key) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert Keyring([KeyConfig(id="a", use="board", hash=hash_of(key))]).find(key) == Holder("a", "board")


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (b"Bearer abc", "abc"),
        (b"bearer abc", "abc"),
        (b"BEARER   abc ", "abc"),
        (b"Bearer ", None),
        (b"Bearer", None),
        (b"Basic abc", None),
        (b"abc", None),
        (b"", None),
    ],
)
def test_a_bearer_is_read(value: bytes, key: str | None) -> None:
    assert bearer({b"authorization": value}) == key


def test_no_header_is_no_bearer() -> None:
    assert bearer({}) is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({b"host": b"127.0.0.1:8082"}, True),
        ({b"host": b"LOCALHOST"}, True),
        ({b"host": b"[::1]:8082"}, True),
        ({b"host": b"vigie.example"}, False),
        ({b"host": b"10.0.0.7:8082"}, False),
        ({b"host": b""}, False),
        ({}, False),
        ({b"host": b"127.0.0.1", b"x-forwarded-for": b"10.0.0.7"}, False),
        ({b"host": b"127.0.0.1", b"forwarded": b"for=10.0.0.7"}, False),
    ],
)
def test_a_request_is_direct_when_it_names_this_machine_and_was_not_passed_on(
    headers: dict[bytes, bytes], expected: bool
) -> None:
    assert is_direct(headers) is expected


@pytest.mark.parametrize(
    ("ring", "address", "headers", "key", "status"),
    [
        (None, "127.0.0.1:8081", {b"host": b"x"}, None, 200),
        (RING, "127.0.0.1:8081", OURS, None, 200),
        (RING, "127.0.0.1:8081", {b"host": b"vigie.example"}, None, 401),
        (RING, "127.0.0.1:8081", {**OURS, b"x-forwarded-for": b"10.1.1.1"}, None, 401),
        (RING, "0.0.0.0:8081", OURS, None, 401),
        (RING, "0.0.0.0:8081", OURS, "wrong", 401),
        (RING, "0.0.0.0:8081", OURS, INGEST, 403),
        (RING, "0.0.0.0:8081", OURS, BOARD_PARIS, 403),
        (RING, "0.0.0.0:8081", OURS, BOARD, 200),
        (RING, "0.0.0.0:8081", OURS, OPERATOR, 200),
    ],
)
def test_metrics_need_a_key_for_every_site_unless_asked_from_here(
    ring: Keyring | None, address: str, headers: dict[bytes, bytes], key: str | None, status: int
) -> None:
    denied = refuse_scrape(ring, key, address=address, headers=headers)

    assert (200 if denied is None else denied.status) == status
