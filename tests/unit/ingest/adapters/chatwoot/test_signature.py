"""Chatwoot's signature: the vectors, and everything that is none."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.ingest.adapters.chatwoot.signature import verify
from services.ingest.receiving import Request, Unsigned

DATA = Path(__file__).parents[4] / "data" / "chatwoot" / "signature_vectors.json"
VECTORS: list[dict[str, Any]] = json.loads(DATA.read_text("utf-8"))["vectors"]
GOOD = VECTORS[0]


def judged(
    vector: dict[str, Any], *, secrets: tuple[str, ...] = (), **headers: str | None
) -> Unsigned | None:
    shown = {name.lower(): value for name, value in vector["headers"].items()}
    for name, value in headers.items():
        if value is None:
            del shown[f"x-chatwoot-{name}"]
        else:
            shown[f"x-chatwoot-{name}"] = value
    request = Request(path="/", query="", headers=shown, body=vector["body"].encode())
    return verify(request, secrets or (vector["secret"], ""), vector["verify_at_epoch"] * 1000)


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_vectors(vector: dict[str, Any]) -> None:
    assert (judged(vector) is None) is vector["valid"]


def test_reasons() -> None:
    assert judged(GOOD, signature=None) is Unsigned.MISSING
    assert judged(GOOD, timestamp=None) is Unsigned.MISSING
    assert judged(GOOD, signature="md5=00") is Unsigned.MALFORMED
    assert judged(GOOD, timestamp="soon") is Unsigned.MALFORMED
    assert judged(GOOD, signature="sha256=" + "0" * 64) is Unsigned.WRONG
    assert judged(GOOD, timestamp="1774708579") is Unsigned.WRONG
    assert judged(VECTORS[1]) is Unsigned.OLD
    assert judged(VECTORS[2]) is Unsigned.WRONG
    assert judged(GOOD, secrets=("", "")) is Unsigned.WRONG


def test_while_the_secret_is_changed_both_are_good() -> None:
    assert judged(GOOD, secrets=("new", GOOD["secret"])) is None
