"""AMI's framing: any cut gives the same frames, and nothing makes the reader grow or stop."""

import hashlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.adapters.asterisk_ami.frames import (
    MAX_FRAME_BYTES,
    Fault,
    Frame,
    FrameReader,
    action,
)

BANNER = b"Asterisk Call Manager/11.0.0\r\n"
ONE = b"Event: Join\r\nQueue: a: b\r\nPausedReason: \r\n\r\n"
TWO = b"Event: Leave\r\nState: 1\r\nState: 2\r\n\r\n"


def read(*pieces: bytes) -> tuple[list[str], FrameReader]:
    reader = FrameReader()
    return [frame.raw for piece in pieces for frame in reader.feed(piece)], reader


def test_keys_repeat_and_values_are_empty_or_hold_colons() -> None:
    frames = FrameReader().feed(BANNER + ONE + TWO)

    assert [frame.get("Event") for frame in frames] == ["Join", "Leave"]
    assert frames[0].get("Queue") == "a: b"
    assert frames[0].get("PausedReason") == ""
    assert "PausedReason" in frames[0]
    assert "Paused" not in frames[0]
    assert frames[1].get("State") == "1"
    assert frames[1].all("State") == ["1", "2"]


def test_a_value_without_a_space_behind_the_colon_is_read() -> None:
    assert Frame("AppData:\nContext:default").get("AppData") == ""
    assert Frame("AppData:\nContext:default").get("Context") == "default"


def test_a_key_is_found_at_the_start_of_a_line_only() -> None:
    frame = Frame("AppData: Queue: no\nDestQueue: no\nQueue: yes")

    assert frame.get("Queue") == "yes"


@pytest.mark.parametrize("cut", range(1, len(BANNER + ONE + b"\r\n" + TWO)))
def test_a_cut_at_any_byte_gives_the_same_frames(cut: int) -> None:
    data = BANNER + ONE + b"\r\n" + TWO
    frames, reader = read(data[:cut], data[cut:])

    assert frames == ["Event: Join\nQueue: a: b\nPausedReason: ", "Event: Leave\nState: 1\nState: 2"]
    assert reader.banner == "Asterisk Call Manager/11.0.0"
    assert reader.take_refused() == []


@settings(max_examples=100, deadline=None)
@given(
    frames=st.lists(st.binary(min_size=0, max_size=60), max_size=6),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
def test_any_bytes_in_any_cut_give_what_they_give_at_once(frames: list[bytes], cuts: list[int]) -> None:
    data = b"".join(b"Key: " + frame + b"\r\n\r\n" for frame in frames)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]

    assert read(*pieces)[0] == read(data)[0]


def test_without_a_banner_the_first_line_belongs_to_the_first_frame() -> None:
    frames, reader = read(ONE)

    assert len(frames) == 1
    assert reader.banner == ""


def test_bytes_that_are_not_utf_8_are_replaced() -> None:
    frames, _ = read(BANNER, b"Event: Join\r\nCallerIDName: Ren\xe9\r\n\r\n")

    assert frames == ["Event: Join\nCallerIDName: Ren\ufffd"]


def test_line_feeds_alone_are_taken_too() -> None:
    assert read(b"Event: Join\nQueue: a\n\nEvent: Leave\n\n")[0] == ["Event: Join\nQueue: a", "Event: Leave"]


@pytest.mark.parametrize("piece_bytes", [997, 40_000, 10_000_000])
def test_a_frame_above_64_kib_is_refused_and_the_next_is_read(piece_bytes: int) -> None:
    large = b"Event: Big\r\n" + b"Line: of text\r\n" * 9000
    data = BANNER + ONE + large + b"\r\n" + TWO
    frames, reader = read(*(data[i : i + piece_bytes] for i in range(0, len(data), piece_bytes)))
    (refused,) = reader.take_refused()

    assert [Frame(raw).get("Event") for raw in frames] == ["Join", "Leave"]
    assert refused.detail == Fault.TOO_LARGE
    assert refused.is_too_large


@pytest.mark.parametrize("piece_bytes", [4096, 10_000_000])
def test_a_line_without_end_is_refused_and_the_next_frame_is_read(piece_bytes: int) -> None:
    endless = b"Event: " + b"x" * (5 * MAX_FRAME_BYTES)
    data = BANNER + endless + b"\r\n\r\n" + TWO
    frames, reader = read(*(data[i : i + piece_bytes] for i in range(0, len(data), piece_bytes)))
    (refused,) = reader.take_refused()

    assert [Frame(raw).get("Event") for raw in frames] == ["Leave"]
    assert refused.detail == Fault.UNENDED_LINE
    assert refused.size == len(endless)
    assert refused.sha256 == hashlib.sha256(endless).hexdigest()
    assert reader.take_refused() == []


def test_a_line_that_never_ends_takes_bounded_memory() -> None:
    reader = FrameReader()
    for _ in range(200):
        reader.feed(b"x" * MAX_FRAME_BYTES)

    assert len(reader._buffer) <= 2 * MAX_FRAME_BYTES


def test_lines_without_any_header_are_refused() -> None:
    frames, reader = read(BANNER, b"GET / HTTP/1.1\r\n\r\n", ONE)

    assert len(frames) == 1
    assert [refused.detail for refused in reader.take_refused()] == [Fault.NO_HEADER]


def test_empty_lines_alone_are_nothing() -> None:
    frames, reader = read(BANNER, b"\r\n\r\n\r\n", ONE)

    assert len(frames) == 1
    assert reader.take_refused() == []


def test_an_action_is_lines_and_an_empty_one() -> None:
    assert action("Login", {"Username": "wallboard"}) == b"Action: Login\r\nUsername: wallboard\r\n\r\n"


@pytest.mark.parametrize("secret", ["a\r\nAction: Originate", "a\nb"])
def test_a_value_cannot_become_another_action(secret: str) -> None:
    with pytest.raises(ValueError, match="line end"):
        action("Login", {"Secret": secret})
