"""`vigie replay` as people call it, against ingest's real HTTP with a log in memory."""

import asyncio
import contextlib
import gzip
import logging
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Thread, Timer
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import structlog
from prometheus_client import CollectorRegistry

from schemas.events import AgentStateChanged, Event, QueueEntered, QueueLeft, WrapEnd, WrapStart
from services.ingest.admission import Admission
from services.ingest.http import create_app
from services.ingest.intake import Door
from services.ingest.metrics import Metrics
from services.ingest.replay import main
from services.runtime import log as logs
from services.runtime.clock import now_ms
from services.runtime.keys import Keyring
from services.runtime.process import serve
from tests.data import asterisk
from tests.doubles.event_log import MemoryLog
from tests.doubles.keys import AUTH, INGEST_PARIS
from tests.doubles.served import free_port
from tests.unit.ingest.posts import PSEUDONYMS


class Ingest:
    """Ingest in a thread of its own, because replay runs its own loop."""

    def __init__(self, *sites: str, keys: Keyring | None = None) -> None:
        self.log = MemoryLog()
        self.address = f"127.0.0.1:{free_port()}"
        self._app = create_app(
            publisher=self.log,
            door=Door(pseudonyms=PSEUDONYMS, admission=Admission(frozenset(sites))),
            metrics=Metrics(CollectorRegistry()),
            clock=now_ms,
            keys=keys,
        )
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()

    def events(self) -> list[Event]:
        return [message for message in self.log.messages if isinstance(message, Event)]

    def replay(self, *words: str) -> int:
        return main(["asterisk_ami", *words, "--ingest", f"http://{self.address}"])

    @contextlib.contextmanager
    def running(self) -> Iterator["Ingest"]:
        thread = Thread(target=self._run)
        thread.start()
        try:
            self._wait_for_an_answer(thread)
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join()
            self._loop.close()

    def _wait_for_an_answer(self, thread: Thread) -> None:
        """Then it listens and has said so: what a test catches of the output begins after that."""
        while thread.is_alive():
            try:
                with urlopen(f"http://{self.address}/health/live"):
                    return
            except URLError:
                time.sleep(0.01)
        raise AssertionError("ingest ended before it answered")

    def _run(self) -> None:
        self._loop.run_until_complete(serve(self._app, self.address, self._stop))


@pytest.fixture
def ingest() -> Iterator[Ingest]:
    with Ingest().running() as ingest:
        yield ingest


@pytest.fixture(autouse=True)
def _own_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_PSEUDONYM_KEY", "0123456789abcdef")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Logging is the process's own, so it is set up before ingest runs and put back as it was after."""
    handlers, level = logging.root.handlers[:], logging.root.level
    logs.set_up("ingest")
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "pbx.toml"
    file.write_text(
        '[[sites]]\nid = "paris"\n[[sources]]\nid = "pbx1"\nkind = "asterisk_ami"\nsite = "paris"\n'
        'user = "w"\nsecret_env = "PBX1_SECRET"\nwrap_up_s = { support = 3, sales = 2 }\n'
        'map = { sales = "ventes" }\n'
    )
    return file


def test_a_capture_is_sent_whole_and_its_last_instant_is_now(
    ingest: Ingest, capsys: pytest.CaptureFixture[str]
) -> None:
    before_ms = now_ms()
    code = ingest.replay(str(asterisk.CAPTURE), "--site", "paris")
    after_ms = now_ms()
    events = ingest.events()

    assert code == 0
    assert Counter(event.site for event in events) == {"paris": len(events)}
    assert Counter(event.source for event in events) == {"replay": len(events)}
    assert sum(isinstance(event, QueueEntered) for event in events) == 184
    assert before_ms <= max(event.occurred_ms for event in events) <= after_ms
    told = f"17150 payloads, {len(events)} events sent, {len(events)} accepted, 0 rejected"
    assert told in capsys.readouterr().out


