"""One line of the log: instant, level, service, event, fields."""

import logging
import re
from collections.abc import Iterator

import pytest
import structlog

from services.runtime import log as logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Logging is the process's own: put back what it was."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def test_an_event_is_one_line_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("ingest")
    structlog.get_logger().info("source_connected", source="pbx 1", attempt=3, host="")

    line = capsys.readouterr().err
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info ingest source_connected "
        r'source="pbx 1" attempt=3 host=""\n',
        line,
    )


def test_no_field_can_forge_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("ingest")
    structlog.get_logger().warning("refused", text='a\nb" c=d\x1b[31m')

    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.endswith('text="a\\nb\\" c=d\\u001b[31m"\n')


def test_libraries_speak_in_our_lines_from_warning_on(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("api")
    logging.getLogger("aiokafka.client").info("not worth a line")
    logging.getLogger("aiokafka.client").warning("lost %s", "node 1")

    [line] = capsys.readouterr().err.splitlines()
    assert line.split(" ", 1)[1] == 'warning api aiokafka.client says="lost node 1"'


def test_what_a_library_repeats_is_heard_once_in_a_while(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.set_up("api")
    clock_s = 1000.0
    monkeypatch.setattr(logs, "monotonic", lambda: clock_s)
    for _ in range(150):
        logging.getLogger("aiokafka").error("no connection to node %s", 1)
        clock_s += 0.25
    logging.getLogger("ours").error("no connection")
    logging.getLogger("ours").error("no connection")

    lines = [line.split(" ", 1)[1] for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        'error api aiokafka says="no connection to node 1"',
        'error api aiokafka says="no connection to node 1" repeated=119',
        'error api ours says="no connection"',
        'error api ours says="no connection"',
    ]


def test_an_exception_follows_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("api")
    structlog.get_logger().error("failed", exc_info=ValueError("why"))

    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("error api failed")
    assert lines[-1] == "ValueError: why"


def test_the_environment_gives_the_lowest_level(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_LOG", "error")
    logs.set_up("api")
    structlog.get_logger().warning("quiet")
    structlog.get_logger().error("loud")

    assert [line.split()[3] for line in capsys.readouterr().err.splitlines()] == ["loud"]
