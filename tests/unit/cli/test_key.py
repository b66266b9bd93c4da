"""`vigie key new`: the key once, and a line that `vigie.toml` takes as it is."""

import tomllib
from pathlib import Path

import pytest

from schemas.config import AuthConfig
from services.cli.__main__ import main
from services.runtime.config import load
from services.runtime.keys import Holder, Keyring


def made(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, str, str]:
    """The key, its line, and what was said beside it."""
    assert main(["key", "new", *words]) == 0
    told = capsys.readouterr()
    key, line = told.out.splitlines()
    return key, line, told.err


def auth_of(folder: Path, *lines: str) -> AuthConfig:
    file = folder / "vigie.toml"
    file.write_text("[http]\napi = '0.0.0.0:8080'\n[auth]\nkeys = [\n" + "\n".join(lines) + "\n]\n", "utf-8")
    auth = load(file).auth
    assert auth is not None
    return auth


def test_the_lines_make_the_keys_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, of_first, _ = made(capsys, "--for", "ingest")
    other, of_other, _ = made(
        capsys, "--for", "board", "--site", "paris", "--site", "lyon", "--site", "paris", "--id", "tv hall"
    )
    ring = Keyring(auth_of(tmp_path, of_first, of_other).keys)

    held = ring.find(first)
    assert held is not None
    assert (held.use, held.sites) == ("ingest", None)
    assert held.id.startswith("ingest-")
    assert ring.find(other) == Holder("tv hall", "board", frozenset({"paris", "lyon"}))


@pytest.mark.parametrize("name", ['"quoted"', "back\\slash", "Léa 🦉", "a]b}c,#"])
def test_any_name_survives_the_file(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, line, _ = made(capsys, "--for", "operator", "--site", name, "--id", name)

    (key,) = auth_of(tmp_path, line).keys
    assert (key.id, key.sites) == (name, [name])


def test_the_key_is_nowhere_but_in_its_own_line(capsys: pytest.CaptureFixture[str]) -> None:
    key, line, said = made(capsys, "--for", "board")

    assert key not in line + said
    assert set(tomllib.loads(f"keys = [{line}]")["keys"][0]) == {"id", "for", "hash"}


@pytest.mark.parametrize(
    "words",
    [["--site", ""], ["--id", " "], ["--id", "a\nb"], ["--site", "x" * 257], ["--id", "tab\t"]],
)
def test_a_name_that_cannot_be_one_is_code_2_and_no_key(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["key", "new", "--for", "board", *words]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "cannot be a name" in told.err


@pytest.mark.parametrize("words", [[], ["new"], ["new", "--for", "everything"], ["old"]])
def test_wrong_use_is_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["key", *words])

    assert ended.value.code == 2
    assert "usage: vigie key" in capsys.readouterr().err
