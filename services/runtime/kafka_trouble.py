"""Why Kafka cannot be used, in one sentence: aiokafka says only that there is no connection."""

import asyncio
import ssl

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from schemas.config import KafkaConfig
from schemas.errors import Unavailable
from services.runtime.kafka import Cluster, Kafka, client

_PROBE_S = 5.0
_FORBIDDEN = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)


async def reason(kafka: Kafka, error: BaseException) -> str:
    """What Kafka did to a client that failed: "refuses the login of vigie …".

    Of a connection aiokafka says only that there is none: one more is tried, to see what it fails at.
    """
    if isinstance(error, Unavailable):
        return error.detail
    if isinstance(error, _FORBIDDEN):
        return f"does not allow us that ({error})"
    if isinstance(error, KafkaConnectionError):
        try:
            return await _refusal(kafka) or f"does not answer ({error})"
        except Unavailable as unavailable:
            return unavailable.detail
    if isinstance(error, OSError | TimeoutError):
        return f"does not answer ({str(error) or type(error).__name__})"
    return f"fails: {error}"


async def _refusal(kafka: Kafka) -> str | None:
    """What the first address that can be reached has against us; None when there is nothing to say."""
    options = client(kafka)
    for host, port, _ in collect_hosts(options.pop("bootstrap_servers"), randomize=False):
        try:
            async with asyncio.timeout(_PROBE_S):
                connection = await create_conn(host, port, **options)
                try:
                    await connection.send(MetadataRequest([]))
                finally:
                    connection.close()
        except (KafkaError, OSError, TimeoutError) as error:
            said = _in_words(error, kafka)
            if said is not None:
                return said
    return None


def _in_words(error: BaseException, kafka: Kafka) -> str | None:
    settings = kafka.settings if isinstance(kafka, Cluster) else KafkaConfig()
    cause = error.__cause__ or error
    if isinstance(cause, SaslAuthenticationFailed):
        return f"refuses the login of {settings.user} (wrong user or password, {settings.mechanism})"
    if isinstance(cause, UnsupportedSaslMechanismError):
        return f"does not take logins by {settings.mechanism}"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"shows a certificate that we do not trust ({cause.verify_message})"
    if isinstance(cause, ssl.SSLError):
        return _of_tls(cause.reason or "TLS failed", settings)
    if isinstance(cause, EOFError):
        return _of_hanging_up(settings)
    if isinstance(cause, ConnectionResetError | ConnectionAbortedError) and settings.tls_in_force:
        return "hangs up: does it speak TLS on this port?"
    return None


def _of_tls(said: str, settings: KafkaConfig) -> str:
    if "PROTOCOL" in said:
        return f"speaks other versions of TLS than we do ({said})"
    if "ALERT" not in said:
        return f"does not speak TLS there ({said})"
    whose = f"the certificate of {settings.cert_file}" if settings.cert_file else "us without a certificate"
    return f"refuses {whose} ({said})"


def _of_hanging_up(settings: KafkaConfig) -> str:
    if not settings.tls_in_force:
        return "hangs up: does it ask for TLS ([kafka] tls)?"
    wants = "another login" if settings.user else "a login ([kafka] user) or a certificate (cert_file)"
    return f"hangs up: does it ask for {wants}?"
