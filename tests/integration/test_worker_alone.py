"""One aggregator as a container starts it: nothing in its data folder, Kafka perhaps not there yet."""

import signal
import sys
from pathlib import Path

from tests.doubles.started import Started


def _command(folder: Path) -> list[str]:
    return [sys.executable, "-m", "services.aggregator", "--kafka", "127.0.0.1:1", "--data", str(folder)]


def test_it_makes_its_data_folder_and_waits_for_kafka(tmp_path: Path) -> None:
    (tmp_path / "vigie.toml").write_text('[http]\naggregator = "127.0.0.1:0"\n', "utf-8")
    folder = tmp_path / "not/there/yet"
    with Started([*_command(folder), "--config", str(tmp_path / "vigie.toml")]) as worker:
        worker.wait_for(" listening ")

        assert folder.is_dir()
        worker.process.send_signal(signal.SIGTERM)
        assert worker.wait_for_end() == 0


def test_a_data_folder_that_cannot_be_made_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Started(_command(tmp_path / "file/data")) as worker:
        assert worker.wait_for_end() == 2

        assert "cannot be made (Not a directory)" in worker.lines[-1]
