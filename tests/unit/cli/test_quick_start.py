"""The archive that makes Kafka start quickly: told to Java when it is there, harmless if it does not fit."""

import subprocess
from pathlib import Path

from services.cli import broker, quick_start

NAME = "kafka-a1.aot"


def test_java_is_told_of_an_archive_only_when_it_is_there(tmp_path: Path) -> None:
    archive = tmp_path / NAME
    assert quick_start.using(archive) == ()
    archive.write_bytes(b"")
    assert f"-XX:AOTCache={archive}" in quick_start.using(archive)


def test_other_flags_or_jars_have_another_archive_beside_their_java(tmp_path: Path) -> None:
    java = tmp_path / "runtime" / "bin" / "java"
    archives = {
        quick_start.archive_of(tmp_path / jars, java, flags)
        for jars in ("kafka-1", "kafka-2")
        for flags in ((), ("-Xmx1g",))
    }
    assert len(archives) == 4
    assert {archive.parent for archive in archives} == {tmp_path / "runtime"}


def test_an_archive_that_java_cannot_use_is_passed_over(tmp_path: Path) -> None:
    archive = tmp_path / NAME
    archive.write_bytes(b"not an archive")
    java = [broker.find_java(), *quick_start.using(archive), "-version"]
    done = subprocess.run(java, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done
