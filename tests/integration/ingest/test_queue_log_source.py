"""A queue_log read from a real folder while it is written, rotated, truncated, taken away; and restarts."""

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from msgspec import json
from structlog.testing import capture_logs

from schemas.config import SourceKind
from schemas.errors import Unavailable
from schemas.events import AgentStateChanged, QueueEntered, QueueLeft, SourceEvent, SourceHeartbeat
from schemas.sources import SourceState
from schemas.vocabulary import Reason
from services.ingest.adapters.asterisk_queue_log.connect import Kept, Pace, run
from services.ingest.adapters.asterisk_queue_log.lines import MAX_LINE_BYTES
from services.ingest.adapters.asterisk_queue_log.recording import read
from services.ingest.publisher import Message, Put
from tests.doubles.queue_log_file import QueueLogFile
from tests.doubles.running_source import PSEUDONYMS, Running, until
from tests.unit.ingest.adapters.asterisk_queue_log.telling import source

FAST = Pace(poll_s=0.01, beat_s=0.05, mark_s=0.0, gone_s=0.2)
SELDOM = Pace(poll_s=0.01, beat_s=0.05, mark_s=3600.0, gone_s=0.2)
"""Marks once, at the start: as one that is killed before the next mark."""
NOBODY = 65_534
NOW_S = int(time.time())


def line(ago_s: int, callid: str, event: str, *parameters: object, agent: str = "NONE") -> bytes:
    fields = (NOW_S - ago_s, callid, "support", agent, event, *parameters)
    return "|".join(map(str, fields)).encode()


def enter(ago_s: int, callid: str) -> bytes:
    return line(ago_s, callid, "ENTERQUEUE", "", "+33102030405", 1)


def abandon(ago_s: int, callid: str) -> bytes:
    return line(ago_s, callid, "ABANDON", 1, 1, 5)


class Centre:
    """A folder with a queue_log, and ingest's own."""

    def __init__(self, folder: Path) -> None:
        (folder / "asterisk").mkdir()
        self.log = QueueLogFile(folder / "asterisk" / "queue_log")
        self.marks = folder / "marks"
        self.heard: list[list[SourceEvent]] = []

    def start(
        self,
        *,
        pace: Pace = FAST,
        send: Put | None = None,
        peers: frozenset[SourceKind] = frozenset(),
        **settings: object,
    ) -> Running:
        config = source(file=str(self.log.path), **settings)
        return Running(config, partial(run, pace=pace), folder=self.marks, send=send, peers=peers)

    def is_marked(self) -> bool:
        """Whether all that is written has been told, and that is remembered."""
        try:
            kept = json.decode((self.marks / "log.mark").read_bytes(), type=Kept)
        except FileNotFoundError:
            return False
        return kept.place.offset == self.log.path.stat().st_size


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    centre = Centre(tmp_path)
    yield centre
    centre.log.close()


def entered(it: Running) -> list[str]:
    """The calls that entered, in the order in which that was told."""
    return [event.contact for event in it.heard.of(QueueEntered) if isinstance(event, QueueEntered)]


def facts(events: Sequence[SourceEvent]) -> list[str]:
    return [event.id for event in events if not isinstance(event, SourceHeartbeat)]


async def killed(it: Running) -> None:
    """Ends without a word: nothing is written any more."""
    it.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await it.task


# --- reading ---


async def test_what_is_there_and_what_is_written_later_is_told(centre: Centre) -> None:
    centre.log.write(enter(20, "1.1"))
    async with centre.start().ending() as it:
        await until(lambda: entered(it) == ["1.1"])
        centre.log.write(enter(10, "2.1"), abandon(5, "1.1"))
        await until(lambda: it.heard.of(QueueLeft))

    assert entered(it) == ["1.1", "2.1"]
    assert it.report.status("i").state is SourceState.STOPPED


async def test_a_line_that_is_not_whole_waits_for_its_end(centre: Centre) -> None:
    whole = enter(20, "1.1")
    async with centre.start().ending() as it:
        centre.log.write_bytes(whole[:30])
        await until(it.is_up)
        await asyncio.sleep(0.1)
        assert it.heard.letters == []
        centre.log.write_bytes(whole[30:] + b"\n")
        await until(lambda: entered(it) == ["1.1"])

    assert it.heard.letters == []


