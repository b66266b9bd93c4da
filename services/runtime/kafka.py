"""Where Kafka is and as whom we speak with it: what every client of aiokafka is made with.

Files and the password are read when a client is made and kept nowhere, so that a new client knows
renewed ones.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from schemas.config import KafkaConfig
from schemas.errors import Misconfigured, Unavailable
from services.runtime import certificates, config_kafka
from services.runtime.secrets import NoSecret


class Cluster(Struct, frozen=True):
    """`bootstrap` is host:port (or several, with commas); `settings` say what else it asks for."""

    bootstrap: str
    settings: KafkaConfig = KafkaConfig()
    environment: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return self.bootstrap  # as it stands in logs: the environment holds secrets


Kafka = Cluster | str
"""A plain address is a Kafka that asks nothing."""


def cluster(settings: KafkaConfig, bootstrap: str, environment: Mapping[str, str]) -> Cluster:
    """The Kafka at `bootstrap`, which need not be that of the settings.

    Raises `Misconfigured` when the password would travel in clear.
    """
    if config_kafka.is_password_in_clear(settings, bootstrap):
        raise Misconfigured(f"--kafka {bootstrap}: {config_kafka.IN_CLEAR}")
    return Cluster(bootstrap, settings, environment)


def client(kafka: Kafka) -> dict[str, Any]:
    """The arguments that any client of aiokafka needs to get there.

    Raises `Unavailable` when a file or the password is not what it was at the start.
    """
    if isinstance(kafka, str):
        return {"bootstrap_servers": kafka}
    settings = kafka.settings
    options: dict[str, Any] = {"bootstrap_servers": kafka.bootstrap}
    options["security_protocol"] = _protocol(settings)
    try:
        if settings.tls_in_force:
            options["ssl_context"] = certificates.create_context(settings)
        if settings.user:
            options["sasl_mechanism"] = settings.mechanism
            options["sasl_plain_username"] = settings.user
            options["sasl_plain_password"] = config_kafka.read_password(settings, kafka.environment)
    except (OSError, NoSecret) as error:
        faults = [
            f"{name}: {said}" for name, said in config_kafka.faults_of_machine(settings, kafka.environment)
        ]
        raise Unavailable(f"[kafka] {'; '.join(faults) or error}") from error
    return options


def _protocol(settings: KafkaConfig) -> str:
    if settings.user:
        return "SASL_SSL" if settings.tls_in_force else "SASL_PLAINTEXT"
    return "SSL" if settings.tls_in_force else "PLAINTEXT"
