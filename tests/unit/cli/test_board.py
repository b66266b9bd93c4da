"""`vigie board` from its arguments to its exit code, against an api that is not there."""

import socket

import pytest

from services.cli import board


def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize("more", [[], ["--json"], ["--watch"]])
def test_silent_api_is_named_with_what_to_type(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    address = f"http://127.0.0.1:{closed_port()}"
    assert board.main(["--api", address, *more]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert address in said.err
    assert "vigie up" in said.err


@pytest.mark.parametrize("words", [["--api", "localhost:8080"], ["--window", "7m"], ["--nonsense"]])
def test_wrong_use_is_told_apart(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        board.main(words)
    assert ended.value.code == 2
    assert "usage: vigie board" in capsys.readouterr().err
