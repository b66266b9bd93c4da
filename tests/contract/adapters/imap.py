"""A shared mailbox: a look into it is a payload."""

from pathlib import Path

from schemas.config import SourceConfig
from services.ingest.adapters.imap.recording import translate
from tests.contract.adapters import AdapterCase
from tests.doubles.running_source import PSEUDONYMS

SOURCE = SourceConfig(
    id="mail",
    kind="imap",
    site="paris",
    system="mail",
    queue="support-mail",
    user="support@example.org",
    addresses=["support@example.org"],
)

CASE = AdapterCase(
    kind="imap",
    source=SOURCE,
    samples=[Path(__file__).parents[2] / "data" / "imap" / "looks.jsonl"],
    unknown=b'{"mailbox": "Drafts", "uid": 1, "internaldate": 5, "headers": ""}',
    broken=b'{"mailbox": "INBOX", "uid": 1, "headers": "From: a@b"}',
    personal=["ada@customer.example", "Lovelace", "illness", "bob@", "<1@customer.example>"],
    takes=lambda payloads: translate(payloads, SOURCE, PSEUDONYMS),
    payloads=lambda path: path.read_bytes().splitlines(),
    promise="source",
)