async def test_a_line_that_is_too_long_is_refused_and_the_log_read_on(centre: Centre) -> None:
    centre.log.write(enter(20, "1.1"), b"9" * (MAX_LINE_BYTES * 5), enter(19, "2.1"), b"\xff\xfe|\x80")
    async with centre.start().ending() as it:
        await until(lambda: entered(it) == ["1.1", "2.1"])
        await until(lambda: len(it.heard.letters) == 2)

    assert [letter.reason for letter in it.heard.letters] == [Reason.TOO_LARGE, Reason.INVALID]


async def test_a_first_start_tells_a_day_and_what_goes_on(centre: Centre) -> None:
    centre.log.write(enter(90_000, "old.1"), enter(89_000, "open.1"), abandon(88_999, "old.1"))
    centre.log.write(enter(80_000, "new.1"))
    with capture_logs() as logs:
        async with centre.start().ending() as it:
            await until(lambda: len(entered(it)) == 2)

    assert entered(it) == ["open.1", "new.1"]
    assert [(entry["event"], entry["lines"]) for entry in logs if "queue_log" in entry["event"]] == [
        ("queue_log_read", 4)
    ]


async def test_without_a_back_fill_only_what_goes_on_and_what_comes(centre: Centre) -> None:
    centre.log.write(enter(30, "over.1"), enter(29, "open.1"), abandon(20, "over.1"))
    async with centre.start(backfill_s=0.0).ending() as it:
        await until(lambda: entered(it) == ["open.1"])
        centre.log.write(enter(0, "new.1"))
        await until(lambda: entered(it) == ["open.1", "new.1"])


async def test_a_long_reading_is_said_once_and_its_end(centre: Centre) -> None:
    centre.log.write(*(enter(3000, f"{number}.1") for number in range(9_000)))
    with capture_logs() as logs:
        async with centre.start(pace=Pace(poll_s=0.01, long_s=0.0)).ending() as it:
            await until(lambda: any(entry["event"] == "queue_log_read" for entry in logs))

    assert len(entered(it)) == 9_000
    assert [entry["event"] for entry in logs if "queue_log" in entry["event"]] == [
        "queue_log_reading",
        "queue_log_read",
    ]


# --- rotation ---


async def test_after_a_rotation_the_new_file_is_read(centre: Centre) -> None:
    async with centre.start().ending() as it:
        await until(it.is_up)
        for number in range(5):
            centre.log.write(enter(50 - number, f"{number}.1"))
            await asyncio.sleep(0.02)  # files are told apart by when they were written last
            centre.log.rotate()
            centre.log.write(enter(50 - number, f"{number}.2"))
        await until(lambda: len(entered(it)) == 10)

    assert entered(it) == [f"{number}.{part}" for number in range(5) for part in (1, 2)]


@pytest.mark.parametrize("creates", [False, True])
async def test_what_is_written_to_the_old_file_before_the_writer_leaves_it_is_read(
    centre: Centre, creates: bool
) -> None:
    """logrotate moves the file and may make an empty one; Asterisk writes to the old one until its reload."""
    centre.log.write(enter(50, "1.1"))
    async with centre.start().ending() as it:
        await until(lambda: entered(it) == ["1.1"])
        centre.log.rename(creates=creates)
        await asyncio.sleep(0.1)
        centre.log.write(enter(40, "2.1"))
        await until(lambda: entered(it) == ["1.1", "2.1"])
        centre.log.write(enter(39, "3.1"))
        centre.log.open()
        centre.log.write(enter(38, "4.1"))
        await until(lambda: len(entered(it)) == 4)

    assert entered(it) == ["1.1", "2.1", "3.1", "4.1"]


async def test_a_line_that_the_old_file_ends_in_is_a_dead_letter(centre: Centre) -> None:
    async with centre.start().ending() as it:
        await until(it.is_up)
        centre.log.write_bytes(enter(50, "1.1")[:-5])
        centre.log.rotate()
        centre.log.write(enter(40, "2.1"))
        await until(lambda: entered(it) == ["2.1"])

    assert [letter.detail for letter in it.heard.letters] == ["line: the file ends within it"]


