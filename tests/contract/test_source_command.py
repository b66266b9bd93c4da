"""`vigie source test ID` as people run it: another process, against a small manager and real files."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.doubles.ami_frames import frame, member_row
from tests.doubles.ami_server import AmiServer

TELLING = """\
[[sites]]
id = "paris"
[[sources]]
id = "pbx1"
kind = "asterisk_ami"
site = "paris"
port = {port}
user = "wallboard"
secret_env = "PBX1_SECRET"
[[sources]]
id = "old"
kind = "file"
site = "paris"
file = "{file}"
columns = {{ type = "what", time = "at", contact = "ref", queue = "queue" }}
[[sources]]
id = "fs1"
kind = "freeswitch_esl"
site = "paris"
secret_env = "PBX1_SECRET"
[[sources]]
id = "shop"
kind = "http"
site = "paris"
"""
HISTORY = Path(__file__).parents[1] / "data" / "file" / "history.jsonl"


@pytest.fixture
async def server() -> AsyncIterator[AmiServer]:
    async with AmiServer(clock_us=1_795_321_195_437_000) as server:
        yield server


@pytest.fixture
def config(tmp_path: Path, server: AmiServer) -> Path:
    file = tmp_path / "vigie.toml"
    file.write_text(TELLING.format(port=server.port, file=HISTORY))
    return file


class Trial:
    """The command at its work."""

    def __init__(self, config: Path, *words: str, secret: str = "s3cret") -> None:
        self._command = [sys.executable, "-m", "services.ingest.source_command", "test", *words]
        self._command += [f"--config={config}", f"--data={config.parent}"]
        self._env = {**os.environ, "PBX1_SECRET": secret}

    async def start(self) -> "Trial":
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            env=self._env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return self

    async def until(self, words: str) -> str:
        """The line that holds the words."""
        assert self._process.stdout is not None
        while line := (await self._process.stdout.readline()).decode():
            if words in line:
                return line
        raise AssertionError(f"it never said {words}")

    async def end(self) -> tuple[int | None, str, str]:
        out, err = await self._process.communicate()
        return self._process.returncode, out.decode(), err.decode()


async def run(config: Path, *words: str, secret: str = "s3cret") -> tuple[int | None, str, str]:
    return await (await Trial(config, *words, secret=secret).start()).end()


async def test_the_first_events_are_shown_and_it_ends(config: Path, server: AmiServer) -> None:
    server.know_member(member_row("Alice"))
    trial = await Trial(config, "pbx1", "--events=3", "--seconds=60").start()
    await trial.until("-- connected")
    await server.event(frame("QueueCallerJoin", 1, Uniqueid="1.1", Linkedid="1.1", Queue="support"))
    code, out, _ = await trial.end()

    assert code == 0
    assert "queue.entered" in out
    assert out.rstrip().endswith("-- it works")


@pytest.mark.parametrize("wrong", ["secret", "timestamps", "reads", "away"])
async def test_what_is_misconfigured_is_said_in_words(config: Path, server: AmiServer, wrong: str) -> None:
    words = {
        "secret": "compare user and secret with manager.conf",
        "timestamps": "timestampevents = yes",
        "reads": "read = agent,call,system",
        "away": f"127.0.0.1:{server.port}",
    }
    server.has_timestamps = wrong != "timestamps"
    server.reads = frozenset() if wrong == "reads" else server.reads
    if wrong == "away":
        await server.go_away()
    secret = "wrong" if wrong == "secret" else "s3cret"
    trial = await Trial(config, "pbx1", "--seconds=8", secret=secret).start()
    if wrong in ("timestamps", "reads"):
        await trial.until("-- connected")
        await server.event(frame("QueueCallerJoin", 1, Uniqueid="1.1", Linkedid="1.1", Queue="support"))
    code, out, _ = await trial.end()

    assert code == 1
    assert words[wrong] in out
    assert out.rstrip().endswith("!! it does not work")
    assert "s3cret" not in out


async def test_a_source_that_refuses_its_own_settings_says_why(config: Path) -> None:
    code, _, err = await run(config, "fs1", "--seconds=60", secret="ClueCon")

    assert code == 2
    assert "change `password` in event_socket.conf.xml" in err


async def test_a_file_is_tried_without_a_mark_left_behind(config: Path) -> None:
    for _ in range(2):
        code, out, _ = await run(config, "old", "--seconds=30", "--events=3")
        assert (code, out.count("contact=1")) == (0, 3)
    assert list(config.parent.glob("**/*.mark")) == []


@pytest.mark.parametrize(
    ("id_", "words"),
    [
        ("nobody", "no source is called nobody; there are pbx1, old, fs1, shop"),
        ("shop", "posts its events by itself"),
    ],
)
async def test_what_cannot_be_tried_is_said(config: Path, id_: str, words: str) -> None:
    code, _, err = await run(config, id_)

    assert code == 2
    assert words in err
