"""What a service is told on its command line, and where it looks for what it is not told."""

from pathlib import Path

import pytest

from schemas.errors import Misconfigured
from services.runtime.options import default_data, parse


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))


def test_what_is_said_wins(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("[kafka]\nbootstrap = 'file:9092'\npartitions = 8\n")
    told = ["--config", "other.toml", "--data", str(tmp_path), "--kafka", "line:9092", "--slot", "3"]

    options = parse("aggregator", told)

    assert (options.kafka.bootstrap, options.data, options.slot) == ("line:9092", tmp_path, 3)
    assert (options.config.kafka.partitions, options.service) == (8, "aggregator")


def test_settings_come_from_the_current_folder(tmp_path: Path) -> None:
    (tmp_path / "vigie.toml").write_text("[kafka]\nbootstrap = 'file:9092'\n")

    options = parse("api", [])

    assert options.kafka.bootstrap == "file:9092"
    assert options.config.from_file
    assert options.data == default_data() == tmp_path / "share" / "vigie"


def test_the_embedded_broker_is_found_by_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "address").write_text("127.0.0.1:50123")

    assert parse("api", ["--data", str(tmp_path)]).kafka.bootstrap == "127.0.0.1:50123"


def test_without_any_kafka_it_says_what_to_do() -> None:
    with pytest.raises(
        Misconfigured, match=r"give --kafka HOST:PORT or \[kafka\] bootstrap, or run `vigie up`"
    ):
        parse("api", [])


def test_wrong_use_ends_with_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse("api", ["--nonsense"])
    assert ended.value.code == 2
    assert "--nonsense" in capsys.readouterr().err
