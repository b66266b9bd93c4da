"""What goes out: the body of a webhook, the message of a mail."""

import email
import json
from email.policy import default

from msgspec.structs import replace

from schemas.vocabulary import Notice
from services.notifier.core import body
from services.notifier.core.text import words
from tests.unit.api.rows import alert
from tests.unit.notifier.told import CENTRE

FIRING = alert(value=125.3, waiting=9, command="c-1", accepted=True)


def test_a_webhook_carries_the_alert_its_link_and_its_line() -> None:
    said = words(FIRING, Notice.FIRED, CENTRE)
    sent = json.loads(body.webhook(FIRING, Notice.FIRED, said))

    assert (sent["type"], sent["timestamp"]) == ("alert.fired", "2026-11-22T04:20:53.000Z")
    assert sent["data"]["text"] == said.line
    assert sent["data"]["board_url"] == said.board_url
    assert (sent["data"]["alert_id"], sent["data"]["waiting"]) == (FIRING.alert_id, 9)
    assert not {"command", "accepted"} & set(sent["data"])
    assert body.webhook(FIRING, Notice.FIRED, said) == body.webhook(FIRING, Notice.FIRED, said)
    assert len(body.webhook(FIRING, Notice.FIRED, said)) < 20_000


def mailed(notice: Notice, delivery_id: str, opening_id: str | None) -> email.message.EmailMessage:
    raw = body.mail(
        FIRING,
        notice,
        words(FIRING, notice, CENTRE),
        delivery_id=delivery_id,
        opening_id=opening_id,
        sender="Vigie <vigie@x.test>",
        address="lea@x.test",
    )
    assert max(map(len, raw.split(b"\r\n"))) <= 78
    return email.message_from_bytes(raw, policy=default)


def test_the_mails_of_an_episode_are_one_thread() -> None:
    first, last = mailed(Notice.FIRED, "n_1", None), mailed(Notice.RESOLVED, "n_2", "n_1")

    assert first["Message-ID"] == f"<{FIRING.alert_id}.n_1@x.test>"
    assert last["Message-ID"] == f"<{FIRING.alert_id}.n_2@x.test>"
    assert last["In-Reply-To"] == last["References"] == first["Message-ID"]
    assert last["Subject"] == f"Re: {first['Subject']}"
    assert (first["Importance"], last["Importance"]) == ("high", None)


def test_a_mail_is_marked_as_sent_by_a_machine_and_dated_by_the_alert() -> None:
    message = mailed(Notice.FIRED, "n_1", None)

    assert (message["From"], message["To"]) == ("Vigie <vigie@x.test>", "lea@x.test")
    assert (message["Auto-Submitted"], message["X-Auto-Response-Suppress"]) == ("auto-generated", "All")
    assert message["Date"] == "Sun, 22 Nov 2026 04:20:53 +0000"
    assert message.get_content().splitlines() == words(FIRING, Notice.FIRED, CENTRE).body.splitlines()


def test_a_forged_queue_name_adds_no_header() -> None:
    forged = replace(FIRING, queue="q\r\nBcc: all@x.test")
    raw = body.mail(
        forged,
        Notice.FIRED,
        words(forged, Notice.FIRED, CENTRE),
        delivery_id="n_1",
        opening_id=None,
        sender="vigie@x.test",
        address="lea@x.test",
    )

    assert email.message_from_bytes(raw, policy=default)["Bcc"] is None
