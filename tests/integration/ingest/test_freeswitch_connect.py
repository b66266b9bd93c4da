"""The event socket over real TCP: login, losses at every byte, misbehaviour, back-pressure."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import msgspec
import pytest
from structlog.testing import capture_logs

from schemas.board import QueueRow
from schemas.config import Config, SiteConfig
from schemas.errors import Misconfigured
from schemas.events import (
    AgentAccepted,
    AgentStateChanged,
    ContactEnded,
    QueueEntered,
    QueueLeft,
    SourceEvent,
    SourceHeartbeat,
    TalkEnded,
)
from schemas.sources import SourceState
from schemas.vocabulary import Reason, WindowName
from services.ingest.adapters.freeswitch_esl.connect import run
from services.ingest.adapters.freeswitch_esl.session import Pace
from services.ingest.line import Patience
from services.ingest.past import Past, Take
from services.runtime.clock import now_ms
from tests.doubles.callcenter import CallCenter, Member
from tests.doubles.esl_server import EslServer
from tests.doubles.esl_story import source
from tests.doubles.running_source import Running, until
from tests.unit.aggregator.core.folding import fold, rows

FAST = Pace(connect_s=5.0, answer_s=5.0, snapshot_s=5.0, ping_s=0.05, pong_s=5.0, soon_s=0.05, lag_ms=0)
PATIENCE = Patience(first_s=0.005, most_s=0.02, refused_s=0.05)


def start(
    server: EslServer,
    *,
    pace: Pace = FAST,
    secret: str = "s3cret",
    past: Past | None = None,
    format_: str | None = None,
) -> Running:
    work = partial(run, pace=pace, patience=PATIENCE)
    return Running(source(port=server.port, format=format_), work, secret=secret, past=past)


@asynccontextmanager
async def running(
    server: EslServer,
    *,
    pace: Pace = FAST,
    secret: str = "s3cret",
    past: Past | None = None,
    format_: str | None = None,
) -> AsyncIterator[Running]:
    async with start(server, pace=pace, secret=secret, past=past, format_=format_).ending() as it:
        yield it


@pytest.fixture
def pbx() -> CallCenter:
    """Its clock runs as ours does."""
    center = CallCenter(is_running=True, booted_us=0)
    center.agent("Alice", "support")
    center.agent("Bruno", "support", "sales", status="On Break")
    return center


@pytest.fixture
async def server(pbx: CallCenter) -> AsyncIterator[EslServer]:
    async with EslServer(pbx) as server:
        yield server


def ids(fs: Running, *kinds: type) -> set[str]:
    return {each.id for each in fs.heard.of(*kinds)}


def outcomes(fs: Running) -> Counter[tuple[str, str]]:
    """The best of each visit: another one than unknown, where there is one."""
    best: dict[str, str] = {}
    for each in fs.heard.of(QueueLeft):
        assert isinstance(each, QueueLeft)
        assert each.segment is not None
        if best.get(each.segment, "unknown") == "unknown":
            best[each.segment] = str(each.outcome)
    return Counter((segment.split("/")[1], outcome) for segment, outcome in best.items())


def call(pbx: CallCenter, name: str, agent: str = "Alice") -> None:
    """A whole call, all at once."""
    member = pbx.enter(name)
    pbx.offer(member, agent)
    pbx.answer(member, agent)
    pbx.hang_up_agent(member, agent)
    pbx.hang_up(name)


# --- login ---


@pytest.mark.parametrize("format_", [None, "json", "plain"])
async def test_a_call_is_told_in_either_format(
    server: EslServer, pbx: CallCenter, format_: str | None
) -> None:
    async with running(server, format_=format_) as fs:
        await until(fs.is_up)
        call(pbx, "c1")
        await until(lambda: fs.heard.of(ContactEnded))

    assert ids(fs, AgentAccepted, TalkEnded) == {
        "c1/support/m-c1/accepted",
        "c1/support/m-c1/talk_ended",
    }
    assert (
        f"event {format_ or 'json'} CHANNEL_HANGUP_COMPLETE CHANNEL_HOLD CHANNEL_UNHOLD CUSTOM "
        in "".join(server.commands)
    )


async def test_channels_of_others_stay_away(server: EslServer, pbx: CallCenter) -> None:
    async with running(server) as fs:
        await until(fs.is_up)
        pbx.channels["somebody"] = "nobody of ours"
        pbx.hang_up("somebody")
        call(pbx, "c1")
        await until(lambda: fs.heard.of(ContactEnded))
        status = fs.report.status("i")

    assert status.types["CHANNEL_HANGUP_COMPLETE"] == 1


async def test_a_wrong_password_is_said_once_and_tried_again(server: EslServer) -> None:
    with capture_logs() as logs:
        async with running(server, secret="wrong") as fs:
            await until(lambda: server.refused >= 3)
            assert fs.report.status("i").state is SourceState.REFUSED
            server.password = "wrong"
            await until(fs.is_up)

    lost = [entry for entry in logs if entry["event"] == "source_lost"]
    assert [entry["log_level"] for entry in lost] == ["error"]
    assert "compare the secret with `password` in event_socket.conf.xml" in lost[0]["reason"]
    assert "wrong" not in str(logs)


async def test_an_address_that_is_refused_is_said_in_words(server: EslServer) -> None:
    server.is_rude = True
    with capture_logs() as logs:
        async with running(server) as fs:
            await until(lambda: fs.report.status("i").state is SourceState.REFUSED)
            server.is_rude = False
            await until(fs.is_up)

    assert "apply-inbound-acl" in logs[0]["reason"]


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("ClueCon", "change `password` in event_socket.conf.xml"),
        ("a\napi shutdown", "line end"),
    ],
)
async def test_a_secret_that_may_not_be_is_refused_at_start(server: EslServer, secret: str, why: str) -> None:
    fs = start(server, secret=secret)
    with pytest.raises(Misconfigured, match=why):
        await fs.task

    assert server.commands == []


async def test_who_speaks_something_else_is_told_apart(pbx: CallCenter) -> None:
    visits: list[asyncio.Task[None]] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        visits.append(task)
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        with contextlib.suppress(OSError):
            await reader.read(-1)
        writer.transport.abort()

    stranger = await asyncio.start_server(greet, "127.0.0.1", 0)
    server = EslServer(pbx)
    server.port = stranger.sockets[0].getsockname()[1]
    with capture_logs() as logs:
        async with running(server, pace=msgspec.structs.replace(FAST, answer_s=0.1)) as fs:
            await until(lambda: fs.value("vigie_source_reconnects_total") >= 1)
    stranger.close()
    await stranger.wait_closed()
    await asyncio.gather(*visits)

    assert "does not speak as an event socket does" in logs[0]["reason"]


async def test_without_mod_callcenter_it_is_said(server: EslServer, pbx: CallCenter) -> None:
    pbx.is_loaded = False
    with capture_logs() as logs:
        async with running(server) as fs:
            await until(lambda: server.logins >= 2)
            assert not fs.is_up()
            pbx.is_loaded = True
            await until(fs.is_up)

    assert "no mod_callcenter" in logs[0]["reason"]


# --- the running connection ---


async def test_heartbeats_carry_the_clock_of_the_switch(server: EslServer) -> None:
    async with running(server) as fs:
        await until(lambda: fs.heard.of(SourceHeartbeat))

    beat = fs.heard.of(SourceHeartbeat)[0]
    assert isinstance(beat, SourceHeartbeat)
    assert (beat.source, beat.site) == ("fs1", "paris")
    assert abs((beat.clock_ms or 0) - now_ms()) < 600_000


async def test_a_switch_that_does_not_tell_its_clock_is_there_all_the_same(server: EslServer) -> None:
    server.refuses = frozenset({"strmicroepoch"})
    async with running(server) as fs:
        await until(fs.is_up)
        await until(lambda: fs.heard.of(SourceHeartbeat))

    beat = fs.heard.of(SourceHeartbeat)[0]
    assert isinstance(beat, SourceHeartbeat)
    assert beat.clock_ms is None


async def test_a_half_open_connection_is_noticed_by_its_questions(server: EslServer) -> None:
    with capture_logs() as logs:
        async with running(server, pace=msgspec.structs.replace(FAST, pong_s=0.2)) as fs:
            await until(fs.is_up)
            server.answers = False
            await until(lambda: server.logins >= 2)
            server.answers = True
            await until(fs.is_up)

    assert any("half open" in str(entry.get("reason")) for entry in logs)


async def test_a_snapshot_that_never_comes_is_a_lost_connection(server: EslServer) -> None:
    server.answers = False
    with capture_logs() as logs:
        async with running(server, pace=msgspec.structs.replace(FAST, snapshot_s=0.2)) as fs:
            await until(lambda: server.logins >= 2)
            assert not fs.is_up()

    assert any("no answer to callcenter_config" in str(entry.get("reason")) for entry in logs)


async def test_a_good_bye_is_a_reason(server: EslServer) -> None:
    with capture_logs() as logs:
        async with running(server) as fs:
            await until(fs.is_up)
            await server.shut_down()
            await until(lambda: server.logins == 2)
            await until(fs.is_up)

    lost = [entry["reason"] for entry in logs if entry["event"] == "source_lost"]
    assert lost == ["FreeSWITCH has ended the connection (text/disconnect-notice)"]


async def test_garbage_becomes_dead_letters_and_the_connection_stays(
    server: EslServer, pbx: CallCenter
) -> None:
    async with running(server) as fs:
        await until(fs.is_up)
        server.garbage(b"no header here\n\n")
        body = b"x" * 2_000_000
        server.garbage(b"Content-Length: %d\nContent-Type: text/event-json\n\n%b" % (len(body), body))
        server.garbage(b"Content-Length: 4\nContent-Type: text/event-json\n\n[12]")
        server.garbage(b"Content-Length: 3\nContent-Type: log/data\nLog-Level: 7\n\nabc")
        call(pbx, "c1")
        await until(lambda: fs.heard.of(ContactEnded))

    assert Counter(letter.reason for letter in fs.heard.letters) == {"invalid": 2, "too_large": 1}
    assert fs.value("vigie_events_total", outcome=Reason.TOO_LARGE) == 1
    assert server.logins == 1


async def test_tables_are_read_again_since_tiers_have_no_events(server: EslServer, pbx: CallCenter) -> None:
    async with running(server, pace=msgspec.structs.replace(FAST, again_s=0.05)) as fs:
        await until(fs.is_up)
        pbx.delete_agent("Alice")
        await until(lambda: "offline" in {str(getattr(e, "state", "")) for e in fs.heard.events})

    last = [each for each in fs.heard.of(AgentStateChanged) if isinstance(each, AgentStateChanged)][-1]
    assert (last.agent, last.queues, last.inferred) == ("Alice", (), True)


async def test_a_count_that_differs_asks_again_at_once(server: EslServer, pbx: CallCenter) -> None:
    """A member whose start nobody told, since its event was lost on the way."""
    async with running(server) as fs:
        await until(fs.is_up)
        asked = len(server.questions)
        pbx.listeners.clear()
        pbx.enter("c1")
        pbx.listeners.append(server.tell)
        pbx.enter("c2")
        await until(lambda: fs.heard.of(QueueEntered))
        await until(lambda: "c1/support/m-c1/entered" in ids(fs, QueueEntered))

    assert server.logins == 1
    assert "uuid_exists c1" in server.questions[asked:]


async def test_what_happens_during_a_snapshot_is_told_behind_it(server: EslServer, pbx: CallCenter) -> None:
    """A caller comes between the table and the end of the snapshot: he is in no table, and there."""
    real = pbx.api

    def meddling(words: str) -> str:
        told = real(words)
        if words.startswith("callcenter_config queue list members support") and "c1" not in pbx.channels:
            pbx.enter("c1")
        return told

    pbx.api = meddling  # type: ignore[method-assign] # the switch goes on while it is asked
    async with running(server) as fs:
        await until(lambda: fs.heard.of(QueueEntered))
        await asyncio.sleep(1.5)

    [entered] = fs.heard.of(QueueEntered)
    assert not entered.inferred
    assert fs.heard.of(QueueLeft) == []


async def test_a_large_centre_is_asked_piece_by_piece(server: EslServer, pbx: CallCenter) -> None:
    for number in range(300):
        pbx.queues[f"q{number}"] = None
    for number in range(700):
        pbx.enter(f"c{number}", f"q{number % 300}")
    async with running(server) as fs:
        await until(fs.is_up)
        await until(lambda: len(ids(fs, QueueEntered)) == 700)

    assert server.questions.count("uuid_exists c699") >= 1


# --- losses ---


async def test_after_a_loss_who_is_gone_is_unknown_and_who_came_is_told(
    server: EslServer, pbx: CallCenter
) -> None:
    async with running(server) as fs:
        await until(fs.is_up)
        gone = pbx.enter("gone")
        stays = pbx.enter("stays")
        await until(lambda: len(fs.heard.of(QueueEntered)) == 2)
        await asyncio.sleep(2.5)  # longer than a member may be on the way into the table
        await server.go_away()
        pbx.abandon(gone)
        pbx.enter("new")
        await server.listen()
        await until(lambda: len(ids(fs, QueueEntered)) == 3)
        await until(lambda: fs.heard.of(QueueLeft))
        pbx.offer(stays, "Alice")
        pbx.answer(stays, "Alice")
        await until(lambda: len(fs.heard.of(QueueLeft)) == 2)

    left = {each.id: each.inferred for each in fs.heard.of(QueueLeft)}
    assert left == {"gone/support/m-gone/left/unknown": True, "stays/support/m-stays/left/answered": False}


async def test_a_crash_of_the_switch_ends_what_was_in_hand(server: EslServer, pbx: CallCenter) -> None:
    async with running(server) as fs:
        await until(fs.is_up)
        pbx.enter("c1")
        await until(lambda: fs.heard.of(QueueEntered))
        await asyncio.sleep(1.1)  # it takes a moment to start
        await server.go_away()
        pbx.crash()
        await server.listen()
        await until(lambda: fs.heard.of(ContactEnded))
        call(pbx, "c2")
        await until(lambda: len(fs.heard.of(ContactEnded)) == 2)

    assert outcomes(fs) == {("support", "unknown"): 1, ("support", "answered"): 1}


CUTS = [
    ("member-queue-start", "json"),
    ("agent-offering", "json"),
    ("bridge-agent-start", "json"),
    ("bridge-agent-start", "plain"),
    ("bridge-agent-end", "json"),
    ("CHANNEL_HANGUP_COMPLETE", "json"),
]


@pytest.mark.parametrize(("cut_frame", "format_"), CUTS)
async def test_cut_at_any_byte_of_a_frame_the_figures_are_whole_in_the_end(
    server: EslServer, pbx: CallCenter, cut_frame: str, format_: str
) -> None:
    """A call for each byte of that frame: there the connection ends, and the call goes on all the same."""
    cutter = Cutter(server, cut_frame)
    async with running(server, format_=format_) as fs:
        while not cutter.is_through:
            name = f"c{cutter.cut}"
            for step in steps(pbx, name):
                await until(fs.is_up)
                logins = server.logins
                step()
                if cutter.has_cut_now():
                    await until(partial(_has_let_in, server, logins + 1))
            cutter.cut += 1
        made = cutter.cut - 1
        await until(lambda: len(ids(fs, ContactEnded)) == len(ids(fs, TalkEnded)) == made)

    assert made > 300
    assert server.logins == made
    row = folded(fs.heard.events)
    window = row.windows[WindowName.M60]
    assert (row.waiting, window.offered, window.answered, sum(window.left.values())) == (0, made, made, 0)
    assert window.aht_s.denominator == made


def _has_let_in(server: EslServer, n: int) -> bool:
    return server.logins >= n


def steps(pbx: CallCenter, name: str) -> list[Callable[[], object]]:
    """A call, piece by piece."""
    called: list[Member] = []
    return [
        lambda: called.append(pbx.enter(name)),
        lambda: pbx.offer(called[0], "Alice"),
        lambda: pbx.answer(called[0], "Alice"),
        lambda: pbx.hang_up_agent(called[0], "Alice"),
        lambda: pbx.hang_up(name),
    ]


class Cutter:
    """Ends the connection `cut` bytes into each such frame. `is_through`: there is no such byte any more."""

    def __init__(self, server: EslServer, cut_frame: str) -> None:
        self.cut = 1
        self.is_through = False
        self._server = server
        self._cut_frame = cut_frame
        self._has_cut = False
        server.pbx.listeners.insert(0, self._look)

    def has_cut_now(self) -> bool:
        has_cut, self._has_cut = self._has_cut, False
        return has_cut

    def _look(self, headers: dict[str, str]) -> None:
        if self._cut_frame not in (headers.get("CC-Action"), headers["Event-Name"]):
            return
        [session] = self._server.sessions
        self._has_cut = self.cut < len(session.written(headers))
        self.is_through = not self._has_cut
        self._server.cut_after = self.cut if self._has_cut else None


def folded(events: list[SourceEvent]) -> QueueRow:
    now = now_ms()
    config = Config(sites=[SiteConfig(id="paris")], from_file=True)
    found, _ = rows(fold(events, config, now), now)
    return found["paris", "support"]


# --- starting again, back-pressure, stopping ---


class SlowPast:
    """What was told before, read to its end only when `end` is set."""

    def __init__(self, *events: SourceEvent) -> None:
        self.end = asyncio.Event()
        self._events = events

    async def __call__(self, take: Take) -> None:
        for event in self._events:
            take(event)
        await self.end.wait()


async def test_what_happens_while_the_past_is_read_is_told_after_it(
    server: EslServer, pbx: CallCenter
) -> None:
    async with running(server) as before:
        await until(before.is_up)
        member = pbx.enter("c1")
        await until(lambda: before.heard.of(QueueEntered))
    await server.until_listening(0)
    past = SlowPast(*before.heard.events)
    async with running(server, past=past) as after:
        await until(lambda: server.logins == 2)
        await server.until_listening(1)
        pbx.cancel(member, "TIMEOUT")
        await asyncio.sleep(0.5)
        assert (after.heard.messages, after.is_up()) == ([], False)
        past.end.set()
        await until(lambda: after.heard.of(QueueLeft))
        await until(after.is_up)

    assert ids(after, QueueEntered) == set()
    assert ids(after, QueueLeft) == {"c1/support/m-c1/left/timeout"}


async def test_a_past_that_cannot_be_had_ends_the_source(server: EslServer) -> None:
    async def broken(_: Take) -> None:
        raise RuntimeError("not read")

    fs = start(server, past=broken)
    with pytest.raises(ExceptionGroup) as ended:
        await fs.task

    assert [str(each) for each in ended.value.exceptions] == ["not read"]


async def test_two_connections_tell_the_same_facts_under_the_same_ids(
    server: EslServer, pbx: CallCenter
) -> None:
    kinds = (QueueEntered, QueueLeft, AgentAccepted, TalkEnded, ContactEnded)
    async with running(server) as one, running(server) as other:
        await until(lambda: one.is_up() and other.is_up())
        for number in range(20):
            call(pbx, f"c{number}")
        await until(lambda: all(len(fs.heard.of(ContactEnded)) == 20 for fs in (one, other)))

    assert ids(one, *kinds) == ids(other, *kinds)


async def test_while_the_buffer_is_full_nothing_more_is_read(server: EslServer, pbx: CallCenter) -> None:
    """Longer than a question may stay unanswered: that silence is ours."""
    async with running(server, pace=msgspec.structs.replace(FAST, pong_s=1.0)) as fs:
        await until(fs.is_up)
        fs.heard.open.clear()
        for number in range(2_000):
            call(pbx, f"c{number}")
        await until(lambda: fs.heard.calls)
        calls = fs.heard.calls
        await asyncio.sleep(1.5)
        assert fs.heard.calls <= calls + 1
        fs.heard.open.set()
        await until(lambda: len(fs.heard.of(ContactEnded)) == 2_000)

    assert server.logins == 1
    assert outcomes(fs) == {("support", "answered"): 2_000}


@pytest.mark.parametrize("when", ["connected", "connecting", "held back", "reading the past"])
async def test_stop_ends_it_whatever_it_does(server: EslServer, when: str) -> None:
    if when == "connecting":
        await server.go_away()
    fs = start(server, past=SlowPast() if when == "reading the past" else None)
    if when == "reading the past":
        await until(lambda: server.logins)
    if when == "held back":
        fs.heard.open.clear()
        await until(lambda: fs.heard.calls)
    elif when == "connected":
        await until(fs.is_up)
    fs.stop.set()
    async with asyncio.timeout(20):
        await fs.task

    assert not fs.is_up()
