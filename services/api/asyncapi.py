"""The contract of the socket, as an AsyncAPI 3.0 document. What each frame means: SEMANTICS.md §9."""

from importlib.metadata import version
from typing import Any

from services.api.openapi import components, list_of, object_of, ref

_SOCKET = "#/channels/live"


def document() -> dict[str, Any]:
    """The whole document; its schemas are those of `/openapi.json`, and one for each kind of frame."""
    frames, requests = _frames(), _requests()
    names = [*frames, *requests]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Vigie, live",
            "version": version("vigie"),
            "description": "The board, whole first, then as it changes. `prev` of a frame is the `seq` of "
            "the one before; who holds another `prev` or `epoch` asks again. Close codes: 1001 going away, "
            "1003 bytes instead of text, 1008 not allowed, 1012 restart, 4008 too slow.",
        },
        "channels": {
            "live": {
                "address": "/api/v1/live",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
                "bindings": {"ws": {"query": _query()}},
            }
        },
        "operations": {
            "look": {"action": "send", "channel": {"$ref": _SOCKET}, "messages": _named(frames)},
            "ask": {"action": "receive", "channel": {"$ref": _SOCKET}, "messages": _named(requests)},
        },
        "components": {
            "messages": {name: {"payload": payload} for name, payload in {**frames, **requests}.items()},
            "schemas": components(),
        },
    }


def _frames() -> dict[str, Any]:
    """What the server sends."""
    removed = object_of({"site": {"type": "string"}, "queue": {"type": "string"}})
    as_of = {"as_of_ms": {"type": "integer"}}
    rows = {"sites": list_of("SiteRow")}
    return {
        "snapshot": _frame(
            "snapshot", {**as_of, **rows, "alerts": list_of("Alert")}, {"recovered": {"const": False}}
        ),
        "update": _frame(
            "update",
            {**as_of, "queues": list_of("QueueRow"), **rows, "removed": {"type": "array", "items": removed}},
        ),
        "alert": _frame("alert", {"alert": ref("Alert")}),
        "heartbeat": _frame("heartbeat", as_of),
    }


def _requests() -> dict[str, Any]:
    """What a client may say."""
    held = {"epoch": {"type": "string"}, "seq": {"type": "integer"}}
    return {"resume": object_of({"type": {"const": "resume"}}, held)}


def _frame(kind: str, fields: dict[str, Any], others: dict[str, Any] | None = None) -> dict[str, Any]:
    chain = {"epoch": {"type": "string"}, "seq": {"type": "integer"}, "prev": {"type": ["integer", "null"]}}
    return object_of({"type": {"const": kind}, **chain, **fields}, others)


def _query() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "site": {"type": "string", "description": "One site only."},
            "queues": {"type": "string", "description": "These queues only, with commas between them."},
        },
    }


def _named(messages: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"$ref": f"{_SOCKET}/messages/{name}"} for name in messages]
