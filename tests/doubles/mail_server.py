"""A real Dovecot for a test: one mailbox of a team, on a free port, with nothing in it."""

import asyncio
import contextlib
import getpass
import grp
import imaplib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from tests import dovecot
from tests.doubles.served import free_port

USER, SECRET = "support@example.org", "s3cret"

_CONFIG = """\
base_dir = {base}
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = {ssl}
{certificate}
disable_plaintext_auth = no
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%n
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
passdb {{
  driver = static
  args = password={secret}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%n
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
  mailbox Done {{
    auto = subscribe
  }}
}}
"""


class MailServer:
    """Use as `async with MailServer() as server`. `certificate`, `key`: it speaks TLS after STARTTLS."""

    def __init__(self, *, certificate: Path | None = None, key: Path | None = None) -> None:
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="vigie-dovecot-"))
        self._certificate = certificate
        self._key = key
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> "MailServer":
        self._prepare()
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def start(self) -> None:
        """Until it lets somebody in."""
        self._process = await asyncio.to_thread(
            subprocess.Popen[bytes],
            [dovecot.program(), "-F", "-c", str(self._folder / "dovecot.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        end = time.monotonic() + 60
        while not await asyncio.to_thread(self._answers):
            assert time.monotonic() < end, (self._folder / "log").read_text()
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """As when the machine is switched off."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await asyncio.to_thread(self._process.wait)

    async def put(self, text: bytes, *, at_s: float, mailbox: str = "INBOX", flags: str = "") -> None:
        """A message that came then."""
        await asyncio.to_thread(self._put, text, at_s, mailbox, flags)

    async def move(self, message_id: str, to: str | None, *, mailbox: str = "INBOX") -> None:
        """Into another mailbox; None: it is deleted."""
        await asyncio.to_thread(self._move, message_id, to, mailbox)

    async def flag(self, message_id: str, flag: str = "\\Answered") -> None:
        await asyncio.to_thread(self._flag, message_id, flag)

    async def flags(self, message_id: str) -> str:
        return await asyncio.to_thread(self._flags, message_id)

    def _prepare(self) -> None:
        """Not as root, who may read no mail there."""
        user = "nobody" if os.geteuid() == 0 else getpass.getuser()
        entry = pwd.getpwnam(user)
        group = grp.getgrgid(entry.pw_gid).gr_name
        mail = self._folder / "mail"
        mail.mkdir()
        base = self._folder / "run"
        certificate = f"ssl_cert = <{self._certificate}\nssl_key = <{self._key}" if self._certificate else ""
        text = _CONFIG.format(
            base=base,
            folder=self._folder,
            user=user,
            group=group,
            port=self.port,
            secret=SECRET,
            ssl="yes" if self._certificate else "no",
            certificate=certificate,
        )
        (self._folder / "dovecot.conf").write_text(text)
        self._folder.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(mail, entry.pw_uid, entry.pw_gid)

    def _answers(self) -> bool:
        try:
            self._in().logout()
        except (OSError, imaplib.IMAP4.error):
            return False
        return True

    def _in(self) -> imaplib.IMAP4:
        client = imaplib.IMAP4("127.0.0.1", self.port)
        client.login(USER, SECRET)
        return client

    def _put(self, text: bytes, at_s: float, mailbox: str, flags: str) -> None:
        client = self._in()
        answer, said = client.append(mailbox, flags, imaplib.Time2Internaldate(at_s), text)
        assert answer == "OK", said
        client.logout()

    def _number(self, client: imaplib.IMAP4, message_id: str, mailbox: str) -> str:
        client.select(mailbox)
        _, found = client.uid("SEARCH", "HEADER", "Message-ID", message_id)
        return bytes(found[0]).decode()

    def _move(self, message_id: str, to: str | None, mailbox: str) -> None:
        client = self._in()
        number = self._number(client, message_id, mailbox)
        if to is not None:
            answer, said = client.uid("COPY", number, to)
            assert answer == "OK", said
        client.uid("STORE", number, "+FLAGS", "(\\Deleted)")
        client.expunge()
        client.logout()

    def _flag(self, message_id: str, flag: str) -> None:
        client = self._in()
        client.uid("STORE", self._number(client, message_id, "INBOX"), "+FLAGS", f"({flag})")
        client.logout()

    def _flags(self, message_id: str) -> str:
        client = self._in()
        _, found = client.uid("FETCH", self._number(client, message_id, "INBOX"), "(FLAGS)")
        client.logout()
        return str(found)