async def test_rotated_several_times_while_nobody_read_nothing_is_lost(centre: Centre) -> None:
    centre.log.write(enter(90, "1.1"))
    async with centre.start().ending() as it:
        await until(centre.is_marked)
    centre.log.write(enter(80, "2.1"))
    for number in (3, 4, 5):
        await asyncio.sleep(0.02)
        centre.log.rotate()
        centre.log.write(enter(80 - number, f"{number}.1"))
    (centre.log.path.parent / "queue_log.bak").write_bytes(
        centre.log.path.with_name("queue_log.0").read_bytes()
    )
    (centre.log.path.parent / "queue_log.2.gz").write_bytes(b"\x1f\x8b" + bytes(300))
    async with centre.start().ending() as again:
        await until(lambda: len(entered(again)) == 4)
        centre.log.write(abandon(10, "1.1"))
        await until(lambda: again.heard.of(QueueLeft))

    assert entered(it) + entered(again) == ["1.1", "2.1", "3.1", "4.1", "5.1"]


async def test_where_the_rest_is_gone_it_is_said_and_the_new_file_read(centre: Centre) -> None:
    centre.log.write(enter(90, "1.1"))
    async with centre.start().ending():
        await until(centre.is_marked)
    centre.log.rename().unlink()
    centre.log.open()
    centre.log.write(enter(80, "2.1"), abandon(70, "1.1"))
    with capture_logs() as logs:
        async with centre.start().ending() as again:
            await until(lambda: again.heard.of(QueueLeft))

    assert facts(again.heard.events)[-1] == "1.1/support/1/left/abandoned"
    assert [entry["event"] for entry in logs].count("log_gap") == 1


# --- truncation ---


async def test_a_file_that_is_truncated_is_read_from_its_beginning(centre: Centre) -> None:
    centre.log.write(enter(90, "1.1"), enter(89, "2.1"))
    async with centre.start().ending() as it:
        await until(lambda: len(entered(it)) == 2)
        os.truncate(centre.log.path, 0)
        centre.log.write(enter(80, "3.1"))
        await until(lambda: len(entered(it)) == 3)
        os.truncate(centre.log.path, 0)
        centre.log.write(*(enter(70, f"{number}.9") for number in range(50)))  # longer than it was
        await until(lambda: len(entered(it)) == 53)

    assert len(set(entered(it))) == 53


async def test_what_was_not_read_before_a_truncation_is_read_from_the_copy(centre: Centre) -> None:
    """logrotate's copytruncate, while ingest was down."""
    centre.log.write(enter(90, "1.1"))
    async with centre.start().ending():
        await until(centre.is_marked)
    centre.log.write(enter(80, "2.1"))
    centre.log.copy_and_truncate()
    centre.log.write(enter(70, "3.1"), abandon(60, "1.1"))
    async with centre.start().ending() as again:
        await until(lambda: again.heard.of(QueueLeft))

    assert entered(again) == ["2.1", "3.1"]


async def test_another_file_under_the_same_inode_is_another_file(centre: Centre) -> None:
    centre.log.write(enter(90, "1.1"))
    async with centre.start().ending():
        await until(centre.is_marked)
    os.truncate(centre.log.path, 0)
    centre.log.write(enter(80, "2.1"), enter(79, "3.1"))
    async with centre.start().ending() as again:
        await until(lambda: len(entered(again)) == 2)

    assert entered(again) == ["2.1", "3.1"]


# --- restarts ---

STORY = (
    enter(60, "1.1"),
    line(50, "1.1", "CONNECT", 10, "1.2", 3, agent="Lea"),
    enter(49, "2.1"),
    line(45, "2.1", "EXITWITHKEY", 1, 1, 1, 4),
    enter(44, "2.1"),
    line(40, "1.1", "COMPLETEAGENT", 10, 10, 1, agent="Lea"),
    enter(39, "3.1"),
    abandon(30, "2.1"),
)


def of_the_story() -> set[str]:
    """The facts of the whole story, read at once."""
    whole = read([b"\n".join(STORY)], source(wrap_up_s=5.0), PSEUDONYMS)
    return {event.id for event in [*whole.events, *whole.after]}


async def until_told(it: Running) -> None:
    """Until it has told how the story ends."""
    await until(lambda: "2.1/support/2/left/abandoned" in facts(it.heard.events))
    await until(lambda: "1.1/support/1/wrap_end" in facts(it.heard.events))


@pytest.mark.parametrize("cut", range(1, len(STORY)))
async def test_killed_between_send_and_mark_it_tells_the_same_again(centre: Centre, cut: int) -> None:
    """Nothing is lost, and what comes again has the ids of the first time."""
    centre.log.write(*STORY[:1])
    first = centre.start(pace=SELDOM, wrap_up_s=5.0)
    await until(centre.is_marked)
    centre.log.write(*STORY[1:cut])
    await until(lambda: len(first.heard.of(QueueEntered, QueueLeft)) >= max(1, cut - 3))
    await killed(first)
    before = facts(first.heard.events)
    centre.log.write(*STORY[cut:])
    async with centre.start(wrap_up_s=5.0).ending() as again:
        await until_told(again)
    after = facts(again.heard.events)

    assert set(before) | set(after) == of_the_story()


