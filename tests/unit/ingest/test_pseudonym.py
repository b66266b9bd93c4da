"""Pseudonyms, and where their key and other secrets come from."""

import hashlib
import hmac
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.config import SourceConfig
from schemas.errors import Misconfigured
from services.ingest.credentials import KEY_FILE, PSEUDONYM_KEY, Secrets, pseudonym_key, source_secrets
from services.ingest.pseudonym import Pseudonyms

KEY = "sixteen or more characters"


@given(st.binary(min_size=1), st.text())
def test_pseudonym_is_the_head_of_an_hmac(key: bytes, text: str) -> None:
    pseudonyms = Pseudonyms(key)
    whole = hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
    assert pseudonyms.of(text) == pseudonyms.of(text) == whole[:16]


def test_key_of_the_environment_wins(tmp_path: Path) -> None:
    assert pseudonym_key(tmp_path, {PSEUDONYM_KEY: KEY}) == KEY.encode()
    assert list(tmp_path.iterdir()) == []


def test_key_is_made_once_for_us_alone(tmp_path: Path) -> None:
    data = tmp_path / "not yet"
    key = pseudonym_key(data, {})
    assert len(key) == 64
    assert stat.S_IMODE((data / KEY_FILE).stat().st_mode) == 0o600
    assert [file.name for file in data.iterdir()] == [KEY_FILE]
    assert pseudonym_key(data, {}) == key
    assert pseudonym_key(tmp_path, {}) != key


@pytest.mark.parametrize("text", ["", "short", " " * 40])
def test_poor_key_is_refused_with_its_place(tmp_path: Path, text: str) -> None:
    with pytest.raises(Misconfigured, match=PSEUDONYM_KEY):
        pseudonym_key(tmp_path, {PSEUDONYM_KEY: text})
    (tmp_path / KEY_FILE).write_text(text)
    with pytest.raises(Misconfigured, match=KEY_FILE):
        pseudonym_key(tmp_path, {})


def test_data_folder_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match=KEY_FILE):
        pseudonym_key(tmp_path / "file", {})


def test_secrets_of_sources_and_every_fault_at_once(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from file\n")
    good = [
        SourceConfig(id="a", kind="asterisk_ami", secret_env="A_SECRET"),
        SourceConfig(
            id="b", kind="chatwoot", secret_file=str(tmp_path / "secret"), previous_secret_env="B_OLD"
        ),
        SourceConfig(id="c", kind="asterisk_ami"),
    ]
    environ = {"A_SECRET": "from env", "B_OLD": "old"}
    assert source_secrets(good, environ) == {
        "a": Secrets("from env"),
        "b": Secrets("from file", "old"),
        "c": Secrets(),
    }
    bad = [
        SourceConfig(id="d", kind="asterisk_ami", secret_env="D_SECRET"),
        SourceConfig(id="e", kind="asterisk_ami", secret_file=str(tmp_path / "none")),
    ]
    with pytest.raises(Misconfigured) as caught:
        source_secrets([*good, *bad], environ)
    assert ["D_SECRET" in fault or "none" in fault for fault in caught.value.faults] == [True, True]
