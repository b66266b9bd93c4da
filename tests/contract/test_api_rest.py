"""REST of INTERFACE.md §5, over ASGI."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped] # its stubs are not in the lock
import pytest
from msgspec.structs import replace

from schemas import codec
from schemas.board import Alert
from schemas.config import Config, HttpConfig, SourceConfig
from schemas.deliveries import DeliveryState
from schemas.events import AlertAcknowledge, AlertCommand, AlertResolve, AlertSnooze
from schemas.vocabulary import AlertState, Freshness
from tests.doubles.served import ServedApi
from tests.unit.api.rows import NOW, agent_row, alert, queue_row, site_row
from tests.unit.api.test_deliveries import SENT

ID = alert().alert_id
ACKNOWLEDGE = f"/api/v1/alerts/{ID}/acknowledge"
SNOOZE = f"/api/v1/alerts/{ID}/snooze"
RESOLVE = f"/api/v1/alerts/{ID}/resolve"
STATUS = Path("schemas/examples/board/source_status.json").read_bytes()


@pytest.fixture
def api(tmp_path: Path) -> ServedApi:
    """An api whose clock stands still, with a site, three queues, an agent and an alert."""
    (tmp_path / "index.html").write_text("<!doctype html><title>Vigie</title>")
    (tmp_path / "wallboard.js").write_text("export {};")
    pbx = SourceConfig(id="pbx1", kind="asterisk_ami", site="paris")
    config = Config(http=HttpConfig(origins=["https://board.example"]), sources=[pbx])
    served = ServedApi(config=config, clock=lambda: NOW, wallboard=tmp_path, answer_s=0.05)
    served.put(site_row(alerts=[alert()]), queue_row(entered_ms=[NOW - 61_200]), queue_row("billing"))
    served.put(site_row("lyon"), queue_row(site="lyon"), agent_row())
    return served


@pytest.fixture
async def http(api: ServedApi) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=api.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        yield client


async def contract_of(http: httpx.AsyncClient, name: str) -> dict[str, Any]:
    contract = (await http.get("/openapi.json")).json()
    return {"$ref": f"#/components/schemas/{name}", "components": contract["components"]}


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/api/v1/board", "Board"),
        ("/api/v1/queues/billing", "QueueRow"),
        ("/api/v1/agents", "Agents"),
        ("/api/v1/alerts", "Alerts"),
        (f"/api/v1/alerts/{ID}", "AlertWithDeliveries"),
        ("/api/v1/definitions", "Definitions"),
        ("/api/v1/rules", "Rules"),
        ("/api/v1/sources", "Sources"),
        ("/health/ready", "Health"),
    ],
)
async def test_answers_are_what_the_contract_says(http: httpx.AsyncClient, path: str, schema: str) -> None:
    answer = await http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    jsonschema.validate(answer.json(), await contract_of(http, schema))


async def test_the_board_is_the_interface_s(http: httpx.AsyncClient) -> None:
    board = (await http.get("/api/v1/board")).json()
    assert list(board) == ["type", "epoch", "seq", "as_of_ms", "sites", "alerts"]
    assert (board["type"], board["as_of_ms"]) == ("snapshot", NOW)
    assert [site["site"] for site in board["sites"]] == ["lyon", "paris"]
    assert [queue["queue"] for queue in board["sites"][1]["queues"]] == ["billing", "support"]
    assert board["sites"][1]["queues"][1]["longest_wait_s"] == 61.2


async def test_an_alert_tells_what_became_of_its_notices(api: ServedApi, http: httpx.AsyncClient) -> None:
    sent = replace(SENT, alert_id=ID, state=DeliveryState.DELIVERED)
    api.deliveries.apply(sent)
    answer = (await http.get(f"/api/v1/alerts/{ID}")).json()
    jsonschema.validate(answer, await contract_of(http, "AlertWithDeliveries"))
    assert (answer["alert_id"], answer["state"]) == (ID, "firing")
    assert [(each["person"], each["state"]) for each in answer["deliveries"]] == [("lea", "delivered")]
    assert "command" not in answer
    missing = await http.get("/api/v1/alerts/nowhere")
    assert (missing.status_code, missing.json()["error"]) == (404, "not_found")


async def test_the_board_can_be_narrowed(http: httpx.AsyncClient) -> None:
    board = (await http.get("/api/v1/board?site=paris&queues=support,none&window=5m")).json()
    (site,) = board["sites"]
    (queue,) = site["queues"]
    assert (queue["queue"], list(queue["windows"])) == ("support", ["5m"])
    assert (await http.get("/api/v1/board?site=nowhere")).json()["sites"] == []


async def test_one_queue(http: httpx.AsyncClient) -> None:
    assert (await http.get("/api/v1/queues/billing")).json()["queue"] == "billing"
    found = (await http.get("/api/v1/queues/support?site=lyon&window=60m")).json()
    assert (found["site"], list(found["windows"])) == ("lyon", ["60m"])


async def test_agents_of_a_site(http: httpx.AsyncClient) -> None:
    agents = (await http.get("/api/v1/agents?site=paris")).json()["agents"]
    assert [agent["agent"] for agent in agents] == ["lea"]
    assert (await http.get("/api/v1/agents?site=lyon")).json() == {"agents": []}


async def test_alerts_page_by_page(api: ServedApi, http: httpx.AsyncClient) -> None:
    for number in range(5):
        api.put_alert(replace(alert(f"{number:016x}"), fired_ms=NOW - 5000 - number // 2))
    whole = [found["alert_id"] for found in (await http.get("/api/v1/alerts")).json()["alerts"]]
    pages, before = list[str](), ""
    while True:
        page = (await http.get(f"/api/v1/alerts?limit=2{before}")).json()
        pages += [found["alert_id"] for found in page["alerts"]]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert pages == whole
    assert len(whole) == 6
    older = (await http.get(f"/api/v1/alerts?before={NOW - 5000}")).json()["alerts"]
    assert [found["fired_ms"] for found in older] == [NOW - 5001, NOW - 5001, NOW - 5002]


async def test_alerts_by_state_and_site(http: httpx.AsyncClient) -> None:
    assert len((await http.get("/api/v1/alerts?state=firing,snoozed&site=paris")).json()["alerts"]) == 1
    assert (await http.get("/api/v1/alerts?state=resolved")).json()["alerts"] == []
    assert (await http.get("/api/v1/alerts?site=lyon")).json()["alerts"] == []


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/api/v1/board?window=7m", 400, "'5m', '15m', '30m', '60m' or 'today'"),
        ("/api/v1/queues/support", 400, "lyon, paris"),
        ("/api/v1/queues/nothing", 404, "no such queue"),
        ("/api/v1/alerts?state=gone", 400, "firing, acknowledged"),
        ("/api/v1/alerts?limit=0", 400, "greater than or equal to 1"),
        ("/api/v1/alerts?before=soon", 400, "before"),
        ("/api/v1/nothing", 404, "nothing"),
        ("/nothing.js", 404, "nothing"),
        ("/../app.py", 404, "nothing"),
        ("/%2e%2e/app.py", 404, "nothing"),
        ("/a%00b", 404, "nothing"),
        ("/docs/nothing", 404, "nothing"),
    ],
)
async def test_what_is_not_there_is_a_json_error(
    http: httpx.AsyncClient, path: str, status: int, says: str
) -> None:
    answer = await http.get(path)
    assert answer.status_code == status
    assert answer.json().keys() == {"error", "detail"}
    assert says in answer.json()["detail"]


async def test_definitions_hold_the_eight_service_levels(http: httpx.AsyncClient) -> None:
    registry = (await http.get("/api/v1/definitions")).json()
    assert len(registry["service_levels"]) == 8
    level = next(found for found in registry["definitions"] if found["name"] == "service_level")
    assert level["label"] == {"fr": "Taux de service", "en": "Service level"}


async def test_the_rules_in_force(http: httpx.AsyncClient) -> None:
    (rule,) = (await http.get("/api/v1/rules")).json()["rules"]
    assert (rule["id"], rule["fire"]) == ("wait_over_two_minutes", "> wait_limit_s")


async def test_health_says_what_is_missing(api: ServedApi, http: httpx.AsyncClient) -> None:
    assert (await http.get("/health/live")).status_code == 200
    assert (await http.get("/health/ready")).json() == {"status": "ready", "missing": []}
    api.missing_parts = ["board: not loaded yet"]
    answer = await http.get("/health/ready")
    assert (answer.status_code, answer.json()["missing"]) == (503, ["board: not loaded yet"])
    assert (await http.get("/health/live")).status_code == 200


async def test_every_answer_carries_the_security_headers(http: httpx.AsyncClient) -> None:
    for path in ("/", "/wallboard.js", "/docs", "/docs/docs.js", "/api/v1/board", "/nothing", "/metrics"):
        headers = (await http.get(path)).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


async def test_files_are_asked_for_again_and_answered_short(http: httpx.AsyncClient) -> None:
    first = await http.get("/")
    assert first.headers["content-type"].startswith("text/html")
    assert (await http.get("/wallboard.js")).headers["content-type"].startswith("text/javascript")
    again = await http.get("/", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "no-cache"


async def test_the_contract_s_page_needs_nothing_from_elsewhere(http: httpx.AsyncClient) -> None:
    page = await http.get("/docs")
    assert page.status_code == 200
    for path in ("/docs", "/docs/docs.js", "/docs/docs.css"):
        text = (await http.get(path)).text
        assert "http://" not in text
        assert "https://" not in text
        assert "<script>" not in text
        assert "style=" not in text


async def test_the_contract_names_every_path(http: httpx.AsyncClient) -> None:
    contract = (await http.get("/openapi.json")).json()
    assert contract["paths"].keys() == {
        "/api/v1/board",
        "/api/v1/queues/{queue}",
        "/api/v1/agents",
        "/api/v1/alerts",
        "/api/v1/alerts/{alert_id}",
        "/api/v1/alerts/{alert_id}/acknowledge",
        "/api/v1/alerts/{alert_id}/snooze",
        "/api/v1/alerts/{alert_id}/resolve",
        "/api/v1/definitions",
        "/api/v1/rules",
        "/api/v1/sources",
        "/health/live",
        "/health/ready",
        "/metrics",
    }
    named = set(_references(contract))
    assert named <= {f"#/components/schemas/{name}" for name in contract["components"]["schemas"]}


@pytest.mark.parametrize("host", ["evil.example:8080", "127.0.0.1.evil.example", ""])
async def test_a_name_that_is_not_ours_is_refused(http: httpx.AsyncClient, host: str) -> None:
    answer = await http.get("/api/v1/board", headers={"host": host})
    assert (answer.status_code, answer.json()["error"]) == (403, "not_allowed")


def worker(accepted: bool, **changed: Any) -> Any:
    """Answers a command as the aggregator does."""

    def answer(command: AlertCommand) -> Alert:
        return alert(command=command.command, accepted=accepted, **changed)

    return answer


async def test_an_acknowledgement_is_written_to_the_log_and_answered_with_the_alert(
    api: ServedApi, http: httpx.AsyncClient
) -> None:
    api.log.worker = worker(True, version=2, state=AlertState.ACKNOWLEDGED, acknowledged_by="Léa")
    answer = await http.post(ACKNOWLEDGE, json={"by": "Léa", "note": "j'y vais"})
    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["acknowledged_by"]) == ("acknowledged", "Léa")
    assert "accepted" not in answer.json()
    (written,) = api.log.written
    assert isinstance(written, AlertAcknowledge)
    assert (written.alert_id, written.by, written.note, written.site) == (ID, "Léa", "j'y vais", "paris")
    assert written.id == written.command
    assert (written.source, written.occurred_ms) == ("vigie/api", NOW)
    assert api.board.alerts[ID].state is AlertState.ACKNOWLEDGED


async def test_a_snooze_is_written_to_the_log_with_its_end(api: ServedApi, http: httpx.AsyncClient) -> None:
    until_ms = NOW + 600_000
    api.log.worker = worker(True, version=2, state=AlertState.SNOOZED, snoozed_until_ms=until_ms)
    answer = await http.post(SNOOZE, json={"by": "Léa", "until_ms": until_ms, "note": "après le déjeuner"})
    assert (answer.status_code, answer.json()["state"]) == (200, "snoozed")
    (written,) = api.log.written
    assert isinstance(written, AlertSnooze)
    assert (written.alert_id, written.by, written.until_ms) == (ID, "Léa", until_ms)
    assert (written.note, written.site, written.id) == ("après le déjeuner", "paris", written.command)


async def test_an_alert_is_closed_by_way_of_the_log(api: ServedApi, http: httpx.AsyncClient) -> None:
    api.log.worker = worker(
        True, version=2, state=AlertState.RESOLVED, resolved_by="Léa", reason="by_hand", resolved_ms=NOW
    )
    answer = await http.post(RESOLVE, json={"by": "Léa", "note": "rappelé"})
    assert (answer.status_code, answer.json()["resolved_by"]) == (200, "Léa")
    (written,) = api.log.written
    assert isinstance(written, AlertResolve)
    assert (written.alert_id, written.by, written.note) == (ID, "Léa", "rappelé")


@pytest.mark.parametrize(
    ("path", "more"), [(ACKNOWLEDGE, {}), (SNOOZE, {"until_ms": NOW + 1}), (RESOLVE, {})]
)
async def test_every_action_has_the_same_answers(
    api: ServedApi, http: httpx.AsyncClient, path: str, more: dict[str, int]
) -> None:
    body = {"by": "Léa", **more}
    assert (await http.post(path, json=body)).status_code == 202
    assert (await http.post(path.replace(ID, "ffff"), json=body)).status_code == 404
    assert (await http.post(path, content="by=Léa")).status_code == 415
    assert (await http.post(path, json={**body, "by": " "})).status_code == 400
    api.log.worker = worker(False, version=2, state=AlertState.RESOLVED)
    assert (await http.post(path, json=body)).status_code == 409
    api.log.is_there = False
    assert (await http.post(path, json=body)).status_code == 503


@pytest.mark.parametrize("until", [None, -1, NOW, NOW - 1, 1.5, "10 min", 2**60])
async def test_a_snooze_without_an_end_to_come_is_refused(
    api: ServedApi, http: httpx.AsyncClient, until: object
) -> None:
    answer = await http.post(SNOOZE, json={"by": "Léa", "until_ms": until})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid")
    assert "until_ms" in answer.json()["detail"]
    assert api.log.written == []


async def test_an_acknowledgement_that_is_not_allowed_shows_the_alert(
    api: ServedApi, http: httpx.AsyncClient
) -> None:
    api.log.worker = worker(False, version=2, state=AlertState.ACKNOWLEDGED, acknowledged_by="Karim")
    answer = await http.post(ACKNOWLEDGE, json={"by": "Léa"})
    assert (answer.status_code, answer.json()["acknowledged_by"]) == (409, "Karim")


async def test_a_worker_that_takes_its_time_gives_202_and_the_alert_as_it_was(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.post(ACKNOWLEDGE, json={"by": "Léa"})
    assert (answer.status_code, answer.json()["state"]) == (202, "firing")


async def test_a_log_that_does_not_answer_gives_503(api: ServedApi, http: httpx.AsyncClient) -> None:
    api.log.is_there = False
    answer = await http.post(ACKNOWLEDGE, json={"by": "Léa"})
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "1"


async def test_an_unknown_alert_gives_404_and_writes_nothing(api: ServedApi, http: httpx.AsyncClient) -> None:
    answer = await http.post("/api/v1/alerts/ffff/acknowledge", json={"by": "Léa"})
    assert answer.status_code == 404
    assert api.log.written == []


@pytest.mark.parametrize(
    ("body", "media", "status"),
    [
        ("{}", "application/json", 400),
        ('{"by": ""}', "application/json", 400),
        ('{"by": "  "}', "application/json", 400),
        ('{"by": null}', "application/json", 400),
        ('{"by": 7}', "application/json", 400),
        ('{"by": "a", "note": 7}', "application/json", 400),
        ('{"by": "a", "until_ms": 7}', "application/json", 400),
        ('{"by": "' + "a" * 257 + '"}', "application/json", 400),
        ('{"by": "a", "note": "' + "b" * 2001 + '"}', "application/json", 400),
        ("", "application/json", 400),
        ("[" * 10_000, "application/json", 400),
        ('{"by": "\\ud800"}', "application/json", 400),
        (b'{"by": "\xff"}', "application/json", 400),
        ('{"by": "a", "note": "' + "b" * 20_000 + '"}', "application/json", 413),
        ('{"by": "a"}', "text/plain", 415),
        ('{"by": "a"}', "", 415),
    ],
)
async def test_a_body_that_makes_no_sense_writes_nothing(
    api: ServedApi, http: httpx.AsyncClient, body: str | bytes, media: str, status: int
) -> None:
    answer = await http.post(ACKNOWLEDGE, content=body, headers={"content-type": media} if media else {})
    assert (answer.status_code, answer.json().keys()) == (status, {"error", "detail"})
    assert api.log.written == []


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.example", 403),
        ("null", 403),
        ("http://127.0.0.1:8080", 202),
        ("https://board.example", 202),
    ],
)
async def test_only_our_own_page_may_act(
    api: ServedApi, http: httpx.AsyncClient, origin: str, status: int
) -> None:
    answer = await http.post(ACKNOWLEDGE, json={"by": "Léa"}, headers={"origin": origin})
    assert answer.status_code == status
    assert len(api.log.written) == (status == 202)


async def test_prometheus_reads_the_board_at_the_scrape(api: ServedApi, http: httpx.AsyncClient) -> None:
    text = (await http.get("/metrics")).text
    assert 'vigie_queue_contacts_waiting{channel="phone",queue="support",site="paris"} 1.0' in text
    assert 'vigie_queue_longest_wait_seconds{channel="phone",queue="support",site="paris"} 61.2' in text
    assert 'vigie_queue_longest_wait_seconds{channel="phone",queue="billing"' not in text
    assert 'vigie_agents{site="paris",state="in_contact"} 9.0' in text
    assert 'vigie_alerts_active{rule="wait_over_two_minutes",severity="critical"} 1.0' in text
    assert 'vigie_source_up{site="paris",source="pbx1"} 1.0' in text
    assert 'vigie_source_age_seconds{site="paris",source="pbx1"} 0.09' in text
    for name in ("service_level_ratio", "abandonment_ratio", "asa_seconds", "occupancy_ratio"):
        assert f'vigie_queue_{name}{{channel="phone",queue="billing",site="paris",window="15m"}}' in text
    assert "vigie_board_clients 0.0" in text
    assert "vigie_board_frames_dropped_total 0.0" in text
    assert 'vigie_build_info{version="' in text
    assert "vigie_board_lag_seconds_bucket" in text


async def test_prometheus_is_not_told_figures_that_cannot_be_trusted(
    api: ServedApi, http: httpx.AsyncClient
) -> None:
    api.put(queue_row(freshness=Freshness.STALE), queue_row("billing", heard_ms=None))
    text = (await http.get("/metrics")).text
    assert 'queue="support",site="paris"' not in text
    assert 'queue="billing"' not in text
    assert 'queue="support",site="lyon"' in text


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for inner in value.values() for found in _references(inner)]
    if isinstance(value, list):
        return [found for inner in value for found in _references(inner)]
    return []


async def test_sources_of_a_site(api: ServedApi, http: httpx.AsyncClient) -> None:
    api.sources.apply(replace(codec.decode_source(STATUS), as_of_ms=NOW))
    answer = (await http.get("/api/v1/sources?site=paris")).json()

    jsonschema.validate(answer, await contract_of(http, "Sources"))
    assert [(each["source"], each["state"]) for each in answer["sources"]] == [
        ("crm", "listening"),
        ("pbx1", None),
    ]
    assert answer["sources"][0]["letters"][0]["detail"] == "message_created: conversation: missing"
    assert [each["source"] for each in (await http.get("/api/v1/sources?site=lyon")).json()["sources"]] == [
        "pbx1"
    ]
