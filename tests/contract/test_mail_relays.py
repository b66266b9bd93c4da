"""Relays as they are: a real SMTP server that refuses, greylists, cuts, or offers no encryption."""

import socket

import pytest

from schemas.config import SmtpConfig
from schemas.deliveries import DeliveryState
from schemas.vocabulary import Notice
from services.notifier.core import body
from services.notifier.core.retry import Outcome
from services.notifier.core.text import words
from services.notifier.email import Mailer
from tests.doubles.receiver import client_trust
from tests.doubles.relay import PASSWORD, Relay, relaying
from tests.unit.api.rows import alert
from tests.unit.notifier.told import CENTRE

ADDRESS = "lea@x.test"
SENDER = "Vigie <vigie@x.test>"
TAKEN = Outcome(state=DeliveryState.ACCEPTED)


def message(delivery_id: str = "n_1", opening_id: str | None = None) -> bytes:
    notice = Notice.FIRED if opening_id is None else Notice.RESOLVED
    firing = alert(queue="Réclamations", waiting=3)
    return body.mail(
        firing,
        notice,
        words(firing, notice, CENTRE),
        delivery_id=delivery_id,
        opening_id=opening_id,
        sender=SENDER,
        address=ADDRESS,
    )


async def send(
    relay: Relay | int,
    *,
    tls: str = "none",
    user: str | None = None,
    password: str = "",
    is_trusting: bool = True,
    mail: bytes | None = None,
) -> Outcome:
    port = relay if isinstance(relay, int) else relay.port
    smtp = SmtpConfig(host="127.0.0.1", port=port, sender=SENDER, tls=tls, user=user)  # type: ignore[arg-type] # as in a file
    trust = client_trust() if is_trusting else None
    mailer = Mailer(smtp, password=password, trust=trust, answer_s=10)
    return await mailer.send(mail if mail is not None else message(), address=ADDRESS)


async def test_a_relay_takes_a_mail_as_it_was_written() -> None:
    async with relaying() as relay:
        assert await send(relay) == TAKEN
        [mail] = relay.mails
        assert relay.envelopes == [("vigie@x.test", ADDRESS)]
        assert mail["Message-ID"] == "<00000000000000a1.n_1@x.test>"
        assert mail["Subject"].startswith("Réclamations\u00a0: plus de")
        assert "3 en attente" in mail.get_content()


async def test_the_end_of_an_episode_answers_its_beginning() -> None:
    async with relaying() as relay:
        await send(relay)
        await send(relay, mail=message("n_2", "n_1"))
        first, last = relay.mails
        assert last["References"] == first["Message-ID"]
        assert last["Subject"] == f"Re: {first['Subject']}"


@pytest.mark.parametrize(
    ("at", "says", "state"),
    [
        ("rcpt", "450 4.2.0 greylisted, come again", DeliveryState.UNAVAILABLE),
        ("rcpt", "452 4.2.2 mailbox full", DeliveryState.UNAVAILABLE),
        ("rcpt", "550 5.1.1 no such user", DeliveryState.REJECTED),
        ("data", "451 4.7.1 later", DeliveryState.UNAVAILABLE),
        ("data", "554 5.7.1 no", DeliveryState.REJECTED),
    ],
)
async def test_a_relay_says_later_or_never(at: str, says: str, state: DeliveryState) -> None:
    async with relaying() as relay:
        (relay.at_rcpt if at == "rcpt" else relay.at_data).append(says)
        outcome = await send(relay)
        assert (outcome.state, outcome.reason) == (state, f"smtp {says[:3]}")
        assert relay.mails == []
        assert await send(relay) == TAKEN


async def test_a_cut_after_the_message_left_is_a_doubt() -> None:
    async with relaying() as relay:
        relay.cuts_after_data = 1
        assert await send(relay) == Outcome(state=DeliveryState.AMBIGUOUS, reason="cut before an answer")
        assert len(relay.mails) == 1
        assert await send(relay) == TAKEN
        assert relay.mails[0]["Message-ID"] == relay.mails[1]["Message-ID"]


async def test_nobody_listening_is_no_doubt() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        outcome = await send(unused.getsockname()[1])

    assert outcome == Outcome(state=DeliveryState.UNAVAILABLE, reason="no connection")


async def test_starttls_encrypts_and_nothing_is_said_to_a_relay_that_offers_none() -> None:
    async with relaying(starttls=True) as relay:
        assert await send(relay, tls="starttls") == TAKEN
        assert relay.is_encrypted == [True]
    async with relaying() as plain:
        outcome = await send(plain, tls="starttls")
        assert outcome == Outcome(state=DeliveryState.UNAVAILABLE, reason="STARTTLS not offered")
        assert plain.mails == []


async def test_a_relay_may_be_encrypted_from_the_first_byte() -> None:
    async with relaying(tls=True) as relay:
        assert await send(relay, tls="tls") == TAKEN


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_a_certificate_nobody_vouches_for_is_refused(tls: str) -> None:
    async with relaying(starttls=tls == "starttls", tls=tls == "tls") as relay:
        outcome = await send(relay, tls=tls, is_trusting=False)
        assert outcome == Outcome(state=DeliveryState.UNAVAILABLE, reason="certificate or TLS")
        assert relay.mails == []


@pytest.mark.filterwarnings("ignore:Session.login_data is deprecated")  # aiosmtpd's own use of it
async def test_a_relay_that_asks_for_a_login_gets_one() -> None:
    async with relaying(starttls=True, auth=True) as relay:
        assert await send(relay, tls="starttls", user="vigie", password=PASSWORD) == TAKEN
        wrong = await send(relay, tls="starttls", user="vigie", password="wrong")
        assert (wrong.state, wrong.reason) == (DeliveryState.REJECTED, "smtp 535")
    async with relaying(auth=True) as plain:  # it asks for TLS first
        without = await send(plain, user="vigie", password=PASSWORD)
        assert without == Outcome(state=DeliveryState.UNAVAILABLE, reason="login not offered")
