"""Genesys Cloud's REST API: a token, and requests with it. What it refuses becomes a sentence that says why.

https://developer.genesys.cloud/authorization/platform-auth/use-client-credentials
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

from schemas.config import SourceConfig
from services.ingest.adapters.genesys_cloud.pace import Pace
from services.ingest.fields import Object, table, text
from services.ingest.line import LoginRefused, Lost

REGION = "mypurecloud.com"
"""Where an organisation is when nothing else is said: US East."""

MAX_BYTES = 32 * 1024 * 1024
MAX_PAGES = 200
PAGE = 100
TRIES = 5
DEFAULT_WAIT_S = 3.0
DEFAULT_TOKEN_S = 3600.0
_PERMISSION = re.compile(r"\b[a-zA-Z]+:[a-zA-Z*]+:[a-zA-Z*]+\b")


class TooMuch(Exception):
    """The request asks for more than is allowed (400)."""


class Api:
    """`permission` of a request: what the client needs for it, for whoever must give it."""

    def __init__(self, http: aiohttp.ClientSession, source: SourceConfig, secret: str, pace: Pace) -> None:
        region = source.region or REGION
        self._http = http
        self._base = (source.url or f"https://api.{region}").rstrip("/")
        self._login = (source.login_url or source.url or f"https://login.{region}").rstrip("/")
        self._user = source.user or ""
        self._secret = secret
        self._pace = pace
        self._token = ""
        self._until_s = 0.0
        self._margin_s = 0.0

    @property
    def token_left_s(self) -> float:
        """How long the token in use is still good."""
        return self._until_s - time.monotonic()

    async def renew(self) -> None:
        """Another token. Raises `LoginRefused` when there is none for these credentials."""
        auth = aiohttp.encode_basic_auth(self._user, self._secret)
        status, _, body = await self._send(
            "POST",
            f"{self._login}/oauth/token",
            headers={"authorization": auth},
            data={"grant_type": "client_credentials"},
        )
        told = table(body)
        token = text(told.get("access_token"))
        if status in (400, 401, 403):
            said = text(told.get("error")) or f"status {status}"
            raise LoginRefused(
                f"Genesys Cloud refuses the OAuth client ({said}): compare user (client id) and secret with "
                "Admin > Integrations > OAuth (grant type Client Credentials), and region with where the "
                "organisation is"
            )
        if status != 200 or token is None:
            raise Lost(f"{self._login} gives no token: status {status}")
        lasts_s = told.get("expires_in")
        self._token = token
        good_s = float(lasts_s) if isinstance(lasts_s, int | float) else DEFAULT_TOKEN_S
        self._until_s, self._margin_s = time.monotonic() + good_s, min(60.0, good_s / 10)

    async def get(self, path: str, *, permission: str, params: Mapping[str, str] | None = None) -> Object:
        return await self._ask("GET", path, permission=permission, params=params)

    async def post(self, path: str, body: object, *, permission: str = "") -> Object:
        return await self._ask("POST", path, permission=permission, body=body)

    async def put(
        self, path: str, body: object, *, permission: str = "", params: Mapping[str, str] | None = None
    ) -> Object:
        """Raises `TooMuch` too."""
        return await self._ask("PUT", path, permission=permission, body=body, params=params)

    async def pages(
        self, path: str, *, permission: str, params: Mapping[str, str] | None = None
    ) -> AsyncIterator[Object]:
        """The entities of all pages, as far as `MAX_PAGES`."""
        for number in range(1, MAX_PAGES + 1):
            asked = {**(params or {}), "pageSize": str(PAGE), "pageNumber": str(number)}
            page = await self.get(path, permission=permission, params=asked)
            entities = page.get("entities")
            found = (
                [each for each in entities if isinstance(each, dict)] if isinstance(entities, list) else []
            )
            for each in found:
                yield each
            count = page.get("pageCount")
            is_last = isinstance(count, int) and number >= count
            if is_last or (len(found) < PAGE and not isinstance(count, int)):
                return

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        permission: str,
        body: object = None,
        params: Mapping[str, str] | None = None,
    ) -> Object:
        """The answer. Raises `Lost`, `LoginRefused`, `TooMuch`."""
        is_renewed = False
        if self.token_left_s <= self._margin_s:
            await self.renew()
        for attempt in range(TRIES):
            token = self._token
            status, headers, answer = await self._send(
                method,
                self._base + path,
                headers={"authorization": f"Bearer {token}"},
                params=params,
                **({"json": body} if body is not None else {}),
            )
            if status < 300:
                return table(answer)
            if status == 401 and not is_renewed:
                is_renewed = True
                if token == self._token:
                    await self.renew()
                continue
            if status == 429:
                await asyncio.sleep(self._wait_s(headers, attempt))
                continue
            raise self._refused(method, path, status, answer, permission)
        raise Lost("Genesys Cloud asks us to slow down (429), again and again: are others using its client?")

    def _wait_s(self, headers: Mapping[str, str], attempt: int) -> float:
        try:
            asked_s = float(headers.get("retry-after", ""))
        except ValueError:
            asked_s = DEFAULT_WAIT_S * 2**attempt
        return min(max(asked_s, 0.0), self._pace.most_wait_s) if asked_s == asked_s else DEFAULT_WAIT_S

    def _refused(self, method: str, path: str, status: int, answer: object, permission: str) -> Exception:
        if status == 401:
            return LoginRefused(
                "Genesys Cloud refuses a token that it gave (401): is the OAuth client disabled?"
            )
        if status == 403:
            return LoginRefused(
                missing([*permissions_in(text(table(answer).get("message")))] or [permission])
            )
        if status == 400 and method == "PUT":
            return TooMuch(f"{method} {path}: 400")
        return Lost(f"{method} {path.split('?')[0]}: Genesys Cloud answers {status}")

    async def _send(self, method: str, url: str, **request: Any) -> tuple[int, Mapping[str, str], object]:
        """Status, headers, decoded body (None where it is no JSON). Raises `Lost`."""
        host = url.split("/")[2]
        try:
            async with asyncio.timeout(self._pace.answer_s):
                async with self._http.request(method, url, allow_redirects=False, **request) as answer:
                    content = await answer.content.read(MAX_BYTES)
                    while not answer.content.at_eof():
                        if len(content) >= MAX_BYTES:
                            raise Lost(f"{host}: an answer is larger than {MAX_BYTES >> 20} MiB")
                        content += await answer.content.read(MAX_BYTES)
                    return answer.status, answer.headers, _decoded(content)
        except TimeoutError as error:
            raise Lost(f"{host} does not answer within {self._pace.answer_s:g} s") from error
        except aiohttp.ClientError as error:
            raise Lost(f"{host} cannot be reached ({type(error).__name__}): is region right?") from error


def missing(permissions: list[str]) -> str:
    named = ", ".join(sorted({each for each in permissions if each})) or "a permission"
    return (
        f"the OAuth client lacks {named}: give it a role that has it "
        "(Admin > Integrations > OAuth > the client > Roles, with the divisions of the queues)"
    )


def permissions_in(said: str | None) -> list[str]:
    return _PERMISSION.findall(said or "")[:20]


def _decoded(content: bytes) -> object:
    try:
        found: object = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found