def test_sent_twice_the_ids_and_the_waits_are_the_same(ingest: Ingest) -> None:
    for _ in range(2):
        assert ingest.replay(str(asterisk.CAPTURE), "--site", "paris") == 0
    events = ingest.events()
    first, again = events[: len(events) // 2], events[len(events) // 2 :]
    moved = again[0].occurred_ms - first[0].occurred_ms

    assert [event.id for event in again] == [event.id for event in first]
    assert {b.occurred_ms - a.occurred_ms for a, b in zip(first, again, strict=True)} == {moved}


def test_unshifted_instants_are_those_of_the_capture_and_timers_run_out(ingest: Ingest, config: Path) -> None:
    code = ingest.replay(
        str(asterisk.CAPTURE),
        *("--site", "paris", "--source", "pbx1", "--shift", "none", "--config", str(config)),
    )
    events = ingest.events()

    assert code == 0
    assert events[0].occurred_ms == 1_795_321_195_437
    assert sum(isinstance(event, WrapEnd) for event in events) == 133
    assert isinstance(events[-1], AgentStateChanged)
    assert Counter(e.queue for e in events if isinstance(e, QueueEntered)) == {"support": 122, "ventes": 62}


def test_a_plain_file_is_read_as_well_as_a_packed_one(ingest: Ingest, tmp_path: Path) -> None:
    plain = tmp_path / "plain.gz"  # what it is, its bytes say, not its name
    plain.write_bytes(asterisk.COMPLETE_WITHOUT_CHANNEL.read_bytes())

    assert ingest.replay(str(plain), "--site", "paris") == 0
    assert [event.outcome for event in ingest.events() if isinstance(event, QueueLeft)] == ["answered"]


def test_paced_it_takes_as_long_as_it_was_over_the_speed(ingest: Ingest) -> None:
    """13.5 s of recording at 40 times the speed."""
    start_s = time.monotonic()
    code = ingest.replay(str(asterisk.COMPLETE_WITHOUT_CHANNEL), "--site", "paris", "--speed", "40")

    assert code == 0
    assert time.monotonic() - start_s > 13.5 / 40
    assert all(event.occurred_ms <= event.received_ms for event in ingest.events())


def test_a_wrap_up_that_runs_at_the_end_is_ended_when_it_is_over(ingest: Ingest, tmp_path: Path) -> None:
    file = tmp_path / "wrap.toml"
    file.write_text(
        '[[sites]]\nid = "paris"\n[[sources]]\nid = "pbx1"\nkind = "asterisk_ami"\nsite = "paris"\n'
        'user = "w"\nsecret_env = "PBX1_SECRET"\nwrap_up_s = 0.3\n'
    )
    told = ["--site", "paris", "--source", "pbx1", "--config", str(file)]

    assert ingest.replay(str(asterisk.COMPLETE_WITHOUT_CHANNEL), *told) == 0
    start, end = (next(e for e in ingest.events() if isinstance(e, kind)) for kind in (WrapStart, WrapEnd))
    assert end.occurred_ms - start.occurred_ms == 300
    assert all(event.occurred_ms <= event.received_ms for event in ingest.events())


def test_standard_output_holds_the_summary_alone(ingest: Ingest, capfd: pytest.CaptureFixture[str]) -> None:
    """The warning is of a library, and of ours; whoever reads the summary must not have to look for it."""
    assert ingest.replay(str(asterisk.COMPLETE_WITHOUT_CHANNEL), "--site", "paris") == 0
    structlog.get_logger().warning("said_by_us")
    logging.getLogger("asyncio").warning("said by a library")
    told = capfd.readouterr()

    assert len(told.out.splitlines()) == 1
    assert " warning replay said_by_us" in told.err
    assert 'warning replay asyncio says="said by a library"' in told.err


def test_rejected_events_are_named_and_fail(capsys: pytest.CaptureFixture[str]) -> None:
    with Ingest("lyon").running() as ingest:
        code = ingest.replay(str(asterisk.COMPLETE_WITHOUT_CHANNEL), "--site", "paris")
    told = capsys.readouterr()

    assert code == 1
    assert "rejected 1795321254.103/created: unknown_site" in told.err
    assert "0 accepted" in told.out


def test_a_log_that_is_away_is_waited_for(ingest: Ingest) -> None:
    ingest.log.is_away = True
    back = Timer(0.3, setattr, (ingest.log, "is_away", False))
    back.start()

    assert ingest.replay(str(asterisk.COMPLETE_WITHOUT_CHANNEL), "--site", "paris") == 0
    assert ingest.events()
    back.join()


def test_the_key_is_shown_where_one_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("VIGIE_KEY", raising=False)
    file = tmp_path / "key"
    file.write_text(INGEST_PARIS)
    words = [str(asterisk.COMPLETE_WITHOUT_CHANNEL), "--site", "paris"]
    with Ingest(keys=Keyring(AUTH.keys)).running() as ingest:
        assert ingest.replay(*words) == 1
        said = capsys.readouterr().err
        assert ingest.replay(*words, "--key-file", str(file)) == 0
        monkeypatch.setenv("VIGIE_KEY", INGEST_PARIS)
        assert ingest.replay(*words) == 0
        assert ingest.replay(words[0], "--site", "lyon") == 1
    assert "answers 401" in said
    assert "--key-file FILE or in the environment as VIGIE_KEY" in said
    assert {event.site for event in ingest.events()} == {"paris"}
    assert INGEST_PARIS not in said + str(capsys.readouterr())


@pytest.mark.parametrize(
    "words",
    [
        ["freeswitch", "x.gz", "--site", "paris"],
        ["asterisk_ami", "missing.gz", "--site", "paris"],
        ["asterisk_ami", "broken.gz", "--site", "paris"],
        ["asterisk_ami", "empty", "--site", "paris"],
        ["asterisk_ami", "empty"],
        ["asterisk_ami", "empty", "--site", "paris", "--speed", "0.5"],
        ["asterisk_ami", "empty", "--site", "paris", "--speed", "nan"],
        ["asterisk_ami", "empty", "--site", "paris", "--key-file", "missing"],
    ],
)
def test_wrong_use_is_exit_code_2(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.gz").write_bytes(gzip.compress(b"Event: Join\r\n" * 500)[:-20])
    (tmp_path / "empty").write_bytes(b"")
    try:
        code = main(words)
    except SystemExit as end:
        code = int(str(end.code))

    assert code == 2
    assert "vigie replay: " in capsys.readouterr().err


def test_a_capture_without_timestamps_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "capture"
    file.write_bytes(b"Event: QueueCallerJoin\r\nUniqueid: 1.1\r\nQueue: support\r\n\r\n")

    assert main(["asterisk_ami", str(file), "--site", "paris"]) == 1
    assert "timestampevents = yes" in capsys.readouterr().err
