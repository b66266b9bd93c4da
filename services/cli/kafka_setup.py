"""`python -m services.cli.kafka_setup`: all that the embedded Kafka needs, ahead of need.

Its jars, checked (`jars.py`), once for each user of a machine; and once for each Java an archive that
halves its start (`quick_start.py`), recorded from one life of a Kafka in a folder that is gone afterwards.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from schemas.errors import Unavailable
from services.cli import broker, quick_start

RECORD_S = 120.0
"""Each of the two steps takes about 5 s."""


def main() -> int:
    """1 when there is no Kafka to be had; a start that could not be made quicker is only said."""
    try:
        archive = broker.quick_start_archive()
    except Unavailable as error:
        print(error.detail, file=sys.stderr)
        return 1
    if not archive.is_file():
        print("Kafka: recording one start, so that the next ones take half the time (once)", file=sys.stderr)
        try:
            record(archive)
        except (Unavailable, OSError, subprocess.TimeoutExpired) as error:
            print(f"Kafka: not recorded ({error}); it starts as ever", file=sys.stderr)
    return 0


def record(archive: Path) -> None:
    """The archive is there. Raises `Unavailable`, `OSError` or `TimeoutExpired` when it cannot be written."""
    partial = archive.with_name(f"{archive.name}.partial")
    with tempfile.TemporaryDirectory(prefix="vigie-kafka-", ignore_cleanup_errors=True) as folder:
        notes = Path(folder) / "classes"
        kafka = broker.EmbeddedBroker(Path(folder) / "kafka", java_flags=quick_start.recording(notes))
        try:
            kafka.start()
            kafka.stop(within_s=RECORD_S)
        finally:
            kafka.close()
        command = broker.java_command(*quick_start.writing(partial, notes))
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=RECORD_S)
    if not partial.is_file():
        raise Unavailable(f"Java ended with {done.returncode}: {done.stderr.strip()[-200:]}")
    partial.replace(archive)


if __name__ == "__main__":
    sys.exit(main())
