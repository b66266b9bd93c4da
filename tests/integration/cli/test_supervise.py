"""Supervision of real processes: restarted when they die, ended in order, never left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.doubles.started import PATIENCE_S, Started, all_gone, is_alive


def system(*names: str) -> Started:
    return Started([sys.executable, "-m", "tests.doubles.tiny_system", *names])


@pytest.fixture
def two() -> Iterator[Started]:
    """Two tiny services and a program that knows nothing of us, all running."""
    with system("sleep", "one", "two") as started:
        started.wait_for(" one there")
        started.wait_for(" two there")
        yield started


def test_one_that_dies_is_started_again_and_its_cause_logged(two: Started) -> None:
    before = two.pids()
    os.kill(before["one"], signal.SIGKILL)

    line = two.wait_for("process_died process=one")
    two.wait_for(" one there", times=2)

    assert 'cause="signal SIGKILL"' in line
    assert two.pids()["one"] != before["one"]
    assert two.pids()["two"] == before["two"]


def test_asked_to_stop_all_drain_in_reverse_order(two: Started) -> None:
    two.process.send_signal(signal.SIGTERM)

    assert two.wait_for_end() == 0
    ended = [line.split("process=")[1].split()[0] for line in two.lines if "process_ended" in line]
    assert ended == ["two", "one", "sleep"]
    assert [line.split()[2] for line in two.lines if line.endswith(" drained")] == ["two", "one"]
    assert all_gone(list(two.pids().values()))
    assert "one | a plain line" in two.lines
    assert [line for line in two.lines if not _names_its_service(line)] == []


def _names_its_service(line: str) -> bool:
    return line.split(" | ")[0] in ("one", "two") or line.split()[2] in ("up", "one", "two")


def test_asked_twice_it_kills_at_once() -> None:
    with system("one:stubborn", "two:stubborn") as started:
        started.wait_for(" one there")
        started.wait_for(" two there")
        started.process.send_signal(signal.SIGINT)
        started.wait_for("two stopping")
        started.process.send_signal(signal.SIGINT)

        assert started.wait_for_end() == 1
        for name in ("one", "two"):
            assert 'cause="signal SIGKILL"' in started.wait_for(f"process_ended process={name}")
        assert all_gone(list(started.pids().values()))


def test_one_that_does_not_drain_is_ended_all_the_same() -> None:
    with system("one:stubborn") as started:
        started.wait_for(" one there")
        started.process.send_signal(signal.SIGTERM)

        assert started.wait_for_end() == 0
        assert 'cause="exit code 1"' in started.wait_for("process_ended process=one")


def test_killed_itself_it_leaves_no_orphan_not_even_a_stubborn_one() -> None:
    with system("sleep", "one", "two:stubborn") as started:
        started.wait_for(" one there")
        started.wait_for(" two there")
        pids = list(started.pids().values())
        assert all(map(is_alive, pids))
        started.process.kill()

        assert all_gone(pids)


def test_one_that_refuses_its_settings_is_not_tried_again() -> None:
    with system("one", "two:refusing") as started:
        assert started.wait_for_end() == 2
        started.wait_for('two misconfigured fault="tiny.setting (line 1): is wrong"')
        assert len([line for line in started.lines if "process_started process=two" in line]) == 1


def test_where_the_kernel_does_not_help_the_guard_watches_its_pipe() -> None:
    """As on systems other than Linux: the guard stays beside the program, and ends it at EOF."""
    watching = (
        "import sys; from services.cli.guard import watch; sys.exit(watch(['/bin/sleep', '1000']) != -15)"
    )
    guard = subprocess.Popen([sys.executable, "-c", watching], stdin=subprocess.PIPE)
    assert guard.stdin is not None
    guard.stdin.close()

    assert guard.wait(PATIENCE_S) == 0
