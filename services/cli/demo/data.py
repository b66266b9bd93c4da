"""Whose a data folder is: a demo starts with an empty Kafka, and must never empty anybody else's.

A file in the folder says that the last system in it was a demo. Only then is its Kafka deleted.
"""

import shutil
from pathlib import Path

from schemas.errors import Misconfigured
from services.runtime.options import default_data

_MARK = "is-demo"


def own_folder() -> Path:
    """Where the demo keeps its data when no folder is named; nobody else's."""
    return default_data() / "demo"


def start_afresh(data: Path) -> None:
    """The folder holds no Kafka, and is marked as a demo's. The caller has its lock.

    Raises `Misconfigured` when the Kafka in it is not a demo's; nothing is deleted then.
    """
    kafka, mark = data / "kafka", data / _MARK
    if kafka.exists() and not mark.exists() and data != own_folder().resolve():
        raise Misconfigured(
            f"--data {data}: holds what `vigie up` has kept, which a demo would delete; name another folder"
        )
    mark.touch()
    shutil.rmtree(kafka, ignore_errors=True)


def keep(data: Path) -> None:
    """From now on the folder's Kafka is to be kept. The caller has its lock."""
    (data / _MARK).unlink(missing_ok=True)
