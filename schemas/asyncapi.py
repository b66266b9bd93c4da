"""The topics as parts of an AsyncAPI 3.0 document: channels, who writes and reads them, messages.

Everything here follows from `topics.py` and the structs it names; whatever is added there appears here.
"""

import importlib
import re
import typing
from typing import Any

import msgspec
from msgspec import Struct

from schemas.topics import TOPICS, Topic

PREFIX = "log."
"""Before the names of schemas: a row in the log has fields that the api keeps to itself."""

Parts = dict[str, Any]


def servers() -> Parts:
    return {
        "log": {
            "host": "127.0.0.1:9092",
            "protocol": "kafka",
            "description": "`[kafka] bootstrap`, or the embedded Kafka, whose address is in the data folder.",
        }
    }


def channels() -> Parts:
    """One for each topic, named as it is."""
    return {topic.name: _channel(topic) for topic in TOPICS}


def operations() -> Parts:
    """Writing and reading of each topic; tags name the services that do it."""
    found = {}
    for topic in TOPICS:
        for verb, action, services in (
            ("write", "send", topic.writers),
            ("read", "receive", topic.readers),
        ):
            found[f"{topic.name}.{verb}"] = {
                "action": action,
                "channel": {"$ref": _pointer(topic)},
                "tags": [{"name": name} for name in services],
                "messages": [{"$ref": f"{_pointer(topic)}/messages/{name}"} for name in messages_of(topic)],
            }
    return found


def messages() -> Parts:
    """By the name of the topic and its own."""
    return {
        f"{topic.name}.{name}": {
            "name": name,
            "summary": _first_sentence(struct),
            "payload": {"$ref": f"#/components/schemas/{PREFIX}{struct.__name__}"},
            "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}}},
        }
        for topic in TOPICS
        for name, struct in messages_of(topic).items()
    }


def schemas() -> Parts:
    """The schemas of all messages, and those they name."""
    structs = [struct for topic in TOPICS for struct in messages_of(topic).values()]
    _, found = msgspec.json.schema_components(structs, ref_template=f"#/components/schemas/{PREFIX}{{name}}")
    return {f"{PREFIX}{name}": schema for name, schema in found.items()}


def messages_of(topic: Topic) -> dict[str, type[Struct]]:
    """The structs that `Topic.message` names, by name; none where they are one service's own."""
    path, _, names = topic.message.partition(" | ")
    module, _, first = path.rpartition(".")
    if not module.startswith("schemas."):
        return {}
    found: dict[str, type[Struct]] = {}
    for name in (first, *(names.split(" | ") if names else ())):
        named = getattr(importlib.import_module(module), name)
        for struct in typing.get_args(named) or (named,):
            found[str(struct.__struct_config__.tag or _words(struct.__name__))] = struct
    return found


def _channel(topic: Topic) -> Parts:
    names = messages_of(topic)
    private = {} if names else {"description": f"Its records are the {topic.writers[0]}'s own matter."}
    return {
        "address": topic.name,
        "servers": [{"$ref": "#/servers/log"}],
        **private,
        "messages": {name: {"$ref": f"#/components/messages/{topic.name}.{name}"} for name in names},
        "bindings": {"kafka": {"topic": topic.name, "topicConfiguration": _configuration(topic)}},
    }


def _configuration(topic: Topic) -> Parts:
    values: Parts = {name: int(text) if text.isdigit() else text for name, text in topic.settings.items()}
    return values | {"cleanup.policy": topic.settings["cleanup.policy"].split(",")}


def _pointer(topic: Topic) -> str:
    return f"#/channels/{topic.name}"


def _words(name: str) -> str:
    """`queue_row` of `QueueRow`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _first_sentence(struct: type[Struct]) -> str:
    text = " ".join((struct.__doc__ or "").split())
    return text.partition(". ")[0].rstrip(".") + "."
