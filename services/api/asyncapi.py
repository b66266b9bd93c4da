"""What moves by itself, as an AsyncAPI 3.0 document: the socket, and the topics behind it.

What each frame means: SEMANTICS.md §9. `python -m services.api.asyncapi` writes the document for people
and other languages, beside the schemas; a test compares that file with what is generated here.
"""

import json
from importlib.metadata import version
from typing import Any

from schemas import asyncapi as log
from schemas.generate import FOLDER
from services.api.openapi import components, list_of, object_of, ref
from services.api.sign_in import COOKIE

FILE = FOLDER / "asyncapi.yaml"
_SOCKET = "#/channels/live"


def document() -> dict[str, Any]:
    """The whole document; its schemas are those of `/openapi.json`, and one for each kind of frame."""
    frames, requests = _frames(), _requests()
    own = {**frames, **requests}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Vigie, live",
            "version": version("vigie"),
            "description": "The board, whole first, then as it changes. `prev` of a frame is the `seq` of "
            "the one before; who holds another `prev` or `epoch`, or comes back, says `resume` with what it "
            "holds, and gets what it missed (an `update` with `recovered`: true, and the `alert` frames; of "
            "the last 60 s or 1,000 frames), else a `snapshot` with `recovered`: false. Close codes: "
            "1001 going away, 1003 bytes instead of text, 1008 not allowed, 1012 restart, 4008 too slow. "
            "Behind it the topics through which the services speak.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "api": {
                "host": "127.0.0.1:8080",
                "protocol": "ws",
                "description": "`[http] api`. A key is asked for where there is `[auth]`.",
                "security": [
                    {"$ref": "#/components/securitySchemes/bearer"},
                    {"$ref": "#/components/securitySchemes/cookie"},
                ],
            },
            **log.servers(),
        },
        "channels": {"live": _channel(list(own)), **log.channels()},
        "operations": {
            "look": {"action": "send", "channel": {"$ref": _SOCKET}, "messages": _named(frames)},
            "ask": {"action": "receive", "channel": {"$ref": _SOCKET}, "messages": _named(requests)},
            **log.operations(),
        },
        "components": {
            "messages": {**own, **log.messages()},
            "schemas": {**components(), **log.schemas()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "httpApiKey", "in": "cookie", "name": COOKIE.decode()},
            },
        },
    }


def text() -> str:
    """The file's content: JSON, which is YAML too."""
    return json.dumps(document(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _channel(names: list[str]) -> dict[str, Any]:
    return {
        "address": "/api/v1/live",
        "servers": [{"$ref": "#/servers/api"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"ws": {"method": "GET", "query": _query()}},
    }


def _frames() -> dict[str, Any]:
    """What the server sends."""
    removed = object_of({"site": {"type": "string"}, "queue": {"type": "string"}})
    as_of = {"as_of_ms": {"type": "integer"}}
    rows = {"sites": list_of("SiteRow")}
    return {
        "snapshot": _frame(
            "snapshot",
            "Everything: first of all, and where what was missed cannot be told (`recovered` false).",
            {**as_of, **rows, "alerts": list_of("Alert")},
            {"recovered": {"const": False}},
        ),
        "update": _frame(
            "update",
            "Whole rows that take the place of those before; `recovered`: it holds all that was missed.",
            {**as_of, "queues": list_of("QueueRow"), **rows, "removed": {"type": "array", "items": removed}},
            {"recovered": {"const": True}},
        ),
        "alert": _frame("alert", "An alert, as it is now.", {"alert": ref("Alert")}),
        "heartbeat": _frame("heartbeat", "Each second: the connection and the api's clock live.", as_of),
    }


def _requests() -> dict[str, Any]:
    """What a client may say."""
    held = {"epoch": {"type": "string"}, "seq": {"type": "integer"}}
    return {
        "resume": {
            "name": "resume",
            "summary": "Asks for what came after the frame it holds.",
            "payload": object_of({"type": {"const": "resume"}}, held),
        }
    }


def _frame(
    kind: str, summary: str, fields: dict[str, Any], others: dict[str, Any] | None = None
) -> dict[str, Any]:
    chain = {"epoch": {"type": "string"}, "seq": {"type": "integer"}, "prev": {"type": ["integer", "null"]}}
    payload = object_of({"type": {"const": kind}, **chain, **fields}, others)
    return {"name": kind, "summary": summary, "payload": payload}


def _query() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "site": {"type": "string", "description": "One site only."},
            "queues": {"type": "string", "description": "These queues only, with commas between them."},
            "resume": {
                "const": "1",
                "description": "The server waits a second for `resume` before it speaks.",
            },
        },
    }


def _named(messages: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"$ref": f"{_SOCKET}/messages/{name}"} for name in messages]


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