@pytest.mark.parametrize("cut", range(1, len(STORY)))
async def test_a_first_start_that_is_broken_off_is_begun_again_after_a_rotation(
    centre: Centre, cut: int
) -> None:
    is_away = asyncio.Event()

    async def send(_: Sequence[Message]) -> None:
        is_away.set()
        await asyncio.Event().wait()

    centre.log.write(*STORY[:cut])
    first = centre.start(send=send, wrap_up_s=5.0)
    await until(is_away.is_set)
    await killed(first)
    centre.log.rotate()
    centre.log.write(*STORY[cut:])
    async with centre.start(wrap_up_s=5.0).ending() as again:
        await until_told(again)

    assert set(facts(again.heard.events)) == of_the_story()


async def test_a_first_start_that_is_broken_off_reaches_no_further_back_the_next_time(centre: Centre) -> None:
    sent: list[Message] = []

    async def send(messages: Sequence[Message]) -> None:
        sent.extend(messages)
        await asyncio.Event().wait()

    centre.log.write(enter(60, "over.1"), abandon(30, "over.1"), enter(20, "open.1"))
    first = centre.start(send=send, backfill_s=10.0)
    await until(lambda: sent)
    await killed(first)
    centre.log.rotate()
    centre.log.write(enter(0, "new.1"))
    async with centre.start(backfill_s=3600.0).ending() as again:
        await until(lambda: entered(again) == ["open.1", "new.1"])
        await until(centre.is_marked)
    async with centre.start().ending() as third:
        centre.log.write(enter(0, "third.1"))
        await until(lambda: entered(third) == ["third.1"])


async def test_a_restart_goes_on_where_it_was_and_repeats_nothing(centre: Centre) -> None:
    for each in STORY:
        centre.log.write(each)
        async with centre.start(wrap_up_s=5.0).ending() as it:
            await until(centre.is_marked)
        centre.heard.append(it.heard.events)
    told = [id_ for heard in centre.heard for id_ in facts(heard)]

    assert len(told) == len(set(told))
    assert set(told) == of_the_story()


async def test_while_the_log_is_away_nothing_is_marked_and_nothing_lost(centre: Centre) -> None:
    sent: list[Message] = []
    is_away = asyncio.Event()

    async def send(messages: Sequence[Message]) -> None:
        if is_away.is_set():
            raise Unavailable("the log does not answer")
        sent.extend(messages)

    it = centre.start(send=send)
    centre.log.write(enter(90, "1.1"))
    await until(lambda: any(isinstance(each, QueueEntered) for each in sent))
    await until(centre.is_marked)
    is_away.set()
    before = (centre.marks / "log.mark").read_text()
    centre.log.write(enter(80, "2.1"))
    await asyncio.sleep(0.2)
    assert (centre.marks / "log.mark").read_text() == before
    await killed(it)
    async with centre.start().ending() as again:
        await until(lambda: entered(again) == ["2.1"])


@pytest.mark.parametrize("text", ["", "{}", '{"place": {"device": 1}}', "\x00\x01"])
async def test_a_mark_that_cannot_be_read_is_a_first_start(centre: Centre, text: str) -> None:
    centre.marks.mkdir()
    (centre.marks / "log.mark").write_text(text)
    centre.log.write(enter(90, "1.1"))
    async with centre.start().ending() as it:
        await until(lambda: entered(it) == ["1.1"])


async def test_where_nothing_can_be_kept_it_is_a_fault_and_the_log_is_read(centre: Centre) -> None:
    centre.marks.write_text("a file where the folder should be")
    centre.log.write(enter(90, "1.1"))
    async with centre.start().ending() as it:
        await until(lambda: entered(it) == ["1.1"])
        await until(lambda: it.report.status("i").state is SourceState.UNUSABLE)
        assert "how far the log was read cannot be kept in" in str(it.report.status("i").reason)
        centre.log.write(enter(80, "2.1"))
        await until(lambda: entered(it) == ["1.1", "2.1"])
        centre.marks.unlink()
        centre.log.write(enter(70, "3.1"))
        await until(it.is_up)


