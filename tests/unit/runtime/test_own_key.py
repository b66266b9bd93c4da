"""The key that our own commands show: from a file, else from the environment, never an argument."""

import argparse
from pathlib import Path

import pytest

from schemas.errors import Misconfigured
from services.runtime.own_key import add_argument, headers


def test_the_environment_gives_the_key_and_a_file_wins_over_it(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("vigie_of-the-file\n")

    assert headers(None, {}) == {}
    assert headers(None, {"VIGIE_KEY": ""}) == {}
    assert headers(None, {"VIGIE_KEY": "vigie_a"}) == {"Authorization": "Bearer vigie_a"}
    assert headers(file, {"VIGIE_KEY": "vigie_a"}) == {"Authorization": "Bearer vigie_of-the-file"}


@pytest.mark.parametrize("content", [b"", b" \n", b"two keys", b"a\nb", "clé".encode(), b"\xff"])
def test_what_is_not_one_key_is_refused_and_not_repeated(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "of-the-centre"
    file.write_bytes(content)

    with pytest.raises(Misconfigured) as refused:
        headers(file, {})
    assert str(file) in str(refused.value)
    assert "two keys" not in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read"):
        headers(tmp_path / "none", {})


def test_the_help_says_which_key_and_where_else_it_may_stand(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_argument(parser, "board")
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])

    said = " ".join(capsys.readouterr().out.split())
    assert "a key for board" in said
    assert "VIGIE_KEY" in said
