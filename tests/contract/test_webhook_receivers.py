"""Receivers as they are: slow, overloaded, broken, hostile. One try each, over real sockets."""

import asyncio
import base64
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from schemas.deliveries import DeliveryState
from services.notifier import webhook
from services.notifier.core.retry import Outcome
from services.notifier.egress import Guard
from services.notifier.webhook import Webhook
from services.runtime.clock import now_ms
from tests.doubles.receiver import Receiver, Reply, client_trust, receiving

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
KEY = b"k" * 32
BODY = '{"type":"alert.fired","data":{"queue":"Réclamations"}}'.encode()
LOOPBACK = ("127.0.0.0/8", "::1/128")


@asynccontextmanager
async def client(*allow: str, is_trusting: bool = False) -> AsyncIterator[Webhook]:
    trust = client_trust() if is_trusting else None
    async with Webhook(Guard(allow), clock=now_ms, trust=trust) as made:
        yield made


async def post(url: str, *allow: str, is_trusting: bool = False) -> Outcome:
    async with client(*allow, is_trusting=is_trusting) as made:
        return await made.send(url, key=KEY, delivery_id="n_1", body=BODY)


async def answer_to(reply: Reply) -> tuple[Outcome, Receiver]:
    async with receiving(SECRET) as receiver:
        receiver.script = [reply]
        return await post(receiver.url, *LOOPBACK), receiver


async def test_a_notice_is_posted_signed_and_taken() -> None:
    outcome, receiver = await answer_to(Reply())

    assert outcome == Outcome(state=DeliveryState.DELIVERED)
    [arrival] = receiver.arrived
    assert (arrival.body, arrival.delivery_id, arrival.is_signed) == (BODY, "n_1", True)
    assert arrival.headers["content-type"] == "application/json"
    assert arrival.headers["user-agent"].startswith("vigie/")
    assert abs(int(arrival.headers["webhook-timestamp"]) - time.time()) < 60


@pytest.mark.parametrize(
    ("reply", "state", "reason"),
    [
        (Reply(status=204, body=b""), DeliveryState.DELIVERED, None),
        (
            Reply(body=b'{"error": "no"}'),
            DeliveryState.DELIVERED,
            None,
        ),  # a 2xx is a success, the body ours not
        (Reply(body=b"x" * 10_000_000), DeliveryState.DELIVERED, None),
        (Reply(body=b"slow", is_body_slow=True), DeliveryState.DELIVERED, None),
        (Reply(status=500), DeliveryState.AMBIGUOUS, "status 500"),
        (Reply(status=429, headers={"Retry-After": "7"}), DeliveryState.THROTTLED, "status 429"),
        (Reply(status=400), DeliveryState.REJECTED, "status 400"),
        (Reply(status=410), DeliveryState.REJECTED, "status 410"),
        (Reply(status=None), DeliveryState.AMBIGUOUS, "cut before an answer"),
        (Reply(is_cut_at_once=True), DeliveryState.AMBIGUOUS, "cut before an answer"),
        (
            Reply(status=302, headers={"Location": "http://169.254.169.254/latest/meta-data"}),
            DeliveryState.REJECTED,
            "status 302",
        ),
    ],
    ids=lambda value: value.reason if isinstance(value, Outcome) else None,
)
async def test_an_answer_is_understood(reply: Reply, state: DeliveryState, reason: str | None) -> None:
    outcome, _ = await answer_to(reply)

    assert (outcome.state, outcome.reason) == (state, reason)
    assert outcome.after_ms == (7000 if state is DeliveryState.THROTTLED else None)
    assert outcome.is_last == (reply.status == 410)


async def test_a_redirect_is_not_followed() -> None:
    async with receiving(SECRET) as first, receiving(SECRET) as second:
        first.script = [Reply(status=307, headers={"Location": second.url})]
        outcome = await post(first.url, *LOOPBACK)

    assert outcome.state is DeliveryState.REJECTED
    assert second.connections == 0


