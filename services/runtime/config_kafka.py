"""What `[kafka]` may have wrong: half a login, TLS for a Kafka that has none, a password in clear, files.

Each fault is the setting (nothing: the table) and what is wrong there. No fault holds a secret.
"""

from collections.abc import Iterator, Mapping

from schemas.config import KafkaConfig
from services.runtime import certificates, secrets
from services.runtime.listening import is_loopback, split_address
from services.runtime.secrets import NoSecret

_OF_TLS = ("ca_file", "cert_file", "key_file")
_OF_LOGIN = ("user", "password_env", "password_file")


def faults_of(kafka: KafkaConfig) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every fault that the values themselves show."""
    for address in () if kafka.bootstrap is None else kafka.bootstrap.split(","):
        if split_address(address) is None:
            yield ("bootstrap",), f'"{address.strip()}" is not host:port'
    given = [name for name in ("tls", *_OF_TLS, *_OF_LOGIN) if getattr(kafka, name)]
    if given and kafka.bootstrap is None:
        yield (given[0],), "bootstrap is missing: the embedded Kafka has neither TLS nor users"
    if kafka.tls is False:
        for name in _OF_TLS:
            if getattr(kafka, name):
                yield (name,), "is of no use with tls = false"
    if kafka.key_file and not kafka.cert_file:
        yield ("key_file",), "cert_file is missing: the certificate whose key it is"
    yield from _login(kafka)


def _login(kafka: KafkaConfig) -> Iterator[tuple[tuple[str, ...], str]]:
    if kafka.user and not (kafka.password_env or kafka.password_file):
        yield (), "password_env or password_file is missing: where the password of user is found"
    if (kafka.password_env or kafka.password_file) and not kafka.user:
        yield (), "user is missing: whose password it is"
    if kafka.password_env and kafka.password_file:
        yield ("password_file",), "password_env is given too; one of them is enough"
    if kafka.bootstrap is not None and is_password_in_clear(kafka, kafka.bootstrap):
        yield ("tls",), IN_CLEAR


IN_CLEAR = "the password would travel in clear: without TLS a login goes to this machine only (127.0.0.1)"


def is_password_in_clear(kafka: KafkaConfig, bootstrap: str) -> bool:
    """Whether others on the way to these addresses could read the password, or try to find it out."""
    return bool(kafka.user) and not kafka.tls_in_force and not all(map(is_loopback, bootstrap.split(",")))


def faults_of_machine(kafka: KafkaConfig, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What the settings name and this machine does not have, or has otherwise."""
    yield from certificates.faults_of(kafka)
    try:
        read_password(kafka, environment)
    except NoSecret as error:
        yield error.field, error.detail


def read_password(kafka: KafkaConfig, environment: Mapping[str, str]) -> str:
    """The password, or "" where none is named. Raises `NoSecret`."""
    return secrets.read_named("password", environment, variable=kafka.password_env, file=kafka.password_file)
