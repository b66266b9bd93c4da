"""The contract of the REST answers, exported from the structs that travel (STYLE.md 7).

FastAPI takes no msgspec struct as a response model: routes answer encoded bytes and name one of
these schemas. What a row loses and gains on its way out is said here as `wire.py` does it.
"""

from typing import Any

import msgspec
from fastapi import FastAPI

from schemas.board import AgentRow, Alert, QueueRow, SiteRow
from schemas.config import FlapConfig, RuleConfig
from schemas.definitions import Definition, ServiceLevelFormula
from schemas.deliveries import Delivery
from schemas.sources import SourceView
from services.api.commands import Action, Snooze
from services.api.sign_in import COOKIE
from services.api.wire import LEFT_OUT

_JSON = "application/json"
_ERRORS = {
    400: "What was asked makes no sense; `detail` says what would.",
    401: "No key, or an unknown one, where [auth] asks for keys.",
    403: "The key is not for this, or not for that site; or the page comes from elsewhere.",
    404: "Nothing has this name.",
    409: "The alert, whose state does not allow it.",
    413: "The body is too large.",
    415: "The body is not said to be JSON.",
    503: "Something needed does not answer; `Retry-After` says when to ask again.",
}


KEY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE.decode()},
}
"""The two ways to show a key of `[auth]`; without `[auth]` none is asked for."""


class Error(msgspec.Struct):
    """What every error looks like."""

    error: str
    detail: str


class Health(msgspec.Struct):
    """`missing`: what the api still waits for, one sentence each."""

    status: str
    missing: list[str] = []


class Api(FastAPI):
    """FastAPI whose contract holds our schemas."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            contract = super().openapi()
            contract["components"] = {"schemas": components(), "securitySchemes": KEY_SCHEMES}
            for path, said in contract["paths"].items():
                for operation in said.values():
                    operation["responses"].pop("422", None)  # ours is 400, with `Error`
                    if not path.startswith("/health"):
                        _ask_for_key(operation)
            self.openapi_schema = contract
        return self.openapi_schema


def answers(schema: str, *others: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: 200 with `schema`, and what else it may answer."""
    found: dict[int | str, dict[str, Any]] = {
        200: {"description": "The answer.", "content": _content(schema)}
    }
    for status in others:
        if status == 202:
            found[202] = {"description": "On its way: the alert as it was.", "content": _content(schema)}
        else:
            name = schema if status == 409 or (status == 503 and schema == "Health") else "Error"
            found[status] = {"description": _ERRORS[status], "content": _content(name)}
    return found


def components() -> dict[str, Any]:
    """Every schema that the contract names."""
    structs = (QueueRow, SiteRow, AgentRow, Alert, Definition, ServiceLevelFormula, RuleConfig, FlapConfig)
    _, found = msgspec.json.schema_components(
        [*structs, Delivery, SourceView, Action, Snooze, Error, Health],
        ref_template="#/components/schemas/{name}",
    )
    for struct, names in LEFT_OUT.items():
        _leave_out(found[struct.__name__], names)
    site = found["SiteRow"]
    site["properties"]["queues"] = list_of("QueueRow")
    text, number = {"type": "string"}, {"type": "integer"}
    found["Board"] = object_of(
        {
            "type": {"const": "snapshot"},
            "epoch": text,
            "seq": number,
            "as_of_ms": number,
            "sites": list_of("SiteRow"),
            "alerts": list_of("Alert"),
        }
    )
    found["Agents"] = object_of({"agents": list_of("AgentRow")})
    found["Alerts"] = object_of({"alerts": list_of("Alert"), "next": {"type": ["string", "null"]}})
    found["AlertWithDeliveries"] = {
        "allOf": [ref("Alert"), object_of({"deliveries": list_of("Delivery")})],
    }
    found["Sources"] = object_of({"sources": list_of("SourceView")})
    found["Definitions"] = object_of(
        {"definitions": list_of("Definition"), "service_levels": list_of("ServiceLevelFormula")}
    )
    found["Rules"] = object_of({"rules": list_of("RuleConfig"), "flap": ref("FlapConfig")})
    return found


def _ask_for_key(operation: dict[str, Any]) -> None:
    operation["security"] = [{}, *({name: []} for name in KEY_SCHEMES)]
    for status in (401, 403):
        operation["responses"][str(status)] = {"description": _ERRORS[status], "content": _content("Error")}


def _leave_out(schema: dict[str, Any], names: frozenset[str]) -> None:
    for name in names:
        del schema["properties"][name]
    schema["required"] = [name for name in schema["required"] if name not in names]


def _content(schema: str) -> dict[str, Any]:
    return {_JSON: {"schema": ref(schema)}}


def ref(name: str) -> dict[str, Any]:
    """A schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(name: str) -> dict[str, Any]:
    return {"type": "array", "items": ref(name)}


def object_of(required: dict[str, Any], others: dict[str, Any] | None = None) -> dict[str, Any]:
    """A schema with fields that are always there, and `others` that may be."""
    return {"type": "object", "properties": {**required, **(others or {})}, "required": list(required)}
