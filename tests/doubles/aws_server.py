"""Amazon's SQS and Kinesis over HTTP: moto, which speaks their real protocol, and in front of it a relay
that does what moto does not: ends closed shards as Amazon does, refuses, throttles, cuts connections.
"""

import contextlib
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
from aiobotocore.session import get_session
from aiohttp import web
from moto.server import ThreadedMotoServer

REGION = "eu-west-3"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIATESTS",
    "AWS_SECRET_ACCESS_KEY": "the-secret-of-the-tests",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
}


class Aws:
    """`refusing`: code by operation, so many times. `asked`: operations that came. `is_cut`: no answer."""

    def __init__(self, upstream: str) -> None:
        self.url = ""
        self.refusing: dict[str, list[str]] = {}
        self.asked: Counter[str] = Counter()
        self.is_cut = False
        self._upstream = upstream
        self._shard_of: dict[str, str] = {}

    async def relay(self, request: web.Request) -> web.StreamResponse:
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        self.asked[operation] += 1
        if self.is_cut and request.transport is not None:
            request.transport.abort()
            return web.Response()
        if self.refusing.get(operation):
            return _refusal(self.refusing[operation].pop(0))
        content = await request.read()
        status, headers, answer = await self._pass_on(request.path_qs, request.headers, content)
        if status == 200 and operation in ("GetShardIterator", "GetRecords"):
            asked, told = json.loads(content), json.loads(answer)
            answer = await self._as_amazon(operation, asked, told, request.headers)
        return web.Response(status=status, body=answer, headers=headers)

    async def _pass_on(self, path: str, headers: Any, content: bytes) -> tuple[int, dict[str, str], bytes]:
        kept = {
            name: value for name, value in headers.items() if name.lower() not in ("host", "content-length")
        }
        async with (
            aiohttp.ClientSession() as client,
            client.post(self._upstream + path, data=content, headers=kept) as answer,
        ):
            shown = {
                name: value
                for name, value in answer.headers.items()
                if name.lower().startswith(("content-type", "x-amzn"))
            }
            return answer.status, shown, await answer.read()

    async def _as_amazon(self, operation: str, asked: Any, answer: Any, headers: Any) -> bytes:
        """moto gives an iterator for ever; Amazon none once a closed shard has been read."""
        if operation == "GetShardIterator":
            self._shard_of[answer["ShardIterator"]] = f"{asked['StreamName']}/{asked['ShardId']}"
            return json.dumps(answer).encode()
        place = self._shard_of[asked["ShardIterator"]]
        stream, _, shard = place.partition("/")
        self._shard_of[answer["NextShardIterator"]] = place
        if not answer["Records"] and await self._is_closed(stream, shard, headers):
            del answer["NextShardIterator"]
        return json.dumps(answer).encode()

    async def _is_closed(self, stream: str, shard: str, headers: Any) -> bool:
        told = dict(headers) | {"X-Amz-Target": "Kinesis_20131202.ListShards"}
        _, _, answer = await self._pass_on("/", told, json.dumps({"StreamName": stream}).encode())
        of_it = [each for each in json.loads(answer)["Shards"] if each["ShardId"] == shard]
        return any("EndingSequenceNumber" in each["SequenceNumberRange"] for each in of_it)


def _refusal(code: str) -> web.Response:
    return web.Response(
        status=400,
        headers={"x-amzn-errortype": code},
        content_type="application/x-amz-json-1.1",
        body=json.dumps({"__type": code, "message": "as the test wants it"}).encode(),
    )


@contextlib.contextmanager
def moto() -> Iterator[str]:
    """The address of moto, which is one for the whole process."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextlib.asynccontextmanager
async def serving(upstream: str) -> AsyncIterator[Aws]:
    """An Amazon that is empty, with the credentials of `ENVIRONMENT`."""
    aws = Aws(upstream)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", aws.relay)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    aws.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with aiohttp.ClientSession() as client, client.post(f"{upstream}/moto-api/reset"):
            pass
        yield aws
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def client_of(aws: Aws, service: str) -> AsyncIterator[Any]:
    """Who puts things there."""
    async with get_session().create_client(service, region_name=REGION, endpoint_url=aws.url) as client:
        yield client
