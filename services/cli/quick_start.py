"""Java's archive of Kafka's classes, loaded and linked: with it the embedded broker starts in half the time.

Where it lies and how Java is told of it. `kafka_setup.py` records it, once. Java checks by itself that
an archive fits it and the jars; without one it loads the classes as ever.
"""

import hashlib
from pathlib import Path

_QUIET = ("-Xlog:disable", "-Xlog:all=error:stderr")
"""Java warns of each class that it leaves out."""


def archive_of(jars: Path, java: Path, flags: tuple[str, ...]) -> Path:
    """Where the archive of these jars is, for this Java started with these flags: beside that Java."""
    fingerprint = hashlib.sha256("\n".join(flags).encode()).hexdigest()[:8]
    return java.parents[1] / f"{jars.name}-{fingerprint}.aot"


def using(archive: Path) -> tuple[str, ...]:
    """Java's flags to use the archive; none while it is not there."""
    return (f"-XX:AOTCache={archive}", *_QUIET) if archive.is_file() else ()


def recording(notes: Path) -> tuple[str, ...]:
    """Java's flags to note, as it ends, what an archive should hold."""
    return ("-XX:AOTMode=record", f"-XX:AOTConfiguration={notes}", *_QUIET)


def writing(archive: Path, notes: Path) -> tuple[str, ...]:
    """Java's flags to do nothing but write the archive."""
    return ("-XX:AOTMode=create", f"-XX:AOTConfiguration={notes}", f"-XX:AOTCache={archive}", *_QUIET)
