"""The certificate that one presents to Kafka and the authorities that one trusts, from the files of [kafka].

What is wrong with the files is told by setting and in words; nothing of a key is ever told.
"""

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path

from schemas.config import KafkaConfig

_CERTIFICATE = "-----BEGIN CERTIFICATE-----"
_KEY = "PRIVATE KEY-----"
_DO_NOT_FIT = {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"}
"""OpenSSL's words for another key; the last one for a key of another kind."""


class _Parting(ssl.SSLObject):
    """Says good-bye and does not wait for the answer.

    Kafka gives none when the good-bye reaches it together with a request, as it may whenever a
    consumer is stopped; the event loop would wait 30 s for it.
    """

    def unwrap(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            super().unwrap()


def create_context(settings: KafkaConfig) -> ssl.SSLContext:
    """A context with the files as they are now. Raises `OSError` (`ssl.SSLError` is one): see `faults_of`."""
    context = ssl.create_default_context(cafile=settings.ca_file)
    # Python 3.13 sets it, and would refuse authorities that Java's keytool made
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.sslobject_class = _Parting
    if settings.cert_file:
        # without a password given, Python would ask the terminal for that of an encrypted key
        context.load_cert_chain(settings.cert_file, settings.key_file, password="")
    return context


def faults_of(settings: KafkaConfig) -> Iterator[tuple[str, str]]:
    """Settings whose files cannot be used, each with the reason; none means that a context can be made."""
    texts = {}
    for field, wanted, what in (
        ("ca_file", _CERTIFICATE, "certificate"),
        ("cert_file", _CERTIFICATE, "certificate"),
        ("key_file" if settings.key_file else "cert_file", _KEY, "key"),
    ):
        file = getattr(settings, field)
        if file:
            try:
                texts[what, field] = _text(file, wanted, what)
            except ValueError as error:
                yield field, str(error)
    if settings.ca_file and ("certificate", "ca_file") in texts:
        try:
            ssl.create_default_context(cafile=settings.ca_file)
        except OSError:
            yield "ca_file", f"{settings.ca_file} holds a certificate that cannot be read"
    keys = [(field, text) for (what, field), text in texts.items() if what == "key"]
    if keys and ("certificate", "cert_file") in texts:
        yield from _pair(settings, *keys[0])


def _pair(settings: KafkaConfig, key_field: str, key: str) -> Iterator[tuple[str, str]]:
    """Certificate and key are there; whether they are one's own and the other's."""
    if "ENCRYPTED" in key:
        yield (
            key_field,
            f"{getattr(settings, key_field)} holds a key that needs a password, which Vigie cannot give",
        )
        return
    try:
        create_context(KafkaConfig(cert_file=settings.cert_file, key_file=settings.key_file))
    except ssl.SSLError as error:
        if error.reason in _DO_NOT_FIT:
            yield key_field, f"the key does not fit the certificate of {settings.cert_file}"
        else:
            yield (
                "cert_file",
                f"{settings.cert_file} and its key cannot be read ({error.reason or 'not PEM'})",
            )


def _text(file: str, wanted: str, what: str) -> str:
    """The file's text. Raises `ValueError` in words when it cannot be read, or has not what it is for."""
    try:
        text = Path(file).read_text("utf-8", errors="replace")
    except FileNotFoundError as error:
        raise ValueError(f"{file} is not a file") from error
    except OSError as error:
        raise ValueError(f"{file} cannot be read ({error.strerror})") from error
    if wanted not in text:
        raise ValueError(f"{file} holds no {what} in PEM")
    return text
