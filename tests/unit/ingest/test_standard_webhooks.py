"""Signatures of posted events: the vectors, and everything that is none."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.receiving import Unsigned
from services.ingest.standard_webhooks import Signer, signers_of
from services.runtime.secrets import webhook_key

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data" / "standard-webhooks" / "vectors.json").read_text("utf-8")
)["vectors"]
GOOD = VECTORS[0]


def judged(
    vector: dict[str, Any], headers: dict[str, str] | None = None, **changed: Any
) -> Signer | Unsigned:
    told = {**vector, **changed}
    shown = told["headers"] if headers is None else headers
    signers = [
        Signer("other", "paris", [b"another key of 24 bytes ."]),
        Signer("shop", "paris", [webhook_key(told["secret"])]),
    ]
    raw = {name.encode(): value.encode() for name, value in shown.items()}
    found = signers_of(signers, raw, told["body"].encode(), now_ms=told["now"] * 1000)
    return found if isinstance(found, Unsigned) else found[0]


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_vectors(vector: dict[str, Any]) -> None:
    outcome = judged(vector)

    assert isinstance(outcome, Signer) is vector["valid"], outcome


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"webhook-signature": None}, Unsigned.MISSING),
        ({"webhook-id": None}, Unsigned.MISSING),
        ({"webhook-timestamp": None}, Unsigned.MISSING),
        ({"webhook-timestamp": "yesterday"}, Unsigned.MALFORMED),
        ({"webhook-timestamp": "9" * 400}, Unsigned.MALFORMED),
        ({"webhook-timestamp": "-1614265330"}, Unsigned.MALFORMED),
        ({"webhook-signature": "v1,???"}, Unsigned.MALFORMED),
        ({"webhook-signature": "v2,AAAA"}, Unsigned.MALFORMED),
        ({"webhook-signature": "v1,AAAA"}, Unsigned.WRONG),
    ],
)
def test_what_is_no_signature_is_told_by_its_reason(changed: dict[str, str | None], reason: Unsigned) -> None:
    headers = {name: value for name, value in {**GOOD["headers"], **changed}.items() if value is not None}

    assert judged(GOOD, headers) is reason


def test_old_and_future_ones_are_told_apart_from_wrong_ones() -> None:
    assert judged(GOOD, now=GOOD["now"] + 301) is Unsigned.OLD
    assert judged(GOOD, now=GOOD["now"] - 303) is Unsigned.OLD
    assert isinstance(judged(GOOD, now=GOOD["now"] + 299), Signer)


def test_while_a_secret_is_changed_both_are_good() -> None:
    keys = [b"the new key, 24 bytes ...", webhook_key(GOOD["secret"])]
    raw = {name.encode(): value.encode() for name, value in GOOD["headers"].items()}
    signers = [Signer("shop", "paris", keys), Signer("shop", "lyon", keys)]
    found = signers_of(signers, raw, GOOD["body"].encode(), now_ms=GOOD["now"] * 1000)

    assert found == signers


@given(
    st.dictionaries(
        st.sampled_from([b"webhook-id", b"webhook-timestamp", b"webhook-signature"]), st.binary(max_size=40)
    ),
    st.binary(max_size=40),
)
def test_whatever_is_shown_never_raises(headers: dict[bytes, bytes], body: bytes) -> None:
    signers = [Signer("shop", "paris", [b"a key of 24 bytes, or so "])]

    assert isinstance(signers_of(signers, headers, body, now_ms=0), Unsigned)
