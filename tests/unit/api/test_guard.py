"""Who may speak to the api: names, origins, keys; each kind of key on each path by each method."""

from typing import Any

import pytest

from schemas.errors import Misconfigured
from services.api.guard import Guard, holder_of, refuse_exposure
from services.runtime.keys import ANYBODY, Denial, Denied, Holder, Keyring
from tests.doubles.keys import AUTH, BOARD, BOARD_PARIS, INGEST, OPERATOR, OPERATOR_PARIS

RING = Keyring(AUTH.keys)
LOCKED = Guard(["https://board.example/"], keys=RING, address="0.0.0.0:8080")
OPEN = Guard(["https://board.example/"])


def scope(
    path: str, *, method: str = "GET", key: str | None = None, query: str = "", **headers: str
) -> dict[str, Any]:
    """A request as the web server hands it over; without a method, a socket."""
    sent = {"host": "10.0.0.7:8080", **headers}
    if key is not None:
        sent["authorization"] = f"Bearer {key}"
    known = {"type": "http", "method": method, "scheme": "http"} if method else {"type": "websocket"}
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
    return {"path": path, "query_string": query.encode(), "headers": pairs, **known}


def status(guard: Guard, request: dict[str, Any]) -> int:
    holder = guard.admit(request)
    return holder.status if isinstance(holder, Denied) else 200


READ = {None: 401, "vigie_unknown": 401, INGEST: 403, BOARD: 200, OPERATOR: 200}
ACT = {None: 401, "vigie_unknown": 401, INGEST: 403, BOARD: 403, OPERATOR: 200}
FREE = {None: 200, "vigie_unknown": 200, INGEST: 200, BOARD: 200, OPERATOR: 200}
PATHS = [
    ("GET", "/api/v1/board", READ),
    ("HEAD", "/api/v1/board", READ),
    ("GET", "/api/v1/queues/support", READ),
    ("GET", "/api/v1/agents", READ),
    ("GET", "/api/v1/alerts", READ),
    ("GET", "/api/v1/alerts/a", READ),
    ("GET", "/api/v1/definitions", READ),
    ("GET", "/api/v1/rules", READ),
    ("GET", "/api/v1/nothing", READ),
    ("GET", "/metrics", READ),
    ("", "/api/v1/live", READ),
    ("POST", "/api/v1/alerts/a/acknowledge", ACT),
    ("POST", "/api/v1/alerts/a/snooze", ACT),
    ("POST", "/api/v1/alerts/a/resolve", ACT),
    ("PUT", "/api/v1/board", ACT),
    ("DELETE", "/api/v1/board", ACT),
    ("OPTIONS", "/api/v1/board", ACT),
    ("GET", "/health/live", FREE),
    ("GET", "/health/ready", FREE),
    ("GET", "/", FREE),
    ("GET", "/main.js", FREE),
    ("GET", "/docs", FREE),
    ("GET", "/openapi.json", FREE),
    ("GET", "/asyncapi.yaml", FREE),
]


@pytest.mark.parametrize(("method", "path", "expected"), PATHS, ids=lambda value: str(value)[:30])
def test_each_kind_of_key_opens_what_it_is_for(
    method: str, path: str, expected: dict[str | None, int]
) -> None:
    found = {key: status(LOCKED, scope(path, method=method, key=key)) for key in expected}

    assert found == expected


@pytest.mark.parametrize(("method", "path", "expected"), PATHS, ids=lambda value: str(value)[:30])
def test_a_cookie_opens_what_its_key_opens(method: str, path: str, expected: dict[str | None, int]) -> None:
    found = {
        key: status(LOCKED, scope(path, method=method, cookie=f"theme=dark; vigie_key={key or ''}; a=b"))
        for key in expected
    }

    assert found == expected


@pytest.mark.parametrize("method", ["GET", ""])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", 200),
        ("site=paris", 200),
        ("site=lyon", 403),
        ("site=paris&site=lyon", 403),
        ("site=lyon&site=paris", 403),
        ("site=%6cyon", 403),
        ("site=nowhere", 403),
        ("sites=lyon", 200),
    ],
)
def test_a_site_that_is_asked_for_must_be_the_key_s(method: str, query: str, expected: int) -> None:
    asked = scope("/api/v1/board", method=method, key=BOARD_PARIS, query=query)

    assert status(LOCKED, asked) == expected
    assert status(LOCKED, scope("/api/v1/board", method=method, key=BOARD, query=query)) == 200


def test_a_key_for_some_sites_does_not_open_metrics() -> None:
    assert status(LOCKED, scope("/metrics", key=BOARD_PARIS)) == 403


def test_whoever_is_let_in_is_remembered() -> None:
    request = scope("/api/v1/board", key=OPERATOR_PARIS)
    LOCKED.admit(request)

    assert holder_of(request) == Holder("operator-of-paris", "operator", frozenset({"paris"}))


def test_the_header_wins_over_the_cookie() -> None:
    assert status(LOCKED, scope("/api/v1/board", key="x", cookie=f"vigie_key={BOARD}")) == 401
    assert status(LOCKED, scope("/api/v1/board", key=BOARD, cookie="vigie_key=x")) == 200


@pytest.mark.parametrize("method", ["", "POST"])
def test_a_page_from_elsewhere_is_refused_whatever_its_key(method: str) -> None:
    asked = scope("/api/v1/live", method=method, key=OPERATOR, origin="https://evil.example")
    denied = LOCKED.admit(asked)

    assert isinstance(denied, Denied)
    assert (denied.status, denied.reason, denied.challenge()) == (403, Denial.OTHER_ORIGIN, None)


def test_with_keys_any_name_will_do() -> None:
    assert status(LOCKED, scope("/api/v1/board", key=BOARD, host="wall.example")) == 200
    assert status(LOCKED, scope("/health/live", host="10.1.2.3:8080")) == 200


def test_without_keys_everybody_on_this_machine_may_act_and_nobody_else() -> None:
    request = scope("/api/v1/alerts/a/acknowledge", method="POST", host="127.0.0.1:8080")

    assert OPEN.admit(request) is ANYBODY
    denied = OPEN.admit(scope("/api/v1/board"))
    assert isinstance(denied, Denied)
    assert (denied.status, denied.reason) == (403, Denial.OTHER_NAME)


@pytest.mark.parametrize(
    ("scheme", "host", "origins", "secure"),
    [
        ("http", "127.0.0.1:8080", [], False),
        ("https", "127.0.0.1:8080", [], True),
        ("http", "board.example", ["https://board.example"], True),
        ("http", "board.example", ["https://board.example", "http://board.example"], False),
        ("http", "10.0.0.7:8080", ["https://board.example"], False),
    ],
)
def test_the_cookie_is_kept_for_https_where_the_browser_came_by_it(
    scheme: str, host: str, origins: list[str], secure: bool
) -> None:
    request = {**scope("/", host=host), "scheme": scheme}

    assert Guard(origins, keys=RING).is_secure(request) is secure


@pytest.mark.parametrize("address", ["0.0.0.0:8080", "192.168.1.4:8080", "[::]:8080", "board.example:80"])
def test_an_address_that_others_reach_needs_keys(address: str) -> None:
    refuse_exposure(address, RING)
    refuse_exposure("127.0.0.1:8080", None)
    with pytest.raises(Misconfigured, match="only this machine") as refusal:
        refuse_exposure(address, None)
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
    assert OPEN.knows_origin(origin, host) is known


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
    assert OPEN.knows_host(host) is known
