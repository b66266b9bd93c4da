"""The command `vigie` up to where it starts something: help, use, `check`, exit codes."""

from pathlib import Path

import pytest

from services.cli.__main__ import main


def test_help_names_every_command_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    said = capsys.readouterr().out
    assert ended.value.code == 0
    commands = (
        *("up", "demo", "ingest", "aggregator", "api", "notifier"),
        *("replay", "board", "verify", "topics", "key", "check"),
    )
    assert [name for name in commands if f"\n    {name} " not in said and f"\n    {name}\n" not in said] == []
    assert "exit codes: 0 done, 1 failed while running, 2 wrong use or configuration" in said


@pytest.mark.parametrize("words", [[], ["fly"], ["up", "--fly"], ["check"], ["demo", "--rate", "many"]])
def test_wrong_use_is_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)

    assert ended.value.code == 2
    assert "usage: vigie" in capsys.readouterr().err


def test_a_good_file_is_said_to_be_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "good.toml"
    file.write_text("[[sites]]\nid = 'paris'\n[[queues]]\nid = 'support'\nsite = 'paris'\n")

    assert main(["check", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: no fault; 1 sites, 1 queues, 0 sources, 1 rules\n"


def test_every_fault_is_written_and_the_code_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(
        "[[queues]]\nid = 'q'\nsiet = 'x'\n[[sources]]\nid = 'p'\nkind = 'http'\nsecret_env = 'NO_1'\n"
    )

    assert main(["check", str(file)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f'vigie: {file}: queues[0].siet (line 3): unknown field (did you mean "site"?)',
        f"vigie: {file}: sources[0].secret_env (line 7): NO_1 is not set in the environment",
    ]


def test_a_demo_that_would_be_asked_for_a_key_needs_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIGIE_KEY", raising=False)
    file = tmp_path / "locked.toml"
    file.write_text(f"[auth]\nkeys = [{{ id = 'a', for = 'ingest', hash = '{'0' * 64}' }}]\n")

    assert main(["demo", "--config", str(file), "--data", str(tmp_path / "data")]) == 2
    assert "--key-file FILE or in the environment as VIGIE_KEY" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_up_refuses_in_the_words_of_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(
        """
[[teams]]
id = "n1"
leads = ["lea", "bob"]
[[teams]]
id = "n2"
[[people]]
id = "lea"
channels = [{ kind = "webhook", url = "https://10.0.0.1/", secret_env = "NO_SECRET" }]
"""
    )
    assert main(["check", str(file)]) == 2
    checked = capsys.readouterr().err

    assert main(["up", "--config", str(file), "--data", str(tmp_path / "data")]) == 2
    assert capsys.readouterr().err == checked
    assert len(checked.splitlines()) == 4
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", ["up", "demo", "topics"])
def test_a_bad_file_starts_nothing(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("[http]\napi = '0.0.0.0:80'\n")

    assert main([command, "--config", str(file), "--data", str(tmp_path / "data")]) == 2
    assert "needs the keys of [auth]" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
