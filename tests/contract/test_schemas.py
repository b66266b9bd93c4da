"""The contracts between processes: generated JSON Schemas, examples, and readers older than writers."""

import json
import typing
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped] # its stubs are not in the lock
import msgspec
import pytest

from schemas import codec, generate
from schemas.board import AgentRow, Alert, DeadLetter, QueueRow, SiteRow
from schemas.deliveries import Delivery
from schemas.events import AnyEvent
from schemas.sources import SourceStatus

EXAMPLES = Path(generate.__file__).parent / "examples"
EVENTS = {struct.__struct_config__.tag: struct for struct in typing.get_args(AnyEvent)}
BOARD: dict[str, Any] = {
    "queue_row": QueueRow,
    "agent_row": AgentRow,
    "site_row": SiteRow,
    "alert": Alert,
    "delivery": Delivery,
    "dead_letter": DeadLetter,
    "source_status": SourceStatus,
}
ALL = [("event", EXAMPLES / "events" / f"{name}.json", AnyEvent) for name in EVENTS]
ALL += [(name, EXAMPLES / "board" / f"{name}.json", struct) for name, struct in BOARD.items()]
each_example = pytest.mark.parametrize(
    ("schema", "path", "message"), ALL, ids=[path.stem for _, path, _ in ALL]
)


def test_generated_schemas_are_those_of_the_structs() -> None:
    written = {path.name: path.read_text("utf-8") for path in generate.FOLDER.glob("*.json")}
    assert written == generate.schemas(), "run: python -m schemas.generate"


def test_there_is_an_example_of_every_message_and_no_other() -> None:
    assert {path for _, path, _ in ALL} == set(EXAMPLES.rglob("*.json"))


@each_example
def test_example_is_what_its_schema_says(schema: str, path: Path, message: Any) -> None:
    document = json.loads((generate.FOLDER / f"{schema}.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(document).validate(json.loads(path.read_text("utf-8")))


@each_example
def test_example_is_decoded_and_written_again_alike(schema: str, path: Path, message: Any) -> None:
    value = msgspec.json.decode(path.read_bytes(), type=message)
    assert msgspec.json.decode(codec.encode(value), type=message) == value
    if schema == "event":
        assert type(value) is EVENTS[path.stem]


@each_example
def test_example_leaves_no_field_of_its_file_unread(schema: str, path: Path, message: Any) -> None:
    posted = json.loads(path.read_text("utf-8"))
    value = msgspec.json.decode(path.read_bytes(), type=message)
    assert set(posted) <= {*value.__struct_fields__, "type"}


@each_example
def test_old_reader_reads_a_message_with_new_fields(schema: str, path: Path, message: Any) -> None:
    old = msgspec.json.decode(path.read_bytes(), type=message)
    newer = {**json.loads(path.read_text("utf-8")), "a_later_field": {"of": ["any", "shape", None]}}
    assert msgspec.json.decode(json.dumps(newer).encode(), type=message) == old


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_new_reader_reads_an_event_without_its_optional_fields(name: str) -> None:
    struct = EVENTS[name]
    posted = json.loads((EXAMPLES / "events" / f"{name}.json").read_text("utf-8"))
    required = {field.name for field in msgspec.structs.fields(struct) if field.required}
    bare = {key: value for key, value in posted.items() if key in required or key == "type"}
    assert type(codec.decode_event(json.dumps(bare).encode())) is struct
