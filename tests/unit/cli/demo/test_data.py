"""A demo empties its own Kafka and nobody else's."""

from pathlib import Path

import pytest

from schemas.errors import Misconfigured
from services.cli.demo.data import keep, own_folder, start_afresh


def test_a_demo_empties_what_a_demo_left(tmp_path: Path) -> None:
    start_afresh(tmp_path)
    _fill(tmp_path)

    start_afresh(tmp_path)

    assert not (tmp_path / "kafka").exists()


def test_what_up_has_kept_is_refused_and_stays(tmp_path: Path) -> None:
    record = _fill(tmp_path)

    with pytest.raises(Misconfigured, match="which a demo would delete"):
        start_afresh(tmp_path)

    assert record.read_bytes() == b"kept"


def test_a_demos_folder_that_up_has_taken_is_kept_from_then_on(tmp_path: Path) -> None:
    start_afresh(tmp_path)
    keep(tmp_path)
    record = _fill(tmp_path)

    with pytest.raises(Misconfigured):
        start_afresh(tmp_path)

    assert record.exists()


def test_the_demos_own_folder_needs_no_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    record = _fill(own_folder())

    start_afresh(own_folder())

    assert not record.exists()


def _fill(data: Path) -> Path:
    record = data / "kafka" / "log" / "00000000000000000000.log"
    record.parent.mkdir(parents=True)
    record.write_bytes(b"kept")
    return record