async def test_a_slow_receiver_may_have_taken_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "TOTAL_S", 0.5)

    outcome, receiver = await answer_to(Reply(delay_s=60))

    assert outcome == Outcome(state=DeliveryState.AMBIGUOUS, reason="no answer in time")
    assert len(receiver.arrived) == 1


async def test_one_that_says_nothing_is_left_within_the_time_of_its_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhook, "SILENCE_S", 0.5)

    outcome, _ = await answer_to(Reply(delay_s=60))

    assert outcome == Outcome(state=DeliveryState.AMBIGUOUS, reason="no answer in time")


async def test_nobody_listening_is_no_doubt() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        outcome = await post(f"http://127.0.0.1:{unused.getsockname()[1]}/", *LOOPBACK)

    assert outcome == Outcome(state=DeliveryState.UNAVAILABLE, reason="no connection")


async def test_a_name_that_leads_nowhere_is_no_doubt() -> None:
    outcome = await post("https://nobody.invalid/", *LOOPBACK)

    assert outcome == Outcome(state=DeliveryState.UNAVAILABLE, reason="name not found")


async def test_a_certificate_nobody_vouches_for_is_refused() -> None:
    async with receiving(SECRET, tls=True) as receiver:
        outcome = await post(receiver.url, *LOOPBACK)
        assert outcome == Outcome(state=DeliveryState.UNAVAILABLE, reason="certificate or TLS")
        assert receiver.arrived == []
        assert (await post(receiver.url, *LOOPBACK, is_trusting=True)).state is DeliveryState.DELIVERED


async def test_a_receiver_that_speaks_no_tls_is_unavailable() -> None:
    async with receiving(SECRET) as receiver:
        outcome = await post(receiver.url.replace("http:", "https:"), *LOOPBACK)

    assert outcome == Outcome(state=DeliveryState.UNAVAILABLE, reason="certificate or TLS")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254", "10.0.0.1"],
)
async def test_a_private_address_gets_nothing_without_leave(host: str) -> None:
    async with receiving(SECRET) as receiver:
        outcome = await post(f"https://{host}:{receiver.port}/hook", "192.0.2.0/24")
        assert outcome == Outcome(state=DeliveryState.REJECTED, reason="private address")
        assert receiver.connections == 0


async def test_leave_is_for_the_networks_named() -> None:
    async with receiving(SECRET) as receiver:
        assert (await post(receiver.url, "127.0.0.1/32")).state is DeliveryState.DELIVERED
        assert (await post(receiver.url, "127.0.0.2/32")).reason == "private address"


async def test_a_name_is_judged_by_what_it_leads_to_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """A public name whose answer is a private address, also beside a public one."""
    loop = asyncio.get_running_loop()
    async with receiving(SECRET) as receiver:
        answers = [["127.0.0.1"], ["203.0.113.1", "127.0.0.1"]]

        async def resolve(_host: str, port: int, **_: Any) -> list[Any]:
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers.pop(0)
            ]

        monkeypatch.setattr(loop, "getaddrinfo", resolve)
        for _ in range(2):
            outcome = await post(f"https://receiver.test:{receiver.port}/hook")
            assert (outcome.state, outcome.reason) == (DeliveryState.REJECTED, "private address")
        assert receiver.connections == 0


async def test_plain_http_goes_to_no_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(_host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("9.9.9.9", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    outcome = await post("http://receiver.test/", "10.0.0.0/8")

    assert outcome == Outcome(state=DeliveryState.REJECTED, reason="not encrypted")


async def test_many_at_once_are_all_answered() -> None:
    async with receiving(SECRET) as receiver, client(*LOOPBACK) as made:
        sent = [
            made.send(receiver.url, key=KEY, delivery_id=f"n_{n}", body=json.dumps({"n": n}).encode())
            for n in range(40)
        ]
        outcomes = await asyncio.gather(*sent)

    assert {outcome.state for outcome in outcomes} == {DeliveryState.DELIVERED}
    assert len({arrival.delivery_id for arrival in receiver.arrived if arrival.is_signed}) == 40
