"""Keys at the api over real HTTP and sockets: what each shows of a board of two sites. SEMANTICS.md §12."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from schemas.board import Alert
from schemas.config import Config, HttpConfig, QueueConfig, RuleConfig
from schemas.events import AlertCommand
from schemas.vocabulary import AlertState
from services.runtime.clock import now_ms
from tests.doubles.keys import AUTH, BOARD, BOARD_PARIS, INGEST, OPERATOR, OPERATOR_PARIS, bearing
from tests.doubles.served import ServedApi
from tests.unit.api.rows import agent_row, alert, queue_row, site_row

PARIS, LYON = alert("a" * 16), alert("b" * 16, site="lyon")
CONFIG = Config(
    auth=AUTH,
    http=HttpConfig(api="0.0.0.0:8080", origins=["https://board.example"]),
    queues=[QueueConfig(id="support", site="paris"), QueueConfig(id="ventes", site="lyon")],
    rules=[
        RuleConfig(id="everywhere", metric="longest_wait_s", fire="> 60"),
        RuleConfig(id="both", metric="longest_wait_s", fire="> 60", queues=["support", "ventes"]),
        RuleConfig(id="lyon", metric="longest_wait_s", fire="> 60", queues=["ventes"]),
    ],
)


@pytest.fixture
async def api() -> AsyncIterator[ServedApi]:
    """An api that asks for keys, with Paris and Lyon, each with a queue, an agent and an alert."""
    served = ServedApi(config=CONFIG, answer_s=0.05)
    served.put(site_row(now_ms=now_ms(), alerts=[PARIS]), site_row("lyon", now_ms=now_ms(), alerts=[LYON]))
    served.put(queue_row(now_ms=now_ms()), queue_row("ventes", site="lyon", now_ms=now_ms()))
    served.put(agent_row(), agent_row("max", site="lyon"))
    served.log.worker = acknowledged
    async with served.running() as served.address:
        yield served


@pytest.fixture
async def http(api: ServedApi) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://{api.address}") as client:
        yield client


def acknowledged(command: AlertCommand) -> Alert:
    """What the aggregator answers."""
    return alert(
        command.alert_id,
        site=command.site,
        command=command.command,
        accepted=True,
        version=2,
        state=AlertState.ACKNOWLEDGED,
        acknowledged_by=command.by,
    )


def refusals(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if line.startswith("vigie_requests_refused_total")]
    return {line.split('"')[1]: float(line.rpartition(" ")[2]) for line in lines}


async def test_every_path_of_the_contract_but_health_asks_for_a_key(http: httpx.AsyncClient) -> None:
    paths = (await http.get("/openapi.json")).json()["paths"]
    asked = [(method, path.replace("{", "").replace("}", "")) for path in paths for method in paths[path]]
    answers = {path: await http.request(method, path) for method, path in asked}

    assert {path for path, answer in answers.items() if answer.status_code != 401} == {
        "/health/live",
        "/health/ready",
    }
    refused = answers["/api/v1/board"]
    assert refused.headers["www-authenticate"] == 'Bearer realm="vigie"'
    assert refused.json()["error"] == "key_needed"
    assert refused.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("key", [BOARD_PARIS, OPERATOR_PARIS])
async def test_a_key_for_a_site_shows_that_site_and_nothing_of_the_others(
    http: httpx.AsyncClient, key: str
) -> None:
    http.headers.update(bearing(key))
    board = (await http.get("/api/v1/board")).json()

    assert [site["site"] for site in board["sites"]] == ["paris"]
    assert [found["alert_id"] for found in board["alerts"]] == [PARIS.alert_id]
    assert [row["site"] for row in (await http.get("/api/v1/agents")).json()["agents"]] == ["paris"]
    assert [row["site"] for row in (await http.get("/api/v1/alerts")).json()["alerts"]] == ["paris"]
    assert (await http.get("/api/v1/queues/support")).json()["site"] == "paris"
    assert (await http.get("/api/v1/queues/ventes")).status_code == 404
    rules = {rule["id"]: rule["queues"] for rule in (await http.get("/api/v1/rules")).json()["rules"]}
    assert rules == {"everywhere": None, "both": ["support"]}
    assert (await http.get("/api/v1/definitions")).status_code == 200


async def test_a_key_for_every_site_shows_all_of_them(http: httpx.AsyncClient) -> None:
    http.headers.update(bearing(BOARD))

    assert [site["site"] for site in (await http.get("/api/v1/board")).json()["sites"]] == ["lyon", "paris"]
    assert [row["site"] for row in (await http.get("/api/v1/agents")).json()["agents"]] == ["lyon", "paris"]
    assert len((await http.get("/api/v1/rules")).json()["rules"]) == 3
    assert (await http.get("/api/v1/board?site=lyon")).status_code == 200


async def test_a_site_outside_the_key_is_403(http: httpx.AsyncClient) -> None:
    http.headers.update(bearing(BOARD_PARIS))
    for path in ("board", "agents", "alerts", "queues/support", "rules", "definitions"):
        answer = await http.get(f"/api/v1/{path}?site=lyon")
        assert (answer.status_code, answer.json()["error"]) == (403, "not_allowed"), path
        assert (await http.get(f"/api/v1/{path}?site=paris")).status_code == 200, path


async def test_only_an_operator_of_the_site_acts(api: ServedApi, http: httpx.AsyncClient) -> None:
    outcomes = [
        (None, PARIS, 401),
        (INGEST, PARIS, 403),
        (BOARD, PARIS, 403),
        (OPERATOR_PARIS, LYON, 404),
        (OPERATOR_PARIS, PARIS, 200),
        (OPERATOR, LYON, 200),
    ]
    for key, found, status in outcomes:
        path = f"/api/v1/alerts/{found.alert_id}/acknowledge"
        answer = await http.post(path, json={"by": "Léa"}, headers=bearing(key))
        assert answer.status_code == status, key
    assert [command.alert_id for command in api.log.written] == [PARIS.alert_id, LYON.alert_id]


@pytest.mark.parametrize(("body", "by"), [({}, "operator-of-all"), ({"by": "Léa"}, "Léa")])
async def test_who_acts_is_the_key_s_id_unless_a_name_is_given(
    api: ServedApi, http: httpx.AsyncClient, body: dict[str, str], by: str
) -> None:
    path = f"/api/v1/alerts/{PARIS.alert_id}/acknowledge"
    answer = await http.post(path, json=body, headers=bearing(OPERATOR))

    assert (answer.status_code, answer.json()["acknowledged_by"]) == (200, by)


async def test_the_page_takes_its_key_into_a_cookie_and_out_of_the_address(http: httpx.AsyncClient) -> None:
    sent_on = await http.get(f"/?site=paris&key={BOARD_PARIS}&lang=fr")

    assert (sent_on.status_code, sent_on.headers["location"]) == (303, "./?site=paris&lang=fr")
    assert sent_on.headers["cache-control"] == "no-store"
    assert sent_on.headers["referrer-policy"] == "no-referrer"
    assert sent_on.headers["set-cookie"] == (
        f"vigie_key={BOARD_PARIS}; Path=/; Max-Age=34560000; HttpOnly; SameSite=Strict"
    )
    page = await http.get(sent_on.headers["location"])
    assert page.status_code == 200
    assert "set-cookie" not in page.headers
    assert [site["site"] for site in (await http.get("/api/v1/board")).json()["sites"]] == ["paris"]


async def test_the_cookie_is_secure_behind_an_https_proxy(http: httpx.AsyncClient) -> None:
    for headers in ({"host": "board.example"}, {"x-forwarded-proto": "https"}):
        sent_on = await http.get(f"/?key={BOARD}", headers=headers)
        assert sent_on.headers["set-cookie"].endswith("; Secure")


async def test_a_key_that_opens_nothing_leaves_the_address_and_makes_no_cookie(
    http: httpx.AsyncClient,
) -> None:
    for key in ("", "vigie_unknown", INGEST):
        sent_on = await http.get(f"/?key={key}")
        assert (sent_on.status_code, sent_on.headers["location"]) == (303, "./"), key
        assert "set-cookie" not in sent_on.headers, key


async def test_a_key_in_another_address_opens_nothing(api: ServedApi, http: httpx.AsyncClient) -> None:
    assert (await http.get(f"/api/v1/board?key={BOARD}")).status_code == 401
    assert await closed(api, f"?key={BOARD}") == 1008


async def test_without_auth_a_key_in_the_address_is_dropped() -> None:
    served = ServedApi()
    async with served.running() as address, httpx.AsyncClient(base_url=f"http://{address}") as http:
        sent_on = await http.get("/?key=anything&lang=en")
    assert (sent_on.status_code, sent_on.headers["location"]) == (303, "./?lang=en")
    assert "set-cookie" not in sent_on.headers


async def test_refusals_are_counted_by_reason(api: ServedApi, http: httpx.AsyncClient) -> None:
    for key, path in (
        (None, "/api/v1/board"),
        ("vigie_unknown", "/api/v1/board"),
        ("vigie_unknown", "/metrics"),
        (INGEST, "/api/v1/board"),
        (BOARD_PARIS, "/api/v1/board?site=lyon"),
        (BOARD_PARIS, "/metrics"),
    ):
        await http.get(path, headers=bearing(key))
    await http.get("/?key=vigie_unknown")
    assert await closed(api, key=OPERATOR, origin="https://evil.example") == 1008
    text = (await http.get("/metrics", headers=bearing(BOARD))).text

    assert refusals(text) == {
        "no_key": 1,
        "unknown_key": 3,
        "other_use": 1,
        "other_site": 2,
        "other_origin": 1,
        "other_name": 0,
    }
    assert BOARD_PARIS not in text


async def frames(api: ServedApi, query: str, headers: dict[str, str]) -> AsyncIterator[Any]:
    address = f"ws://{api.address}/api/v1/live{query}"
    async with connect(address, additional_headers=headers) as connection:
        while True:
            async with asyncio.timeout(20):
                yield json.loads(await connection.recv())


async def closed(
    api: ServedApi, query: str = "", *, key: str | None = None, origin: str | None = None
) -> int | None:
    """The code with which a socket that was accepted is closed before anything was said."""
    headers = bearing(key) | ({"origin": origin} if origin else {})
    async with connect(f"ws://{api.address}/api/v1/live{query}", additional_headers=headers) as connection:
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(20):
                await connection.recv()
        return connection.close_code


async def test_a_socket_without_a_good_key_is_accepted_then_closed(api: ServedApi) -> None:
    for key, query in (
        (None, ""),
        ("vigie_unknown", ""),
        (INGEST, ""),
        (BOARD_PARIS, "?site=lyon"),
        (OPERATOR_PARIS, "?site=paris&site=lyon"),
    ):
        assert await closed(api, query, key=key) == 1008, key
    assert api.hub.clients == 0


@pytest.mark.parametrize("headers", [bearing(BOARD_PARIS), {"cookie": f"vigie_key={BOARD_PARIS}"}])
async def test_a_socket_shows_the_sites_of_its_key_from_first_to_last(
    api: ServedApi, headers: dict[str, str]
) -> None:
    told = frames(api, "", headers)
    snapshot = await anext(told)
    api.put(queue_row("ventes", site="lyon", now_ms=now_ms(), waiting=7))
    api.put_alert(alert("c" * 16, site="lyon"))
    api.put(queue_row(now_ms=now_ms(), waiting=8))
    api.put_alert(alert("d" * 16))
    seen, alerts = set[tuple[str, str]](), set[str]()
    while alerts != {"d" * 16} or not seen:
        frame = await anext(told)
        seen |= {(row["site"], row["queue"]) for row in frame.get("queues", [])}
        alerts |= {frame["alert"]["alert_id"]} if frame["type"] == "alert" else set()
    await told.aclose()  # type: ignore[attr-defined]  # a generator, seen as what it is used for

    assert [site["site"] for site in snapshot["sites"]] == ["paris"]
    assert [found["alert_id"] for found in snapshot["alerts"]] == [PARIS.alert_id]
    assert seen == {("paris", "support")}


async def test_two_keys_on_one_api_see_each_their_own(api: ServedApi) -> None:
    of_paris, of_all = frames(api, "", bearing(BOARD_PARIS)), frames(api, "", bearing(BOARD))

    assert [site["site"] for site in (await anext(of_paris))["sites"]] == ["paris"]
    assert [site["site"] for site in (await anext(of_all))["sites"]] == ["lyon", "paris"]
    for told in (of_paris, of_all):
        await told.aclose()  # type: ignore[attr-defined]  # as above
