"""A real Kafka that asks who one is: TLS with a login (SCRAM), TLS with a certificate, and rights for each.

Its certificates: tests/data/kafka. Whoever is not `OPERATOR` may do what `allow` says and nothing else.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest

from schemas.config import KafkaConfig
from services.cli import broker, quick_start
from services.runtime.kafka import Cluster, client

FILES = Path(__file__).parents[1] / "data/kafka"
CA, KEY = str(FILES / "ca.pem"), str(FILES / "key.pem")
OPERATOR, PASSWORD = "operator", "correct-horse-battery"
"""May do everything, by login and by certificate."""

_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
_RESOURCES = {"topic": 2, "group": 3}
_OPERATIONS = {"Read": 3, "Write": 4, "Describe": 8}
_LITERAL, _ALLOW = 3, 3


def certificate(name: str) -> KafkaConfig:
    """The settings of who shows the certificate of this name."""
    return KafkaConfig(ca_file=CA, cert_file=str(FILES / f"{name}.pem"), key_file=KEY)


class GuardedKafka:
    """`login` and `mutual` are its addresses; `controller` is Kafka's own, in clear. Use it in `with`."""

    def __init__(self, folder: Path) -> None:
        ports = broker.free_ports(3)
        self.login, self.mutual, self.controller = (f"127.0.0.1:{port}" for port in ports)
        self._log = folder / "kafka.log"
        self._settings = folder / "server.properties"
        (folder / "kafka.pem").write_text(Path(KEY).read_text() + (FILES / "kafka.pem").read_text())
        own = broker.properties(folder, broker.Ports(0, 0)).splitlines()
        theirs = dict(line.split("=", 1) for line in own) | self._guards(folder)
        self._settings.write_text("".join(f"{name}={value}\n" for name, value in theirs.items()))
        self._run = broker.java_command(*quick_start.using(broker.quick_start_archive()))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "GuardedKafka":
        tool = ["kafka.tools.StorageTool", "format", "--standalone", "-t", "4L6g3nShT-eMCtK--X86sw"]
        scram = f"SCRAM-SHA-512=[name={OPERATOR},password={PASSWORD}]"
        told = [*self._run, *tool, "-c", str(self._settings), "--add-scram", scram]
        subprocess.run(told, check=True, capture_output=True, timeout=broker.READY_S)
        guard = Path(broker.__file__).with_name("guard.py")
        command = [
            sys.executable,
            str(guard),
            str(os.getpid()),
            *self._run,
            "kafka.Kafka",
            str(self._settings),
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
        operator = Cluster(self.mutual, certificate(OPERATOR))
        until_s = time.monotonic() + broker.READY_S
        while not asyncio.run(broker.answers(operator)):
            if self._process.poll() is not None or time.monotonic() > until_s:
                self.__exit__()
                raise AssertionError(self._log.read_text())
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(broker.READY_S)
            assert self._process.stdin is not None
            self._process.stdin.close()

    async def allow(self, user: str, acls: Iterable[Mapping[str, Any]]) -> None:
        """The user whose certificate has this name may do what Strimzi's `acls` say."""
        admin = AIOKafkaAdminClient(**client(Cluster(self.mutual, certificate(OPERATOR))))
        await admin.start()
        try:
            for acl in acls:
                place = acl["resource"]
                for operation in acl["operations"]:
                    answer = await admin._send_to_controller(
                        CreateAclsRequest(
                            _RESOURCES[place["type"]],
                            place["name"],
                            _LITERAL,
                            f"User:CN={user}",
                            "*",
                            _OPERATIONS[operation],
                            _ALLOW,
                        )
                    )
                    assert [code for code, _ in answer.creation_responses] == [0], answer
        finally:
            await admin.close()

    def _guards(self, folder: Path) -> dict[str, str]:
        """What makes an embedded Kafka's settings those of one that asks."""
        listeners = {"LOGIN": self.login, "MUTUAL": self.mutual, "CONTROLLER": self.controller}
        return {
            "controller.quorum.bootstrap.servers": self.controller,
            "listeners": ",".join(f"{name}://{address}" for name, address in listeners.items()),
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,LOGIN:SASL_SSL,MUTUAL:SSL",
            "inter.broker.listener.name": "MUTUAL",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.login.scram-sha-512.sasl.jaas.config": f"{_SCRAM} required;",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(folder / "kafka.pem"),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": CA,
            "listener.name.mutual.ssl.client.auth": "required",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            # the controller's listener asks nobody: it is Kafka alone that speaks there
            "super.users": f"User:ANONYMOUS;User:{OPERATOR};User:CN={OPERATOR};User:CN=kafka",
        }