async def test_two_processes_tell_the_same(centre: Centre, tmp_path: Path) -> None:
    centre.log.write(*STORY)
    other = Running(
        source(file=str(centre.log.path), wrap_up_s=5.0), partial(run, pace=FAST), folder=tmp_path / "other"
    )
    async with centre.start(wrap_up_s=5.0).ending() as one, other.ending() as two:
        for it in (one, two):
            await until(lambda it=it: "1.1/support/1/wrap_end" in facts(it.heard.events))  # type: ignore[misc]

    assert sorted(facts(one.heard.events)) == sorted(facts(two.heard.events))


# --- how it stands ---


async def test_a_file_that_is_not_there_yet_is_said_and_read_once_it_is(centre: Centre) -> None:
    centre.log.rename().unlink()
    with capture_logs() as logs:
        async with centre.start().ending() as it:
            await until(lambda: it.report.status("i").state is SourceState.LOST)
            assert f"{centre.log.path} is not there" in str(it.report.status("i").reason)
            assert "logger.conf" in str(it.report.status("i").reason)
            assert it.heard.events == []
            centre.log.open()
            centre.log.write(enter(0, "1.1"))
            await until(lambda: entered(it) == ["1.1"])
            assert it.is_up()

    assert [entry["event"] for entry in logs if entry["event"].startswith("source_")] == [
        "source_lost",
        "source_connected",
    ]


async def test_a_file_that_vanishes_is_said_after_a_moment_and_beats_no_more(centre: Centre) -> None:
    async with centre.start().ending() as it:
        await until(it.is_up)
        centre.log.rename()
        await until(lambda: not it.is_up())
        assert "is not there" in str(it.report.status("i").reason)
        beats = len(it.heard.of(SourceHeartbeat))
        await asyncio.sleep(0.2)
        assert len(it.heard.of(SourceHeartbeat)) == beats
        centre.log.open()
        await until(it.is_up)


async def test_a_file_that_may_not_be_read_says_who_has_to_let_us(centre: Centre) -> None:
    centre.log.write(enter(0, "1.1"))
    centre.log.path.chmod(0)
    is_root = os.geteuid() == 0
    if is_root:  # who may read everything
        os.seteuid(NOBODY)
    try:
        async with centre.start().ending() as it:
            await until(lambda: it.report.status("i").state is SourceState.REFUSED)
            assert "may not be read" in str(it.report.status("i").reason)
            assert "group asterisk" in str(it.report.status("i").reason)
    finally:
        if is_root:
            os.seteuid(0)
        centre.log.path.chmod(0o600)


async def test_a_folder_is_no_file(centre: Centre) -> None:
    centre.log.rename()
    centre.log.path.mkdir()
    async with centre.start().ending() as it:
        await until(lambda: "is not a file" in str(it.report.status("i").reason))


async def test_while_it_can_be_read_it_beats_without_a_clock(centre: Centre) -> None:
    async with centre.start().ending() as it:
        await until(lambda: len(it.heard.of(SourceHeartbeat)) >= 3)

    beats = [each for each in it.heard.of(SourceHeartbeat) if isinstance(each, SourceHeartbeat)]
    assert {beat.clock_ms for beat in beats} == {None}
    assert len({beat.id for beat in beats}) == len(beats)


async def test_a_wrap_up_ends_by_the_clock_though_nothing_is_written(centre: Centre) -> None:
    now_s = int(time.time())
    async with centre.start(wrap_up_s=1.0).ending() as it:
        await until(it.is_up)
        for event, more in (("ENTERQUEUE", "||1"), ("CONNECT", "0|9.9|0"), ("COMPLETEAGENT", "0|0|1")):
            agent = "NONE" if event == "ENTERQUEUE" else "Lea"
            centre.log.write(f"{now_s}|1.1|support|{agent}|{event}|{more}".encode())
        await until(lambda: "1.1/support/1/wrap_end" in facts(it.heard.events))

    said = [
        each.state.value for each in it.heard.of(AgentStateChanged) if isinstance(each, AgentStateChanged)
    ]
    assert said == ["in_contact", "wrap_up", "available"]


async def test_beside_ami_nothing_is_said_of_agents(centre: Centre) -> None:
    centre.log.write(*STORY)
    async with centre.start(peers=frozenset({"asterisk_ami"})).ending() as it:
        await until(lambda: "2.1/support/2/left/abandoned" in facts(it.heard.events))

    assert it.heard.of(AgentStateChanged) == []
