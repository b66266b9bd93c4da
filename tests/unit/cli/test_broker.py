"""The embedded broker's folder and settings, without starting it."""

from pathlib import Path

import pytest

from schemas.errors import Misconfigured
from services.cli.broker import Ports, free_ports, lock_folder, properties


def test_settings_name_the_ports_and_the_folder(tmp_path: Path) -> None:
    settings = dict(line.split("=", 1) for line in properties(tmp_path, Ports(1111, 2222)).splitlines())

    assert settings["listeners"] == "PLAINTEXT://127.0.0.1:1111,CONTROLLER://127.0.0.1:2222"
    assert settings["log.dirs"] == str(tmp_path / "log")
    assert settings["auto.create.topics.enable"] == "false"


def test_a_folder_has_one_owner_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    lock = lock_folder(folder)
    with pytest.raises(Misconfigured, match=f"--data {folder}: another Vigie runs in this folder"):
        lock_folder(folder)

    lock.close()
    lock_folder(folder).close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="cannot be written"):
        lock_folder(tmp_path / "file" / "data")


def test_free_ports_differ() -> None:
    assert len(set(free_ports(20))) == 20
