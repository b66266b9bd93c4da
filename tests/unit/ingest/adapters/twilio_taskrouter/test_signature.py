"""X-Twilio-Signature: the vendor's vectors, our own, and everything that is none."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from services.ingest.adapters.twilio_taskrouter.signature import MAX_FIELDS, verify
from services.ingest.receiving import Request, Unsigned
from tests.doubles.twilio import FORM, signature

SHARED = Path(__file__).parents[6] / "shared" / "samples" / "twilio-taskrouter" / "07_signature_vectors.json"
needs_shared = pytest.mark.skipif(
    not SHARED.is_file(), reason="other people's vectors are not copied here: needs ../shared/samples"
)
TOKEN = "12345"
URL = "https://vigie.example.org/v1/sources/flex"
PUBLIC = "https://vigie.example.org"
PAIRS = [
    ("TaskSid", "WT1"),
    ("EventType", "task.created"),
    ("TaskAttributes", '{"from": "é+ "}'),
    ("Empty", ""),
]
BODY = b'[{"type": "com.twilio.taskrouter.task.created", "specversion": "1.0"}]'
HASHED = f"bodySHA256={hashlib.sha256(BODY).hexdigest()}"


def request(
    body: bytes,
    given: str | None,
    *,
    media: str = FORM,
    query: str = "",
    host: str = "vigie.example.org",
    path: str = "/v1/sources/flex",
) -> Request:
    headers = {"host": host, "content-type": media}
    if given is not None:
        headers["x-twilio-signature"] = given
    return Request(path=path, query=query, headers=headers, body=body)


def form(given: str | None, pairs: list[tuple[str, str]] = PAIRS, **more: str) -> Request:
    return request(urlencode(pairs).encode(), given, **more)


def posted(given: str | None, body: bytes = BODY, *, query: str = HASHED, **more: str) -> Request:
    return request(body, given, media="application/json", query=query, **more)


def vectors() -> list[Mapping[str, Any]]:
    if not SHARED.is_file():
        return []
    told = json.loads(SHARED.read_bytes())
    return [{"token": told["auth_token"], **vector} for vector in told["vectors"]]


@needs_shared
@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["name"])
@pytest.mark.parametrize("is_behind_proxy", [True, False])
def test_the_vendors_vectors_are_good(vector: Mapping[str, Any], is_behind_proxy: bool) -> None:
    url = urlsplit(vector["url"])
    is_form = "form" in vector
    body = urlencode([tuple(pair) for pair in vector["form"]]) if is_form else vector["body"]
    signed = request(
        body.encode(),
        vector["x_twilio_signature"],
        media=FORM if is_form else "application/json",
        query=url.query,
        host="10.0.0.7:8081" if is_behind_proxy else url.netloc,
        path=url.path,
    )
    public_url = f"{url.scheme}://{url.netloc}" if is_behind_proxy else None

    assert verify(signed, [vector["token"]], public_url=public_url) is None
    assert verify(signed, [vector["token"] + "6"], public_url=public_url) is Unsigned.WRONG


def test_a_form_signed_with_openssl_is_good() -> None:
    """`printf … | openssl dgst -sha1 -hmac 12345 -binary | base64`."""
    pairs = [("Digits", "1234"), ("To", "+18005551212"), ("From", "+14158675309")]
    signed = form("IbQGTCBIydKa89F/Wh4p051JP3I=", pairs, host="mycompany.com", path="/myapp", query="foo=1")

    assert verify(signed, [TOKEN], public_url=None) is None


@pytest.mark.parametrize(
    ("signed_url", "public_url", "host"),
    [
        (URL, PUBLIC, "10.0.0.7:8081"),
        (URL, f"{PUBLIC}/", "10.0.0.7:8081"),
        (URL, URL, "10.0.0.7:8081"),
        (URL, f"{PUBLIC}:443", "10.0.0.7"),
        ("https://vigie.example.org:443/v1/sources/flex", PUBLIC, "10.0.0.7"),
        ("https://vigie.example.org:8443/v1/sources/flex", f"{PUBLIC}:8443", "10.0.0.7"),
        ("https://vigie.example.org/v1/sources/flex", f"{PUBLIC}:8443", "10.0.0.7"),
        ("https://vigie.example.org/hooks/twilio", f"{PUBLIC}/hooks/twilio", "10.0.0.7"),
        (URL, None, "vigie.example.org"),
        (URL.replace("https", "http"), None, "vigie.example.org"),
        ("http://vigie.example.org:80/v1/sources/flex", None, "vigie.example.org"),
        ("http://127.0.0.1:8081/v1/sources/flex", None, "127.0.0.1:8081"),
        ("http://127.0.0.1/v1/sources/flex", None, "127.0.0.1:8081"),
        ("http://[::1]:8081/v1/sources/flex", None, "[::1]:8081"),
    ],
)
def test_the_address_is_the_public_one_with_or_without_port(
    signed_url: str, public_url: str | None, host: str
) -> None:
    signed = form(signature(TOKEN, signed_url, PAIRS), host=host)

    assert verify(signed, [TOKEN], public_url=public_url) is None


@pytest.mark.parametrize(
    ("public_url", "host"),
    [
        (PUBLIC, "other.example.org"),
        (None, "other.example.org"),
        (None, ""),
        (None, "["),
        (None, "x:y"),
        ("https://other.example.org", "vigie.example.org"),
        ("http://vigie.example.org", "vigie.example.org"),
    ],
)
def test_what_was_signed_for_another_address_is_not_for_us(public_url: str | None, host: str) -> None:
    for signed_url in ("https://other.org/v1/sources/flex", f"{URL}x", f"https://{host}/elsewhere"):
        signed = form(signature(TOKEN, signed_url, PAIRS), host=host)
        assert verify(signed, [TOKEN], public_url=public_url) is Unsigned.WRONG


def test_a_host_cannot_bring_its_own_path() -> None:
    signed = form(signature(TOKEN, "http://evil.example/hook", PAIRS), host="evil.example/hook")

    assert verify(signed, [TOKEN], public_url=None) is Unsigned.WRONG


def test_forwarded_headers_are_not_trusted() -> None:
    signed = form(signature(TOKEN, URL, PAIRS), host="10.0.0.7")
    forwarded = {**signed.headers, "x-forwarded-host": "vigie.example.org", "x-forwarded-proto": "https"}
    request_ = Request(path=signed.path, query="", headers=forwarded, body=signed.body)

    assert verify(request_, [TOKEN], public_url=None) is Unsigned.WRONG


@pytest.mark.parametrize(
    ("tokens", "reason"),
    [
        ([TOKEN, ""], None),
        (["new", TOKEN], None),
        ([TOKEN, "old"], None),
        (["new", "old"], Unsigned.WRONG),
        (["", ""], Unsigned.WRONG),
        ([], Unsigned.WRONG),
    ],
)
def test_two_tokens_are_good_while_one_is_changed_and_an_empty_one_never(
    tokens: list[str], reason: Unsigned | None
) -> None:
    assert verify(form(signature(TOKEN, URL, PAIRS)), tokens, public_url=PUBLIC) is reason
    assert verify(posted(signature(TOKEN, f"{URL}?{HASHED}")), tokens, public_url=PUBLIC) is reason


def test_an_empty_token_signs_nothing() -> None:
    assert verify(form(signature("", URL, PAIRS)), ["", ""], public_url=PUBLIC) is Unsigned.WRONG


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (None, Unsigned.MISSING),
        ("", Unsigned.MISSING),
        ("****", Unsigned.MALFORMED),
        ("é", Unsigned.MALFORMED),
        ("RSOYDt4T1cUTdK1PDd93/VVr8B8", Unsigned.MALFORMED),
        (base64.b64encode(b"short").decode(), Unsigned.MALFORMED),
        (base64.b64encode(b"x" * 32).decode(), Unsigned.MALFORMED),
        (base64.b64encode(b"x" * 20).decode(), Unsigned.WRONG),
    ],
)
def test_what_is_no_signature_is_said_so(given: str | None, reason: Unsigned) -> None:
    assert verify(form(given), [TOKEN], public_url=PUBLIC) is reason
    assert verify(posted(given), [TOKEN], public_url=PUBLIC) is reason


@pytest.mark.parametrize(
    "pairs",
    [
        PAIRS[:-1],
        [*PAIRS, ("Extra", "1")],
        [(key, value + "x") for key, value in PAIRS],
        [(key.lower(), value) for key, value in PAIRS],
        [(PAIRS[0][0], PAIRS[1][1]), (PAIRS[1][0], PAIRS[0][1]), *PAIRS[2:]],
    ],
    ids=["one less", "one more", "values", "keys", "exchanged"],
)
def test_a_form_that_was_altered_is_refused(pairs: list[tuple[str, str]]) -> None:
    assert verify(form(signature(TOKEN, URL, PAIRS), pairs), [TOKEN], public_url=PUBLIC) is Unsigned.WRONG


def test_the_order_of_a_form_is_not_signed_and_tells_nothing() -> None:
    signed = form(signature(TOKEN, URL, PAIRS), list(reversed(PAIRS)))

    assert verify(signed, [TOKEN], public_url=PUBLIC) is None


def test_of_a_repeated_key_each_value_counts_once_in_order() -> None:
    pairs = [("Sid", "CA123"), ("SidAccount", "AC123"), *[("Digits", d) for d in ("5678", "1234", "1234")]]
    given = signature(TOKEN, URL, pairs)

    assert verify(form(given, pairs), [TOKEN], public_url=PUBLIC) is None
    assert verify(form(given, pairs[:-1]), [TOKEN], public_url=PUBLIC) is None
    assert verify(form(given, pairs[:-2]), [TOKEN], public_url=PUBLIC) is Unsigned.WRONG


def test_a_body_that_is_not_utf_8_is_signed_byte_by_byte() -> None:
    body = b"A=%FF%FE&B=\xff"
    text = URL.encode() + b"A\xff\xfeB\xff"
    given = base64.b64encode(hmac.digest(TOKEN.encode(), text, "sha1")).decode()

    assert verify(request(body, given), [TOKEN], public_url=PUBLIC) is None


@pytest.mark.parametrize(
    "body",
    [
        BODY + b" ",
        b'[{"specversion": "1.0", "type": "com.twilio.taskrouter.task.created"}]',
        b"",
    ],
    ids=["a space", "keys re-ordered", "empty"],
)
def test_a_json_body_that_was_altered_is_refused(body: bytes) -> None:
    signed = posted(signature(TOKEN, f"{URL}?{HASHED}"), body)

    assert verify(signed, [TOKEN], public_url=PUBLIC) is Unsigned.OTHER_BODY


def test_a_json_body_whose_hash_nobody_signed_is_refused() -> None:
    assert verify(posted(signature(TOKEN, URL), query=""), [TOKEN], public_url=PUBLIC) is Unsigned.OTHER_BODY
    hashed_anew = posted(signature(TOKEN, URL), query=HASHED)
    assert verify(hashed_anew, [TOKEN], public_url=PUBLIC) is Unsigned.WRONG


def test_a_hash_in_capitals_is_the_same_hash() -> None:
    query = f"a=b&bodySHA256={hashlib.sha256(BODY).hexdigest().upper()}"
    assert verify(posted(signature(TOKEN, f"{URL}?{query}"), query=query), [TOKEN], public_url=PUBLIC) is None


def test_a_form_with_too_many_fields_is_refused() -> None:
    pairs = [(f"k{i:04}", "v") for i in range(MAX_FIELDS + 1)]

    assert verify(form(signature(TOKEN, URL, pairs), pairs), [TOKEN], public_url=PUBLIC) is Unsigned.WRONG
    assert verify(form(signature(TOKEN, URL), pairs), [TOKEN], public_url=PUBLIC) is Unsigned.WRONG
