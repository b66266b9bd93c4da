"""HTTP answers: JSON texts out, and every error as {"error": word, "detail": sentence}."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from schemas import codec
from schemas.errors import InvalidMessage, Unavailable
from services.runtime.keys import Denied

_WORDS = {
    400: "invalid",
    401: "key_needed",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "media_type",
    500: "failed",
    503: "unavailable",
}


class Refused(Exception):
    """A request that gets an error; `detail` is one sentence for the person who sent it."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def json(text: str, *, status: int = 200) -> Response:
    """A JSON text as it is. Figures are true for a moment, so nobody keeps them."""
    return Response(text, status, {"cache-control": "no-store"}, "application/json")


def error(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    body = codec.encode({"error": _WORDS.get(status, "invalid"), "detail": detail})
    return Response(body, status, {"cache-control": "no-store", **(headers or {})}, "application/json")


def denied(refusal: Denied) -> Response:
    """The error for who may not ask, with what kind of key would do."""
    challenge = refusal.challenge()
    return error(refusal.status, refusal.detail, {"www-authenticate": challenge} if challenge else None)


def install(app: FastAPI) -> None:
    """Makes every error of `app` a JSON error."""

    async def refused(_request: Request, reason: Exception) -> Response:
        assert isinstance(reason, Refused)
        return error(reason.status, reason.detail)

    async def http(_request: Request, reason: Exception) -> Response:
        assert isinstance(reason, HTTPException)
        return error(reason.status_code, str(reason.detail), dict(reason.headers or {}))

    async def invalid(_request: Request, reason: Exception) -> Response:
        assert isinstance(reason, RequestValidationError)
        faults = (
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in reason.errors()
        )
        return error(400, "; ".join(faults))

    async def message(_request: Request, reason: Exception) -> Response:
        assert isinstance(reason, InvalidMessage)
        return error(400, reason.detail)

    async def unavailable(_request: Request, reason: Exception) -> Response:
        assert isinstance(reason, Unavailable)
        return error(503, reason.detail, {"retry-after": str(max(1, round(reason.retry_after_s)))})

    async def failed(_request: Request, _reason: Exception) -> Response:
        return error(500, "the answer could not be made; the log of the api says why")

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(InvalidMessage, message)
    app.add_exception_handler(Unavailable, unavailable)
    app.add_exception_handler(Exception, failed)
