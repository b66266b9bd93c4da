"""The AMI source over real TCP against a small manager: login, losses, misbehaviour, back-pressure."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache, partial

import msgspec
import pytest
from structlog.testing import capture_logs

from schemas.board import DeadLetter
from schemas.errors import Misconfigured
from schemas.events import (
    AgentAccepted,
    AgentStateChanged,
    QueueEntered,
    QueueLeft,
    SourceEvent,
    SourceHeartbeat,
)
from schemas.sources import SourceState
from schemas.vocabulary import Outcome, Reason
from services.ingest.adapters.asterisk_ami.connect import run
from services.ingest.adapters.asterisk_ami.recording import read
from services.ingest.adapters.asterisk_ami.session import Pace
from services.ingest.line import Patience
from services.ingest.past import Past, Take
from tests.data import asterisk
from tests.doubles.ami_frames import PSEUDONYMS, frame, member_row, source
from tests.doubles.ami_server import AmiServer
from tests.doubles.running_source import Heard, Running, until

FAST = Pace(
    connect_s=5.0,
    answer_s=5.0,
    booted_s=0.1,
    ping_s=0.05,
    pong_s=5.0,
    lag_ms=0,
)
JOIN = {"Uniqueid": "1.1", "Linkedid": "1.1", "Queue": "support"}


PATIENCE = Patience(first_s=0.02, most_s=0.1, refused_s=0.05)


def of(heard: Heard, *kinds: type) -> list[SourceEvent]:
    return heard.of(*kinds)


def letters(heard: Heard) -> list[DeadLetter]:
    return heard.letters


def start(
    server: AmiServer, *, pace: Pace = FAST, secret: str = "s3cret", past: Past | None = None
) -> Running:
    config = source(port=server.port, user="wallboard", wrap_up_s=asterisk.WRAP_UP_S)
    work = partial(run, pace=pace, patience=PATIENCE)
    return Running(config, work, secret=secret, past=past)


@asynccontextmanager
async def running(
    server: AmiServer, *, pace: Pace = FAST, secret: str = "s3cret", past: Past | None = None
) -> AsyncIterator[Running]:
    async with start(server, pace=pace, secret=secret, past=past).ending() as it:
        yield it


@pytest.fixture
async def server() -> AsyncIterator[AmiServer]:
    async with AmiServer(clock_us=1_795_321_195_437_000) as server:
        yield server


def visits(events: Sequence[SourceEvent]) -> dict[str, tuple[object, ...]]:
    """Of each visit: queue, entered, agent, and its outcomes but unknown ones."""
    found: dict[str, tuple[object, ...]] = {}
    for event in events:
        if isinstance(event, QueueEntered):
            found.setdefault(str(event.segment), (event.queue, event.occurred_ms))
    for event in events:
        if isinstance(event, QueueLeft) and event.outcome is not Outcome.UNKNOWN:
            found[str(event.segment)] += (event.outcome, event.agent, event.occurred_ms)
    return found


def has_heard(pbx: Running, contact: str) -> bool:
    return any(isinstance(e, QueueEntered) and e.contact == contact for e in pbx.heard.messages)


@cache
def expected() -> dict[str, tuple[object, ...]]:
    return visits(read([asterisk.capture()], source(wrap_up_s=asterisk.WRAP_UP_S), PSEUDONYMS).events)


async def test_a_played_capture_gives_what_asterisk_counted(server: AmiServer) -> None:
    async with running(server) as pbx:
        await server.until_connected(1)
        await until(pbx.is_up)
        await server.play(asterisk.capture())
        await until(lambda: len(of(pbx.heard, QueueLeft)) == 184)

    counts = Counter((e.queue, e.outcome) for e in of(pbx.heard, QueueLeft) if isinstance(e, QueueLeft))
    assert counts == {
        ("support", "answered"): 83,
        ("support", "abandoned"): 39,
        ("sales", "answered"): 50,
        ("sales", "abandoned"): 12,
    }
    assert visits(of(pbx.heard, QueueEntered, QueueLeft)) == expected()


async def test_cut_in_mid_frame_and_reconnected_it_gives_the_same(server: AmiServer) -> None:
    data = asterisk.capture()
    start = 0
    async with running(server) as pbx:
        for cut in (700_001, 2_345_678, 5_000_500, len(data) + 1):
            await server.until_connected(1)
            await server.play(data[start:], cut_at=cut - start)
            start = data.rfind(b"\r\n\r\n", 0, cut) + 4
        await until(lambda: len(visits(of(pbx.heard, QueueEntered, QueueLeft))) == 184)
        await until(
            lambda: sum(len(v) == 5 for v in visits(of(pbx.heard, QueueEntered, QueueLeft)).values()) == 184
        )

    assert server.logins == 4


async def test_cut_at_every_byte_of_a_frame_in_turn_nothing_is_lost_or_told_twice(
    server: AmiServer,
) -> None:
    def wire(event: str, at_s: float, call: str, **headers: object) -> bytes:
        told = frame(event, at_s, Uniqueid=call, Linkedid=call, **headers)
        return told.raw.replace("\n", "\r\n").encode() + b"\r\n\r\n"

    ends: dict[str, float] = {}
    async with running(server) as pbx:
        length, cut = len(wire("QueueCallerAbandon", 0.0, "1000.0", Queue="support", HoldTime=5)), 0
        while cut < length:
            call, at_s = f"{1000 + cut}.0", cut * 10.0
            join = wire("QueueCallerJoin", at_s, call, Queue="support")
            abandon = wire("QueueCallerAbandon", at_s + 5, call, Queue="support", HoldTime=5)
            rest = wire("QueueCallerLeave", at_s + 5, call, Queue="support") + wire(
                "Hangup", at_s + 5.1, call
            )
            await server.until_connected(1)
            await server.play(join + abandon, cut_at=len(join) + cut)
            await server.until_connected(1)
            await server.play(abandon + rest)
            ends[call], cut = at_s + 5, cut + 1
        await until(lambda: len([v for v in visits(pbx.heard.events).values() if len(v) == 5]) == length)

    found = visits(pbx.heard.events)
    assert {key.partition("/")[0]: told[2] for key, told in found.items()} == dict.fromkeys(
        ends, Outcome.ABANDONED
    )
    assert len({event.id for event in of(pbx.heard, QueueEntered)}) == length
    assert server.logins == length + 1


async def test_two_managers_tell_the_same_facts_under_the_same_ids(server: AmiServer) -> None:
    part = asterisk.capture()[:1_500_000]
    async with running(server) as one, running(server) as two:
        await server.until_connected(2)
        await server.play(part)
        await server.event(frame("QueueCallerJoin", 7200, **{**JOIN, "Uniqueid": "9.9"}))
        await until(lambda: all(has_heard(pbx, "9.9") for pbx in (one, two)))

    kinds = (QueueEntered, QueueLeft, AgentAccepted)
    told = [
        {e.id: msgspec.structs.replace(e, received_ms=0) for e in of(pbx.heard, *kinds)} for pbx in (one, two)
    ]
    assert told[0] == told[1]
    assert len(told[0]) > 50


async def test_heartbeats_carry_the_clock_of_the_source(server: AmiServer) -> None:
    async with running(server) as pbx:
        await until(lambda: of(pbx.heard, SourceHeartbeat))

    beat = of(pbx.heard, SourceHeartbeat)[0]
    assert isinstance(beat, SourceHeartbeat)
    assert (beat.source, beat.site) == ("pbx1", "paris")
    assert 0 <= (beat.clock_ms or 0) - 1_795_321_195_437 < 600_000


async def test_the_secret_is_not_sent_where_there_is_a_challenge(server: AmiServer) -> None:
    async with running(server) as pbx:
        await until(pbx.is_up)

    assert server.actions[:3] == ["Challenge", "Login", "Ping"]


async def test_without_a_challenge_login_is_plain(server: AmiServer) -> None:
    server.knows_challenge = False
    async with running(server) as pbx:
        await until(pbx.is_up)

    assert server.logins == 1


async def test_a_manager_that_never_says_booted_is_asked_all_the_same(server: AmiServer) -> None:
    server.says_booted = False
    server.know_member(member_row("Alice"))
    async with running(server) as pbx:
        await until(pbx.is_up)
        await until(lambda: of(pbx.heard, AgentStateChanged))


async def test_a_wrong_secret_is_said_once_and_tried_again(server: AmiServer) -> None:
    with capture_logs() as logs:
        async with running(server, secret="wrong") as pbx:
            await until(lambda: server.refused >= 3)
            assert not pbx.is_up()
            server.secret = "wrong"
            await until(pbx.is_up)

    lost = [entry for entry in logs if entry["event"] == "source_lost"]
    assert [entry["log_level"] for entry in lost] == ["error"]
    assert "compare user and secret with manager.conf" in lost[0]["reason"]
    assert not [entry for entry in logs if "wrong" in str(entry)]


async def test_who_does_not_answer_is_said_once_and_counted(server: AmiServer) -> None:
    await server.go_away()
    with capture_logs() as logs:
        async with running(server) as pbx:
            await until(lambda: pbx.value("vigie_source_reconnects_total") >= 3)
            await server.listen()
            await until(pbx.is_up)

    assert [entry["event"] for entry in logs] == ["source_lost", "source_connected"]


async def test_a_half_open_connection_is_noticed_by_its_pings(server: AmiServer) -> None:
    server.answers_ping = False
    with capture_logs() as logs:
        async with running(server, pace=msgspec.structs.replace(FAST, pong_s=0.2)):
            await until(lambda: server.logins >= 2)
            server.answers_ping = True

    assert any("half open" in str(entry.get("reason")) for entry in logs)


async def test_a_manager_that_may_not_read_what_happens_is_said(server: AmiServer) -> None:
    server.reads = frozenset()
    with capture_logs() as logs:
        async with running(server, pace=msgspec.structs.replace(FAST, quiet_s=0.1)) as pbx:
            await until(pbx.is_up)
            await until(lambda: server.actions.count("QueueStatus") >= 2)
            await server.event(frame("QueueCallerJoin", 1, **JOIN))
            await until(lambda: pbx.report.status("i").state is SourceState.UNUSABLE)
            assert "read = agent,call,system" in str(pbx.report.status("i").reason)
            server.reads = None
            await server.event(frame("QueueCallerJoin", 2, Uniqueid="2.2", Linkedid="2.2", Queue="support"))
            await until(pbx.is_up)

    told = [entry["event"] for entry in logs if entry["event"].startswith("source_")]
    assert told == ["source_connected", "source_unusable", "source_usable"]


async def test_a_quiet_centre_is_not_taken_for_one_that_tells_nothing(server: AmiServer) -> None:
    server.know_member(member_row("Alice"))
    async with running(server, pace=msgspec.structs.replace(FAST, quiet_s=0.02)) as pbx:
        await until(lambda: server.actions.count("QueueStatus") >= 5)
        assert pbx.is_up()


async def test_a_snapshot_that_never_comes_is_a_lost_connection(server: AmiServer) -> None:
    server.answers_status = False
    with capture_logs() as logs:
        async with running(server, pace=msgspec.structs.replace(FAST, snapshot_s=0.2)) as pbx:
            await until(lambda: server.logins >= 2)
            assert not pbx.is_up()

    assert any("QueueStatus" in str(entry.get("reason")) for entry in logs)


async def test_what_asterisk_refuses_is_said_in_its_words(server: AmiServer) -> None:
    server.allows_status = False
    with capture_logs() as logs:
        async with running(server) as pbx:
            await until(lambda: server.logins >= 2)
            assert not pbx.is_up()

    assert [entry["reason"] for entry in logs] == ["Asterisk refuses: Permission denied"]


async def test_a_reload_asks_for_the_members_again(server: AmiServer) -> None:
    async with running(server) as pbx:
        await until(pbx.is_up)
        asked = server.actions.count("QueueStatus")
        server.know_member(member_row("Alice"))
        await server.event(frame("Reload", 1, Module="All", Status="0"))
        await until(lambda: of(pbx.heard, AgentStateChanged))

    assert asked == 1
    assert server.actions.count("QueueStatus") == 2


async def test_who_speaks_something_else_is_told_apart() -> None:
    visits: list[asyncio.Task[None]] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        visits.append(task)
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        with contextlib.suppress(OSError):
            await reader.read(-1)
        writer.transport.abort()

    stranger = await asyncio.start_server(greet, "127.0.0.1", 0)
    server = AmiServer()
    server.port = stranger.sockets[0].getsockname()[1]
    with capture_logs() as logs:
        async with running(server, pace=msgspec.structs.replace(FAST, answer_s=0.1)) as pbx:
            await until(lambda: pbx.value("vigie_source_reconnects_total") >= 1)
    stranger.close()
    await stranger.wait_closed()
    await asyncio.gather(*visits)

    assert logs[0]["reason"] == "no greeting: this does not speak AMI"


async def test_an_announced_shutdown_is_a_reason(server: AmiServer) -> None:
    with capture_logs() as logs:
        async with running(server):
            await server.until_connected(1)
            await server.event(frame("Shutdown", 1, Shutdown="Cleanly", Restart="True"))
            await until(lambda: server.logins == 2)

    assert [e["reason"] for e in logs if e["event"] == "source_lost"] == ["Asterisk is shutting down"]


async def test_without_timestamps_the_source_is_not_up_and_says_what_to_do(server: AmiServer) -> None:
    server.has_timestamps = False
    with capture_logs() as logs:
        async with running(server) as pbx:
            await until(pbx.is_up)
            for at_s in range(5):
                await server.event(frame("QueueCallerJoin", at_s, **JOIN))
            await until(lambda: pbx.value("vigie_events_total", outcome=Reason.INVALID) == 5)
            assert not pbx.is_up()
            beats = len(of(pbx.heard, SourceHeartbeat))
            pings = server.actions.count("Ping")
            await until(lambda: server.actions.count("Ping") > pings + 3)
            assert len(of(pbx.heard, SourceHeartbeat)) == beats
            server.has_timestamps = True
            await server.event(frame("QueueCallerJoin", 6, **JOIN))
            await until(pbx.is_up)

    unusable = [entry for entry in logs if entry["event"] == "source_unusable"]
    assert len(unusable) == 1
    assert "timestampevents = yes" in unusable[0]["reason"]
    assert len(of(pbx.heard, QueueEntered)) == 1
    assert letters(pbx.heard) == []


async def test_garbage_becomes_dead_letters_and_the_connection_stays(server: AmiServer) -> None:
    async with running(server) as pbx:
        await server.until_connected(1)
        await server.garbage(b"\xff\xfe\x00 no header here\r\n\r\n")
        await server.garbage(b"Event: Big\r\nX: " + b"x" * 200_000 + b"\r\n\r\n")
        await server.event(frame("QueueCallerJoin", 1, Queue="support"))
        await server.event(frame("QueueCallerJoin", 2, **JOIN))
        await until(lambda: of(pbx.heard, QueueEntered))

    assert Counter(letter.reason for letter in letters(pbx.heard)) == {"invalid": 2, "too_large": 1}
    assert pbx.value("vigie_events_total", outcome=Reason.TOO_LARGE) == 1
    assert server.logins == 1


async def test_an_event_far_ahead_of_our_clock_is_a_dead_letter(server: AmiServer) -> None:
    async with running(server) as pbx:
        await server.until_connected(1)
        await server.event(frame("QueueCallerJoin", 400 * 86_400, **JOIN))
        await until(lambda: letters(pbx.heard))

    assert {letter.reason for letter in letters(pbx.heard)} == {Reason.FUTURE}
    assert of(pbx.heard, QueueEntered) == []


async def test_what_our_events_cannot_carry_is_a_dead_letter_and_the_rest_is_told(server: AmiServer) -> None:
    """Alice is in more queues than an event may name."""
    for number in range(501):
        server.know_member(member_row("Alice", f"q{number}"))
    server.know_member(member_row("Bruno", "q1"))
    async with running(server) as pbx:
        await until(pbx.is_up)
        await until(lambda: of(pbx.heard, AgentStateChanged))

    said = [each for each in of(pbx.heard, AgentStateChanged) if isinstance(each, AgentStateChanged)]
    assert [(each.agent, each.queues) for each in said] == [("Bruno", ("q1",))]
    [letter] = letters(pbx.heard)
    assert (letter.source, letter.site, letter.reason) == ("pbx1", "paris", Reason.INVALID)
    assert letter.detail == "agent.state: data.queues: expected array of length <= 500"
    assert pbx.value("vigie_events_total", outcome=Reason.INVALID) == 1


async def test_who_waits_is_told_after_a_reconnect_under_the_same_id(server: AmiServer) -> None:
    async with running(server) as first:
        await server.until_connected(1)
        await server.event(frame("QueueCallerJoin", 1, **JOIN))
        await until(lambda: of(first.heard, QueueEntered))
    await server.until_connected(0)
    async with running(server) as second:
        await until(lambda: of(second.heard, QueueEntered))

    assert [e.id for e in of(second.heard, QueueEntered)] == [e.id for e in of(first.heard, QueueEntered)]


class SlowPast:
    """What was told before, read to its end only when `end` is set."""

    def __init__(self, *events: SourceEvent) -> None:
        self.end = asyncio.Event()
        self._events = events

    async def __call__(self, take: Take) -> None:
        for event in self._events:
            take(event)
        await self.end.wait()


async def test_what_happens_while_the_past_is_read_is_told_after_it(server: AmiServer) -> None:
    async with running(server) as before:
        await server.until_connected(1)
        await server.event(frame("QueueCallerJoin", 1, **JOIN))
        await server.event(frame("QueueCallerLeave", 5, **JOIN))
        await server.event(frame("QueueCallerJoin", 10, **{**JOIN, "Uniqueid": "2.1"}))
        await until(lambda: of(before.heard, QueueLeft))
    await server.until_connected(0)
    past = SlowPast(*of(before.heard, QueueEntered, QueueLeft))
    async with running(server, past=past) as after:
        await until(lambda: server.logins == 2)
        await server.event(frame("QueueCallerJoin", 20, **JOIN))
        await asyncio.sleep(0.5)
        assert (after.heard.messages, after.is_up()) == ([], False)
        past.end.set()
        await until(lambda: of(after.heard, QueueEntered))
        await until(after.is_up)

    entered = [each.segment for each in of(after.heard, QueueEntered) if isinstance(each, QueueEntered)]
    assert entered == ["1.1/support/2"]


async def test_a_past_that_cannot_be_had_ends_the_source(server: AmiServer) -> None:
    async def broken(_: Take) -> None:
        raise RuntimeError("not read")

    pbx = start(server, past=broken)
    with pytest.raises(ExceptionGroup) as ended:
        await pbx.task

    assert [str(each) for each in ended.value.exceptions] == ["not read"]


async def test_while_the_buffer_is_full_nothing_more_is_read(server: AmiServer) -> None:
    """Longer than a Ping may stay unanswered: that silence is ours."""
    async with running(server, pace=msgspec.structs.replace(FAST, pong_s=1.0)) as pbx:
        await server.until_connected(1)
        await until(pbx.is_up)
        pbx.heard.open.clear()
        playing = asyncio.create_task(server.play(asterisk.capture()))
        await until(lambda: pbx.heard.calls)
        calls = pbx.heard.calls
        await asyncio.sleep(1.5)
        assert pbx.heard.calls <= calls + 1  # the rest waits in the kernel, or with the manager
        pbx.heard.open.set()
        await playing
        await until(lambda: len(of(pbx.heard, QueueLeft)) == 184)

    assert server.logins == 1
    assert visits(of(pbx.heard, QueueEntered, QueueLeft)) == expected()


@pytest.mark.parametrize("when", ["connected", "connecting", "held back", "reading the past"])
async def test_stop_ends_it_whatever_it_does(server: AmiServer, when: str) -> None:
    if when == "connecting":
        await server.go_away()
    pbx = start(server, past=SlowPast() if when == "reading the past" else None)
    if when == "reading the past":
        await until(lambda: server.logins)
    if when == "held back":
        pbx.heard.open.clear()
        await until(lambda: pbx.heard.calls)
    elif when == "connected":
        await until(pbx.is_up)
    pbx.stop.set()
    async with asyncio.timeout(20):
        await pbx.task

    assert not pbx.is_up()


async def test_a_secret_with_a_line_end_is_refused_at_start(server: AmiServer) -> None:
    pbx = start(server, secret="a\r\nAction: Originate")
    with pytest.raises(Misconfigured, match="line end"):
        await pbx.task
