"""The board as one writes it first: a list of sockets, and each second `send_json` to one after the other.

`python -m benchmarks.contestants.plain_fastapi PORT FILE`: FILE holds a frame as Vigie's own, with rows.
Compression is off, as with ours.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect


def create_app(frame: dict[str, Any]) -> FastAPI:
    """`frame` is sent each second with the instant of that second, first as a snapshot."""
    connections: list[WebSocket] = []

    async def tell() -> None:
        while True:
            await asyncio.sleep(1)
            now_ms = time.time_ns() // 1_000_000
            frame["as_of_ms"] = now_ms
            for row in frame["queues"]:
                row["as_of_ms"] = now_ms
            for socket in connections.copy():
                with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # its reader takes it out
                    await socket.send_json(frame)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        telling = asyncio.create_task(tell())
        yield
        telling.cancel()

    app = FastAPI(lifespan=lifespan)

    @app.get("/health/ready")
    async def ready() -> None:
        """It is there."""

    @app.websocket("/live")
    async def live(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_json({**frame, "type": "snapshot"})
        connections.append(socket)
        try:
            while True:
                await socket.receive_text()
        except WebSocketDisconnect:
            connections.remove(socket)

    return app


if __name__ == "__main__":
    uvicorn.run(
        create_app(json.loads(Path(sys.argv[2]).read_text("utf-8"))),
        port=int(sys.argv[1]),
        log_level="warning",
        access_log=False,
        ws_per_message_deflate=False,
    )
