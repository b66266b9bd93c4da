"""Lines out of bytes, wherever they are cut."""

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.adapters.asterisk_queue_log.cutting import TOO_LONG, cut, lines_of
from services.ingest.adapters.asterisk_queue_log.lines import MAX_LINE_BYTES
from services.ingest.translated import Spoiled

LONG = b"x" * (MAX_LINE_BYTES + 1)


def test_what_has_no_end_yet_waits() -> None:
    found = cut(b"one\ntwo\nthr")

    assert (found.lines, found.used, found.is_skipping) == ([b"one", b"two"], 8, False)


def test_a_line_that_is_too_long_is_refused_and_the_next_one_read() -> None:
    found = cut(b"one\n" + LONG + b"\ntwo\n")

    assert found.lines == [b"one", b"two"]
    assert [(each.detail, each.is_too_large, each.size) for each in found.refused] == [
        (TOO_LONG, True, len(LONG))
    ]


def test_one_that_goes_on_is_refused_once_and_skipped_to_its_end() -> None:
    first = cut(LONG)
    assert (len(first.refused), first.used, first.is_skipping) == (1, len(LONG), True)
    second = cut(LONG, is_skipping=True)
    assert (second.refused, second.used, second.is_skipping) == ([], len(LONG), True)
    third = cut(b"end\ntwo\n", is_skipping=True)
    assert (third.refused, third.lines, third.is_skipping) == ([], [b"two"], False)


@given(st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")), max_size=20), st.integers(1, 9))
def test_every_cut_gives_the_same_lines(lines: list[bytes], size: int) -> None:
    data = b"\n".join(lines)
    chunks = [data[start : start + size] for start in range(0, len(data), size)]

    *whole, last = data.split(b"\n")
    assert list(lines_of(chunks)) == [*whole, *([last] if last else [])]


def test_a_file_with_a_long_line_gives_the_others() -> None:
    found = list(lines_of([b"one\n" + LONG, LONG + b"\ntwo"]))

    assert [each if isinstance(each, bytes) else type(each) for each in found] == [Spoiled, b"one", b"two"]
