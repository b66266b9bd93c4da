"""A real Prometheus with our own files, asking a running system."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from services.cli.broker import free_ports
from tests.end_to_end.running_system import until
from tests.prometheus import program

FILES = Path(__file__).parents[2] / "deploy/prometheus"


class RunningPrometheus:
    """Its API; answers that are not successes fail the test."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def ask(self, path: str, **parameters: str) -> Any:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://{self.address}/api/v1/{path}", params=parameters) as answer,
        ):
            said = json.loads(await answer.text())
            assert said["status"] == "success", (path, parameters, said)
            return said["data"]

    async def healths(self) -> dict[str, str]:
        """By job: up, down or unknown."""
        targets = (await self.ask("targets"))["activeTargets"]
        return {target["labels"]["job"]: target["health"] for target in targets}

    async def is_ready(self) -> bool:
        try:
            async with aiohttp.ClientSession() as http, http.get(f"http://{self.address}/-/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


@contextlib.asynccontextmanager
async def running_prometheus(folder: Path, addresses: dict[str, str]) -> AsyncIterator[RunningPrometheus]:
    """deploy/prometheus as it is, but for what is this machine's: addresses, key file, a quicker pace."""
    text = (FILES / "prometheus.yml").read_text("utf-8")
    for name, address in addresses.items():
        text = text.replace(f"{name}:{address_in_compose(text, name)}", address)
    text = text.replace("/run/secrets/metrics_key", str(folder / "key"))
    text = text.replace(": 5s", ": 1s").replace(": 4s", ": 1s")
    (folder / "prometheus.yml").write_text(text, "utf-8")
    (folder / "vigie.rules.yml").write_bytes((FILES / "vigie.rules.yml").read_bytes())
    (folder / "key").write_text("no service on loopback asks for it")
    (port,) = free_ports(1)
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    process = await asyncio.create_subprocess_exec(*command)
    try:
        prometheus = RunningPrometheus(f"127.0.0.1:{port}")
        await until(prometheus.is_ready, "Prometheus does not start")
        yield prometheus
    finally:
        process.terminate()
        await process.wait()


def address_in_compose(text: str, name: str) -> str:
    """The port of a service in the file."""
    return text.split(f'"{name}:', 1)[1].split('"', 1)[0]
