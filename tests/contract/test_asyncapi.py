"""`/asyncapi.yaml`: AsyncAPI 3.0 by its own schema, the same as the file, and true of what travels."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped] # its stubs are not in the lock
import pytest

from schemas.topics import EVENTS, STATE, TOPICS
from services.api import asyncapi
from tests.contract.test_schemas import EXAMPLES

SPECIFICATION = Path(__file__).parents[2] / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"
"""Of an npm package (package-lock.json); `make test` fetches it."""
CONTRACT = asyncapi.document()
MESSAGES: dict[str, Any] = CONTRACT["components"]["messages"]


@pytest.fixture(scope="module")
def specification() -> Any:
    """What checks a document against the schema of AsyncAPI 3.0.0."""
    return jsonschema.Draft7Validator(json.loads(SPECIFICATION.read_bytes()))


def test_the_document_is_asyncapi_3(specification: Any) -> None:
    assert CONTRACT["asyncapi"] == "3.0.0"
    assert [error.message for error in specification.iter_errors(CONTRACT)] == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("info"),
        lambda d: d["channels"]["live"].update(adress="/api/v1/live"),
        lambda d: d["operations"]["look"].update(action="publish"),
        lambda d: d["servers"]["log"].pop("protocol"),
        lambda d: d["channels"]["vigie.alerts"]["bindings"]["kafka"].update(retention=1),
        lambda d: d["components"]["messages"]["alert"].update(body={}),
    ],
)
def test_the_specification_sees_what_is_wrong(specification: Any, spoil: Callable[[Any], Any]) -> None:
    document = copy.deepcopy(CONTRACT)
    spoil(document)
    assert not specification.is_valid(document)


def test_the_file_is_what_is_generated() -> None:
    assert asyncapi.FILE.read_text("utf-8") == asyncapi.text(), "run: python -m services.api.asyncapi"


def test_every_reference_leads_somewhere() -> None:
    references = set(_references(CONTRACT))

    assert len(references) > 50
    assert [pointer for pointer in references if _found(pointer) is None] == []


def test_operations_speak_the_messages_of_their_channel_and_each_is_spoken() -> None:
    spoken = set[str]()
    for operation in CONTRACT["operations"].values():
        channel = operation["channel"]["$ref"]
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{channel}/messages/")
            spoken.add(_found(message["$ref"])["$ref"].rpartition("/")[2])
    assert spoken == set(MESSAGES)


def test_every_topic_is_a_channel_with_who_writes_and_reads_it() -> None:
    for topic in TOPICS:
        channel = CONTRACT["channels"][topic.name]
        assert channel["address"] == channel["bindings"]["kafka"]["topic"] == topic.name
        for verb, action, services in (("write", "send", topic.writers), ("read", "receive", topic.readers)):
            operation = CONTRACT["operations"][f"{topic.name}.{verb}"]
            assert operation["action"] == action
            assert [tag["name"] for tag in operation["tags"]] == list(services)
    assert set(CONTRACT["channels"]) == {"live", *(topic.name for topic in TOPICS)}


def test_a_topic_whose_messages_are_ours_to_tell_tells_them() -> None:
    silent = {topic.name for topic in TOPICS if not CONTRACT["channels"][topic.name]["messages"]}
    private = {topic.name for topic in TOPICS if not topic.message.startswith("schemas.")}

    assert silent == private
    assert STATE.name in private
    assert len(CONTRACT["channels"][EVENTS.name]["messages"]) > 20


def test_the_socket_has_every_kind_of_frame() -> None:
    assert set(CONTRACT["channels"]["live"]["messages"]) == {
        *("snapshot", "update", "alert", "heartbeat"),
        "resume",
    }


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.json")), ids=lambda path: path.stem)
def test_every_example_is_a_message_of_a_topic(path: Path) -> None:
    (payload,) = [
        message["payload"]
        for name, message in MESSAGES.items()
        if name.startswith("vigie.") and message["name"] == path.stem
    ]
    jsonschema.validate(
        json.loads(path.read_text("utf-8")), {**payload, "components": CONTRACT["components"]}
    )


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref" and isinstance(inner, str):
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _found(pointer: str) -> Any:
    """What a reference points to; None for nothing."""
    value: Any = CONTRACT
    for step in pointer.removeprefix("#/").split("/"):
        if not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    return value
