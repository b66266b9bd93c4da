"""Which shards are read, and in what order, when a stream is split and merged."""

import pytest

from services.ingest.adapters.amazon_connect import checkpoint
from services.ingest.adapters.amazon_connect.shards import READ_TO_END, Progress, Shard, ready
from tests.doubles.connect_events import source

WHOLE = Shard("0")
LEFT, RIGHT = Shard("1", ("0",)), Shard("2", ("0",))
MERGED = Shard("3", ("1", "2"))
ALL = [WHOLE, LEFT, RIGHT, MERGED]


@pytest.mark.parametrize(
    ("shards", "done", "reading", "turn"),
    [
        ([WHOLE], [], [], ["0"]),
        ([WHOLE], [], ["0"], []),
        (ALL, [], [], ["0"]),
        (ALL, ["0"], [], ["1", "2"]),
        (ALL, ["0"], ["1"], ["2"]),
        (ALL, ["0", "1"], ["2"], []),
        (ALL, ["0", "1", "2"], [], ["3"]),
        (ALL, ["0", "1", "2", "3"], [], []),
        ([LEFT, RIGHT], [], [], ["1", "2"]),  # the parent is gone: too old for the stream
        ([MERGED], [], [], ["3"]),
    ],
)
def test_children_follow_their_parents(
    shards: list[Shard], done: list[str], reading: list[str], turn: list[str]
) -> None:
    progress = Progress(stream="s", since_ms=0, read=dict.fromkeys(done, READ_TO_END))

    assert ready(shards, progress, reading) == turn


def test_a_number_is_not_the_end() -> None:
    progress = Progress(stream="s", since_ms=0, read={"0": "4957"})

    assert ready(ALL, progress, []) == ["0"]


def test_what_the_stream_has_no_longer_is_forgotten() -> None:
    progress = Progress(stream="s", since_ms=0, read={"0": READ_TO_END, "1": "7"})
    progress.keep_only(["1", "2"])

    assert progress.read == {"1": "7"}


def test_progress_is_found_again_for_the_same_stream_only() -> None:
    progress = Progress(stream="agents", since_ms=5, read={"0": "7"})
    text = checkpoint.text_of(progress)

    assert checkpoint.progress_of(text, source(stream="agents"), now_ms=10**9) == progress
    fresh = checkpoint.progress_of(text, source(stream="others"), now_ms=10**9)
    assert (fresh.since_ms, fresh.read) == (10**9 - checkpoint.BACKFILL_MS, {})


@pytest.mark.parametrize("text", [None, "", "{", '{"stream": 7}'])
def test_a_mark_that_is_none_of_ours_counts_as_none(text: str | None) -> None:
    assert checkpoint.progress_of(text, source(stream="agents"), now_ms=10**9).read == {}
