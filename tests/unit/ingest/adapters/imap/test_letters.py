"""What the headers of an e-mail say of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.adapters.imap.letters import Letter, letter_of
from services.ingest.names import digest

OURS = frozenset({"support@example.org", "@team.example.org"})


def letter(*lines: str) -> Letter:
    raw = "\r\n".join(["Message-ID: <1@a>", "From: Ada <ada@customer.example>", *lines, "", ""])
    return letter_of(raw.encode(), uid=7, at_ms=5, ours=OURS)


def test_a_message_that_names_none_begins_a_thread() -> None:
    found = letter()

    assert found.thread == found.key == digest(b"<1@a>")
    assert (found.names, found.sender, found.is_ours, found.is_automatic) == (
        (),
        "ada@customer.example",
        False,
        False,
    )


def test_an_answer_belongs_to_the_oldest_message_that_it_names() -> None:
    found = letter("References: <0@a>\r\n <half@a>", "In-Reply-To: <half@a>")

    assert found.thread == digest(b"<0@a>")
    assert found.names == (digest(b"<0@a>"), digest(b"<half@a>"))


def test_without_references_what_it_replies_to_is_the_thread() -> None:
    assert letter("In-Reply-To: <0@a>").thread == digest(b"<0@a>")


@pytest.mark.parametrize(
    ("sender", "ours"),
    [
        ("Support <Support@Example.org>", True),
        ("lea@team.example.org", True),
        ("lea@other.example.org", False),
        ("support@example.org.evil.example", False),
        ('"support@example.org" <x@evil.example>', False),
        ("", False),
    ],
)
def test_ours_are_known_by_address_or_domain(sender: str, ours: bool) -> None:
    raw = f"Message-ID: <1@a>\r\nFrom: {sender}\r\n\r\n".encode()

    assert letter_of(raw, uid=1, at_ms=0, ours=OURS).is_ours is ours


@pytest.mark.parametrize(
    ("line", "automatic"),
    [
        ("Auto-Submitted: auto-replied", True),
        ("Auto-Submitted: auto-generated (failure)", True),
        ("Auto-Submitted: no", False),
        ("Precedence: bulk", True),
        ("X-Autoreply: yes", True),
        ("List-Id: <news.example.org>", True),
        ("Return-Path: <>", True),
        ("Return-Path: <ada@customer.example>", False),
    ],
)
def test_machines_are_told_from_people(line: str, automatic: bool) -> None:
    assert letter(line).is_automatic is automatic


def test_no_address_and_no_id_comes_out_but_for_the_sender_s() -> None:
    found = letter("References: <ada.private@customer.example>", "Subject: My illness")

    assert "illness" not in repr(found)
    assert "ada.private" not in repr(found)


@given(st.binary(max_size=400))
def test_any_headers_never_raise(raw: bytes) -> None:
    letter_of(raw, uid=1, at_ms=0, ours=OURS)
