"""What README tells people to type: taken by the code it is typed at."""

import re
import shlex
from importlib import resources
from pathlib import Path

import pytest

from schemas.config import Config
from services.aggregator.verify import command as verify
from services.cli import __main__ as cli
from services.cli import board
from services.ingest import replay, source_command
from services.ingest.adapters.asterisk_ami.session import EVENT_CLASSES
from services.ingest.admission import Admission
from services.ingest.cloudevents import Mode, mode_of
from services.ingest.intake import Door
from services.runtime import options
from services.runtime.config import load
from tests.unit.ingest.posts import NOW_MS, PSEUDONYMS

README = Path(__file__).parents[2].joinpath("README.md").read_text("utf-8")
COMMANDS = sorted(set(re.findall(r"`vigie ([^`]*)`", README)) - {"COMMAND --help", "up"})


def test_the_posted_examples_are_accepted_one_and_all() -> None:
    door = Door(pseudonyms=PSEUDONYMS, admission=Admission(frozenset(s.id for s in _demo().sites)))
    commands = _block("sh").split("curl ")[1:]

    taken = [door.take(*_posted(shlex.split(each.replace("\\\n", " "))), now_ms=NOW_MS) for each in commands]

    assert [(intake.status, len(intake.events), intake.rejected) for intake in taken] == [
        (202, 1, []),
        (202, 2, []),
        (202, 1, []),
    ]
    assert {name for intake in taken for name in intake.ignored} == set()


def test_the_posted_examples_name_a_queue_of_the_demo() -> None:
    named = set(re.findall(r'"queue": "([^"]*)"', _block("sh")))

    assert named
    assert named <= {queue.id for queue in _demo().queues}


def test_the_settings_for_an_asterisk_are_right(tmp_path: Path) -> None:
    file = tmp_path / "vigie.toml"
    file.write_text(_block("toml"), "utf-8")

    source = load(file, environment={"PBX1_SECRET": "choose-one"}).sources[0]

    manager = _block("ini")
    assert f"[{source.user}]\nsecret = choose-one\nread = {EVENT_CLASSES}\n" in manager
    assert f"port = {source.port}\n" in manager
    assert "timestampevents = yes" in manager


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_table_is_understood(command: str) -> None:
    name, *words = shlex.split(command)
    if name == "replay":
        replay._parser().parse_args(words)
    elif name == "source":
        source_command._parser().parse_args(words)
    elif name == "board":
        board._parse(words)
    elif name == "verify":
        verify._parser().parse_args(words)
    elif name in cli._RUN_BY_NAME:
        assert options.parse(name, words).service == name
    else:
        cli._parser().parse_args([name, *words])


def _demo() -> Config:
    return load(Path(str(resources.files("services.cli.demo").joinpath("vigie.toml"))))


def _block(language: str) -> str:
    """The one block of README in that language."""
    (text,) = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return str(text)


def _posted(words: list[str]) -> tuple[Mode, list[tuple[bytes, bytes]], bytes]:
    """What curl would send."""
    lines = [words[i + 1] for i, word in enumerate(words) if word == "-H"]
    headers = [
        (name.lower().encode(), value.strip().encode())
        for name, _, value in (line.partition(":") for line in lines)
    ]
    media = dict(headers)[b"content-type"].decode()
    mode = mode_of(media, is_binary=any(name.startswith(b"ce-") for name, _ in headers))
    assert mode is not None
    return mode, headers, words[words.index("-d") + 1].encode()
