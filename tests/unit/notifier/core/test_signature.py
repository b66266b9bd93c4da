"""Signatures, against the specification's own value and its library's reader."""

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from services.notifier.core.signature import headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = base64.b64decode(SECRET.removeprefix("whsec_"))


def test_the_value_of_the_specification_is_ours() -> None:
    signed = headers(
        KEY, delivery_id="msg_p5jXN8AQM9LWM0D4loKWxJek", at_s=1614265330, body=b'{"test": 2432232314}'
    )

    assert signed == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_the_bytes_of_the_body_are_signed_as_they_are() -> None:
    body = '{"data":{"queue":"Réclamations"}}'.encode()
    at_s = int(datetime.now(UTC).timestamp())
    signed = headers(KEY, delivery_id="n_1", at_s=at_s, body=body)

    assert Webhook(SECRET).verify(body, signed) == {"data": {"queue": "Réclamations"}}
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace("é".encode(), rb"\u00e9"), signed)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body, {**signed, "webhook-id": "n_2"})


def test_another_try_has_another_signature_under_the_same_id() -> None:
    first, second = (headers(KEY, delivery_id="n_1", at_s=at_s, body=b"{}") for at_s in (1, 2))

    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-signature"] != second["webhook-signature"]
