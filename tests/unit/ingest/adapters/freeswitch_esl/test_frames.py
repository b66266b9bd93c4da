"""The event socket's wire form, in any cut."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.adapters.freeswitch_esl.frames import (
    HEAD_TOO_LARGE,
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    NO_LENGTH,
    NO_TYPE,
    TOO_LARGE,
    Frame,
    FrameReader,
    command,
)

BODY = b"Event-Name: HEARTBEAT\nCore-UUID: 1\n\n"
WIRE = (
    b"Content-Type: auth/request\n\n"
    b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n"
    b"Content-Length: %d\nContent-Type: text/event-plain\n\n"
    % len(BODY)
    + BODY
    + b"Content-Type: api/response\nContent-Length: 4\n\n+OK\n"
    b"Content-Type: log/data\nContent-Length: 3\nLog-Level: 7\n\n\n\n\n"
    b"\n\nContent-Type: text/disconnect-notice\nContent-Length: 13\n\nDisconnected.\n"
)
FRAMES = [
    ("auth/request", b""),
    ("command/reply", b""),
    ("text/event-plain", BODY),
    ("api/response", b"+OK\n"),
    ("log/data", b"\n\n\n"),
    ("text/disconnect-notice", b"Disconnected."),
]


def read(*pieces: bytes) -> tuple[list[Frame], FrameReader]:
    reader = FrameReader()
    return [frame for piece in pieces for frame in reader.feed(piece)], reader


def told(frames: list[Frame]) -> list[tuple[str, bytes]]:
    return [(frame.type, frame.body) for frame in frames]


@pytest.mark.parametrize("cut", range(len(WIRE) + 1))
def test_any_cut_gives_the_same_frames(cut: int) -> None:
    frames, reader = read(WIRE[:cut], WIRE[cut:])

    assert told(frames) == FRAMES
    assert frames[1].get("Reply-Text") == "+OK accepted"
    assert reader.take_refused() == []


def test_byte_by_byte_gives_the_same_frames() -> None:
    assert told(read(*(bytes([byte]) for byte in WIRE))[0]) == FRAMES


def test_carriage_returns_are_taken_too() -> None:
    frames, _ = read(b"Content-Type: api/response\r\nContent-Length: 2\r\n\r\nok\r\n")

    assert told(frames) == [("api/response", b"ok")]


def test_a_body_that_is_too_large_is_refused_and_the_connection_goes_on() -> None:
    body = b"x" * (MAX_BODY_BYTES + 1)
    head = b"Content-Length: %d\nContent-Type: text/event-json\n\n" % len(body)
    frames, reader = read(head + body[:1000], body[1000:-1], body[-1:] + WIRE)
    [refused] = reader.take_refused()

    assert (frames[0].type, frames[0].is_refused, frames[0].body) == ("text/event-json", True, b"")
    assert told(frames[1:]) == FRAMES
    assert (refused.detail, refused.size, refused.is_too_large) == (TOO_LARGE, len(body), True)
    assert refused.sha256 == hashlib.sha256(body).hexdigest()
    assert reader.take_refused() == []


def test_of_a_body_that_is_too_large_nothing_is_kept() -> None:
    reader = FrameReader()
    reader.feed(b"Content-Length: 999999999\nContent-Type: text/event-json\n\n")
    for _ in range(100):
        reader.feed(b"x" * 100_000)

    assert len(reader._buffer) == 0


@pytest.mark.parametrize("piece", [1000, MAX_HEAD_BYTES + 5, 200_000])
def test_headers_that_never_end_are_refused_up_to_the_next_empty_line(piece: int) -> None:
    head = b"X: " + b"x" * (2 * MAX_HEAD_BYTES) + b"\n\n"
    data = head + WIRE
    frames, reader = read(*(data[at : at + piece] for at in range(0, len(data), piece)))
    [refused] = reader.take_refused()

    assert told(frames) == FRAMES
    assert (refused.detail, refused.is_too_large) == (HEAD_TOO_LARGE, True)
    assert refused.size == len(head) - 2


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\n\n", NO_TYPE),
        (b"Content-Length: 5\n\n", NO_TYPE),
        (b"Content-Type: api/response\nContent-Length: -1\n\n", NO_LENGTH),
        (b"Content-Type: api/response\nContent-Length: x\n\n", NO_LENGTH),
        ("Content-Type: api/response\nContent-Length: \u0661\n\n".encode(), NO_LENGTH),
    ],
)
def test_what_is_no_frame_is_refused_with_a_reason(head: bytes, why: str) -> None:
    frames, reader = read(head + WIRE)

    assert [each.detail for each in reader.take_refused()] == [why]
    assert told(frames) == FRAMES


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_nothing_is_raised_whatever_comes(pieces: list[bytes]) -> None:
    read(*pieces, b"\n\n", *pieces)


def test_a_command_that_would_be_two_is_refused() -> None:
    assert command("api uptime") == b"api uptime\n\n"
    for words in ("auth a\nb", "auth a\rb", "auth a\0b"):
        with pytest.raises(ValueError, match="line end"):
            command(words)
