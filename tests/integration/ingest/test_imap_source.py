"""A shared mailbox at a real Dovecot: received, answered, closed; cut off, restarted, misconfigured."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from schemas.config import SourceConfig
from schemas.events import ContactCreated, ContactEnded, QueueEntered, QueueLeft, SourceHeartbeat
from schemas.sources import SourceState
from schemas.vocabulary import Outcome
from services.ingest.adapters.imap.connect import run
from services.ingest.line import Patience
from tests.doubles.mail_server import SECRET, USER, MailServer
from tests.doubles.running_source import PSEUDONYMS, Running, until

FAST = Patience(first_s=0.05, most_s=0.2, refused_s=0.1)
TLS = Path(__file__).parents[2] / "data" / "tls"
NOW_S = float(int(time.time()) - 7200)


def mail(message_id: str, *lines: str, sender: str = "Ada <ada@customer.example>") -> bytes:
    head = [f"Message-ID: {message_id}", f"From: {sender}", f"To: {USER}", "Subject: secret matter", *lines]
    return "\r\n".join([*head, "", "my secret text", ""]).encode()


def answer(message_id: str, to: str) -> bytes:
    return mail(message_id, f"In-Reply-To: {to}", sender=f"Support <{USER}>")


def source(server: MailServer, **more: Any) -> SourceConfig:
    settings: dict[str, Any] = {
        "id": "mail",
        "kind": "imap",
        "site": "paris",
        "port": server.port,
        "tls": "none",
        "user": USER,
        "addresses": [USER],
        "queue": "support-mail",
        "poll_s": 0.05,
        **more,
    }
    return SourceConfig(**settings)


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with MailServer() as server:
        yield server


def start(config: SourceConfig, folder: Path, *, secret: str = SECRET) -> Running:
    return Running(config, partial(run, patience=FAST), secret=secret, folder=folder)


def left(it: Running) -> list[tuple[Outcome, int, bool]]:
    return [(e.outcome, e.occurred_ms, e.inferred) for e in it.heard.events if isinstance(e, QueueLeft)]


async def test_a_mail_is_received_answered_closed_and_opened_again(
    server: MailServer, tmp_path: Path
) -> None:
    await server.put(mail("<1@a>"), at_s=NOW_S)
    async with start(source(server), tmp_path).ending() as it:
        await until(lambda: it.heard.of(QueueEntered))
        await server.put(answer("<2@us>", "<1@a>"), at_s=NOW_S + 600, mailbox="Sent")
        await until(lambda: left(it))
        await server.move("<1@a>", "Done")
        await until(lambda: it.heard.of(ContactEnded))
        await server.put(mail("<3@a>", "In-Reply-To: <2@us>"), at_s=NOW_S + 1200)
        await until(lambda: len(it.heard.of(QueueEntered)) == 2)
        assert it.heard.of(SourceHeartbeat)

    first, again = it.heard.of(QueueEntered)
    (created,) = it.heard.of(ContactCreated)
    assert isinstance(created, ContactCreated)
    assert created.customer == PSEUDONYMS.of("ada@customer.example")
    assert first.occurred_ms == round(NOW_S * 1000)
    assert left(it) == [(Outcome.ANSWERED, round((NOW_S + 600) * 1000), False)]
    assert again.occurred_ms == round((NOW_S + 1200) * 1000)


async def test_nothing_is_changed_at_the_server_and_nothing_private_is_told(
    server: MailServer, tmp_path: Path
) -> None:
    await server.put(mail("<1@a>"), at_s=NOW_S)
    async with start(source(server), tmp_path).ending() as it:
        await until(lambda: it.heard.of(QueueEntered))
        assert "Seen" not in await server.flags("<1@a>")

    told = repr(it.heard.messages) + repr(it.report.status("i"))
    assert not [word for word in ("secret matter", "secret text", "ada@", "Ada") if word in told]


async def test_an_answer_that_only_a_flag_tells_of_counts(server: MailServer, tmp_path: Path) -> None:
    await server.put(mail("<1@a>"), at_s=NOW_S)
    async with start(source(server), tmp_path).ending() as it:
        await until(lambda: it.heard.of(QueueEntered))
        await server.flag("<1@a>")
        await until(lambda: left(it))

    assert [(outcome, inferred) for outcome, _, inferred in left(it)] == [(Outcome.ANSWERED, True)]


async def test_what_is_deleted_unanswered_is_closed_and_elsewhere_it_is_unknown(
    server: MailServer, tmp_path: Path
) -> None:
    await server.put(mail("<1@a>"), at_s=NOW_S)
    await server.put(mail("<2@a>"), at_s=NOW_S + 1)
    config = source(server, closed_mailboxes=["Done"])
    async with start(config, tmp_path).ending() as it:
        await until(lambda: len(it.heard.of(QueueEntered)) == 2)
        await server.move("<1@a>", "Done")
        await server.move("<2@a>", None)
        await until(lambda: len(left(it)) == 2)

    assert sorted(outcome for outcome, _, _ in left(it)) == [Outcome.CLOSED, Outcome.UNKNOWN]


async def test_what_happened_while_we_were_away_is_told_by_the_next_start(
    server: MailServer, tmp_path: Path
) -> None:
    await server.put(mail("<1@a>"), at_s=NOW_S)
    await server.put(mail("<2@a>"), at_s=NOW_S + 1)
    async with start(source(server), tmp_path).ending() as first:
        await until(lambda: len(first.heard.of(QueueEntered)) == 2)
        heard = len(first.heard.of(SourceHeartbeat))
        await until(
            lambda: len(first.heard.of(SourceHeartbeat)) > heard
        )  # the next look: this one has its mark
    await server.move("<1@a>", "Done")
    await server.put(answer("<9@us>", "<2@a>"), at_s=NOW_S + 900, mailbox="Sent")
    async with start(source(server), tmp_path).ending() as again:
        await until(lambda: len(left(again)) == 2)
        assert again.heard.of(ContactCreated) == []

    assert {outcome for outcome, _, _ in left(again)} == {Outcome.CLOSED, Outcome.ANSWERED}


async def test_a_server_that_goes_and_comes_back_is_looked_into_again(
    server: MailServer, tmp_path: Path
) -> None:
    await server.put(mail("<1@a>"), at_s=NOW_S)
    async with start(source(server), tmp_path).ending() as it:
        await until(it.is_up)
        await server.stop()
        await until(lambda: it.report.status("i").state is SourceState.LOST)
        await server.start()
        await server.put(mail("<2@a>"), at_s=NOW_S + 5)
        await until(lambda: len(it.heard.of(QueueEntered)) == 2)
        assert it.is_up()


@pytest.mark.parametrize(
    ("change", "secret", "words"),
    [
        ({}, "wrong", "login refused"),
        ({"sent_mailbox": "Gesendet"}, SECRET, "there is no mailbox Gesendet; there are"),
        ({"mailbox": "Team"}, SECRET, "there is no mailbox Team; there are"),
        ({"tls": "starttls"}, SECRET, "127.0.0.1"),
        ({"port": 9}, SECRET, "127.0.0.1:9"),
    ],
)
async def test_what_is_misconfigured_is_said_in_words(
    server: MailServer, tmp_path: Path, change: dict[str, Any], secret: str, words: str
) -> None:
    async with start(source(server, **change), tmp_path, secret=secret).ending() as it:
        await until(lambda: it.report.status("i").reason)
        reason = str(it.report.status("i").reason)

    assert words in reason
    assert SECRET not in reason
    assert "wrong" not in reason


async def test_tls_is_spoken_with_the_authority_that_is_named(tmp_path: Path) -> None:
    async with MailServer(certificate=TLS / "certificate.pem", key=TLS / "key.pem") as server:
        trusted = source(server, tls="starttls", ca_file=str(TLS / "certificate.pem"))
        async with start(trusted, tmp_path / "a").ending() as it:
            await until(it.is_up)
        async with start(source(server, tls="starttls"), tmp_path / "b").ending() as strange:
            await until(lambda: strange.report.status("i").reason)
            assert "TLS" in str(strange.report.status("i").reason)


async def test_several_mailboxes_of_hundreds_of_mails_are_read_at_once(
    server: MailServer, tmp_path: Path
) -> None:
    for first in range(0, 220, 22):
        numbers = range(first, first + 22)
        await asyncio.gather(*(server.put(mail(f"<{n}@a>"), at_s=NOW_S + n) for n in numbers))
    async with start(source(server), tmp_path).ending() as it:
        await until(lambda: len(it.heard.of(QueueEntered)) == 220)

    times = [event.occurred_ms for event in it.heard.of(QueueEntered)]
    assert times == sorted(times)
