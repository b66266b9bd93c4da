"""However a file is written, rotated and read, every line comes once and in order."""

import random
import time
from pathlib import Path

import pytest
from msgspec import json

from services.ingest.adapters.asterisk_queue_log.lines import begins_ms
from services.ingest.adapters.asterisk_queue_log.tail import Place, Tail
from tests.doubles.queue_log_file import QueueLogFile

GRANULE_S = 0.01
"""Files are told apart by when they were written last, which the system notes every few milliseconds."""


class Reader:
    """Reads as ingest does; `restart` forgets all but a place that may lie behind."""

    def __init__(self, path: Path) -> None:
        self.lines: list[bytes] = []
        self._path = path
        self._tail = Tail(path, None, begins_ms)
        self.read()
        self.keep()

    def read(self) -> None:
        for _ in range(50):
            try:
                piece = self._tail.read()
            except FileNotFoundError:
                return
            assert (piece.refused, piece.gap) == ([], None)
            self.lines += piece.lines
            self.place = piece.place
            if piece.is_at_end:
                return
        raise AssertionError("it never comes to the end")

    def keep(self) -> None:
        self._kept = (len(self.lines), json.encode(self.place))

    def restart(self) -> None:
        self._tail.close()
        count, place = self._kept
        self.lines, self.place = self.lines[:count], json.decode(place, type=Place)
        self._tail = Tail(self._path, self.place, begins_ms)

    def close(self) -> None:
        self._tail.close()


@pytest.mark.parametrize("seed", range(40))
def test_every_line_comes_once_and_in_order(tmp_path: Path, seed: int) -> None:
    drawn = random.Random(seed)
    log, written = QueueLogFile(tmp_path / "queue_log"), list[bytes]()
    log.write(b"1700000000|NONE|NONE|NONE|QUEUESTART|")
    reader = Reader(log.path)
    is_moved = False
    for number in range(1, 120):
        step = drawn.choices(("write", "read", "keep", "move", "open", "restart"), (8, 5, 3, 1, 3, 1))[0]
        line = b"%d|%d.1|support|NONE|ENTERQUEUE||5|1" % (1_700_000_000 + number, number)
        if step == "write":
            cut = drawn.randrange(len(line))
            log.write_bytes(line[:cut])
            if drawn.random() < 0.3:
                reader.read()
            log.write_bytes(line[cut:] + b"\n")
            written.append(line)
        elif step == "read":
            reader.read()
        elif step == "keep":
            reader.keep()
        elif step == "move" and not is_moved:
            time.sleep(GRANULE_S)
            log.rename(creates=drawn.random() < 0.5)
            is_moved = True
        elif step == "open" and is_moved:
            time.sleep(GRANULE_S)
            log.open()
            log.write(b"%d|NONE|NONE|NONE|CONFIGRELOAD|" % (1_700_000_000 + number))
            is_moved = False
        elif step == "restart":
            reader.restart()
    log.open()
    log.write(b"1700000999|NONE|NONE|NONE|CONFIGRELOAD|")
    reader.read()
    reader.close()
    log.close()

    assert [line for line in reader.lines if b"ENTERQUEUE" in line] == written
