"""One IMAP connection and what is read by it; blocking, for a thread of its own.

Mailboxes are opened read-only and headers are peeked at: nothing at the server is ever changed, no
message becomes read.
"""

import contextlib
import ssl
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError
from imapclient.imapclient import SENT

from schemas.config import SourceConfig
from services.ingest.adapters.imap.letters import HEADERS, Letter, letter_of
from services.ingest.line import LoginRefused, Lost

TIMEOUT_S = 30.0
CLOSE_S = 1.0
AT_ONCE = 200
MOST = 50_000
"""Messages of one mailbox that are looked at, the newest."""

_FIELDS = f"BODY.PEEK[HEADER.FIELDS ({' '.join(HEADERS)})]"


class Session:
    """Open once made. Every method raises `Lost` when the connection is gone."""

    def __init__(self, source: SourceConfig, secret: str) -> None:
        self._ours = frozenset(address.lower() for address in source.addresses)
        with _told(source):
            self._client = _connected(source)
            try:
                self._client.login(source.user or "", secret)
            except LoginError as error:
                self.close()
                raise LoginRefused(
                    f"login refused ({_said(error)}): compare user and secret; some providers ask for an app "
                    "password, or have IMAP switched off"
                ) from error
        self._source = source

    def close(self) -> None:
        """Says good-bye where somebody listens, and does not wait long."""
        try:
            self._client.socket().settimeout(CLOSE_S)
            self._client.logout()
        except (OSError, IMAPClientError):
            with contextlib.suppress(OSError):
                self._client.shutdown()

    def sent_mailbox(self) -> str | None:
        """As set; left out, the one that the server marks as such; None where it marks none."""
        with _told(self._source):
            if self._source.sent_mailbox is not None:
                self._check(self._source.sent_mailbox)
                return self._source.sent_mailbox
            found: str | None = self._client.find_special_folder(SENT)
            return found

    def open(self, mailbox: str) -> int:
        """Looks into this one from now on; its UIDVALIDITY."""
        with _told(self._source):
            self._check(mailbox)
            return int(self._client.select_folder(mailbox, readonly=True)[b"UIDVALIDITY"])

    def uids(self, *, since: date | None = None, flag: str | None = None) -> list[int]:
        """Numbers of the messages that are there, the newest `MOST`; with a flag, only those that have it."""
        criteria: list[str | date] = ["NOT", "DELETED"]
        criteria += ["SINCE", since] if since is not None else []
        criteria += [flag] if flag is not None else []
        with _told(self._source):
            return sorted(self._client.search(criteria))[-MOST:]

    def letters(self, uids: Collection[int]) -> list[Letter]:
        """The messages of these numbers, as far as they are still there."""
        found: list[Letter] = []
        for some in _parts(sorted(uids)):
            with _told(self._source):
                answer = self._client.fetch(some, ["INTERNALDATE", _FIELDS])
            for uid, data in answer.items():
                headers = next((text for name, text in data.items() if name.startswith(b"BODY[")), b"")
                at_ms = _ms(data.get(b"INTERNALDATE"))
                if at_ms is not None:
                    found.append(letter_of(headers or b"", uid=uid, at_ms=at_ms, ours=self._ours))
        return found

    def _check(self, mailbox: str) -> None:
        """Raises `Lost` with the mailboxes that there are."""
        if not self._client.folder_exists(mailbox):
            names = ", ".join(str(name) for _, _, name in self._client.list_folders())
            raise Lost(f"there is no mailbox {mailbox}; there are {names}")


def _connected(source: SourceConfig) -> IMAPClient:
    tls = source.tls or ("tls" if source.port_in_force == 993 else "starttls")
    context = None if tls == "none" else ssl.create_default_context(cafile=source.ca_file)
    client = IMAPClient(
        source.host, source.port_in_force, ssl=tls == "tls", ssl_context=context, timeout=TIMEOUT_S
    )
    if tls == "starttls":
        try:
            client.starttls(context)
        except BaseException:
            with contextlib.suppress(OSError):  # the socket may be closed already
                client.shutdown()
            raise
    client.normalise_times = False
    return client


@contextlib.contextmanager
def _told(source: SourceConfig) -> Iterator[None]:
    place = f"{source.host}:{source.port_in_force}"
    try:
        yield
    except ssl.SSLError as error:
        raise Lost(f"{place}: TLS: {error.reason or error}; see tls and ca_file") from error
    except IMAPClientError as error:
        raise Lost(f"{place}: {_said(error)}") from error
    except OSError as error:
        raise Lost(f"{place}: {error.strerror or error}") from error


def _said(error: Exception) -> str:
    """What the server says, on one line: it may quote us, but never our secret."""
    return " ".join(str(error).split())[:200]


def _parts(uids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(uids), AT_ONCE):
        yield uids[start : start + AT_ONCE]


def _ms(at: object) -> int | None:
    """Whole seconds: IMAP knows no parts of them."""
    if not isinstance(at, datetime):
        return None
    return round((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() * 1000)
