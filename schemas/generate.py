"""Writes the JSON Schemas of our messages: `python -m schemas.generate`.

The structs are the source; `schemas/generated/` is for people and other languages, and never edited
by hand: a test compares it with what is generated here.
"""

import json
from pathlib import Path
from typing import Any

import msgspec

from schemas.board import AgentRow, Alert, DeadLetter, QueueRow, SiteRow
from schemas.config import Config
from schemas.deliveries import Delivery
from schemas.events import AnyEvent
from schemas.sources import SourceStatus

FOLDER = Path(__file__).parent / "generated"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

MESSAGES: dict[str, Any] = {
    "event": AnyEvent,
    "queue_row": QueueRow,
    "agent_row": AgentRow,
    "site_row": SiteRow,
    "alert": Alert,
    "delivery": Delivery,
    "dead_letter": DeadLetter,
    "source_status": SourceStatus,
    "config": Config,
}
"""By file name."""


def schemas() -> dict[str, str]:
    """The text of each file, by its name."""
    return {f"{name}.json": _text(message) for name, message in MESSAGES.items()}


def write(folder: Path) -> None:
    """`folder` holds these schemas and no other JSON file."""
    folder.mkdir(exist_ok=True)
    texts = schemas()
    for old in folder.glob("*.json"):
        if old.name not in texts:
            old.unlink()
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")


def _text(message: Any) -> str:
    schema = {"$schema": DIALECT, **msgspec.json.schema(message)}
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    write(FOLDER)
