"""Apache Kafka's jars: fetched once, checked against the SHA-256 pinned in `kafka_jars.txt`, cached.

The list names every file (group:artifact:version), so nothing is resolved at run time: what is
fetched is what was pinned. jgo fetches from Maven Central; it only warns on a wrong checksum and
takes a truncated file from its cache, hence the check here, before a file gets its name.
"""

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TextIO

from msgspec import Struct

from schemas.errors import Unavailable

_READ = 1 << 20


class Jar(Struct, frozen=True):
    """One pinned file."""

    sha256: str
    group: str
    artifact: str
    version: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def pinned() -> list[Jar]:
    """What `kafka_jars.txt` lists, in its order."""
    text = resources.files("services.cli").joinpath("kafka_jars.txt").read_text("utf-8")
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return [Jar(sha256, *coordinate.split(":")) for sha256, coordinate in lines]


def cache_folder() -> Path:
    """The user's cache folder: `$XDG_CACHE_HOME/vigie`, or `~/.cache/vigie`."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if os.path.isabs(home) else Path.home() / ".cache") / "vigie"


def ensure(cache: Path | None = None, *, progress: TextIO | None = None) -> Path:
    """The folder that holds every pinned jar, fetched now if it is not there yet.

    The folder is named after the pins and appears whole or not at all; two processes that ask at
    once fetch once. Progress goes to `progress` (standard error). Raises `Unavailable`, saying what
    to do, when a jar cannot be had.
    """
    jars = pinned()
    cache = cache or cache_folder()
    folder = cache / f"kafka-{_fingerprint(jars)}"
    if folder.is_dir():
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _lock(cache / "kafka.lock"):
            if not folder.is_dir():
                _fetch_all(jars, cache, folder=folder, progress=progress or sys.stderr)
    except OSError as error:
        raise Unavailable(f"Kafka's jars cannot be stored in {cache} ({error}); {_REMEDY}") from error
    return folder


_REMEDY = "try again with the network up, set XDG_CACHE_HOME, or use another Kafka with --kafka HOST:PORT"


def _fetch_all(jars: list[Jar], cache: Path, *, folder: Path, progress: TextIO) -> None:
    downloads, partial = cache / "maven", cache / f"{folder.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for number, jar in enumerate(jars, 1):
        text = f"Kafka: fetching jar {number} of {len(jars)}: {jar.file_name}"
        _show(progress, text, lasting=number % 15 == 1)
        _fetch(jar, downloads, partial / jar.file_name)
    partial.rename(folder)
    shutil.rmtree(downloads, ignore_errors=True)
    _show(progress, f"Kafka: {len(jars)} jars checked, in {folder}", lasting=True, newline=True)


def _fetch(jar: Jar, downloads: Path, target: Path) -> None:
    """Copies the jar to `target` once its checksum is the pinned one; a wrong file is fetched anew, once."""
    for _ in range(2):
        source = _download(jar, downloads)
        shutil.copyfile(source, target)
        if _sha256(target) == jar.sha256:
            return
        source.unlink()
        target.unlink()
    raise Unavailable(f"{jar.file_name} does not have its pinned checksum; {_REMEDY}")


def _download(jar: Jar, downloads: Path) -> Path:
    # Imported here: jgo takes half a second, and only a fetch needs it.
    from jgo.maven import MavenContext, PythonResolver

    context = MavenContext(resolver=PythonResolver(), repo_cache=downloads, timeout=60)
    component = context.project(jar.group, jar.artifact).at_version(jar.version)
    try:
        path: Path = component.artifact().resolve()
    except Exception as error:  # jgo and requests raise whatever they like; all of it means "not had"
        what = f"{jar.file_name} cannot be fetched from Maven Central ({type(error).__name__})"
        raise Unavailable(f"{what}; {_REMEDY}") from error
    return path


def _fingerprint(jars: list[Jar]) -> str:
    return hashlib.sha256("".join(jar.sha256 for jar in jars).encode()).hexdigest()[:12]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_READ):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _show(progress: TextIO, text: str, *, lasting: bool = False, newline: bool = False) -> None:
    """One line that is rewritten on a terminal; elsewhere only the lasting ones are worth a line."""
    if progress.isatty():
        print(f"\r\x1b[K{text}", end="\n" if newline else "", file=progress, flush=True)
    elif lasting:
        print(text, file=progress, flush=True)
