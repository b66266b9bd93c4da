"""`[kafka]`: how one says who one is, and every fault of that at once, each with its place."""

import shutil
from pathlib import Path

import pytest

from schemas.errors import Misconfigured
from services.runtime.config import load
from tests.doubles.guarded_kafka import CA, FILES, KEY, PASSWORD

OTHERS = FILES.parent / "tls"
CERTIFICATE = str(FILES / "operator.pem")
ENVIRONMENT = {"KAFKA_PASSWORD": PASSWORD}


@pytest.mark.parametrize(
    ("settings", "has_tls"),
    [
        ("bootstrap = 'k:9092'", False),
        ("bootstrap = 'k:9092'\ntls = true", True),
        (f"bootstrap = 'k:9092'\nca_file = '{CA}'", True),
        (f"bootstrap = 'k:9092'\ncert_file = '{CERTIFICATE}'\nkey_file = '{KEY}'", True),
        ("bootstrap = 'k:9092'\nuser = 'vigie'\npassword_env = 'KAFKA_PASSWORD'", True),
        ("bootstrap = 'k:9092'\nuser = 'v'\npassword_env = 'KAFKA_PASSWORD'\nmechanism = 'PLAIN'", True),
        ("bootstrap = '127.0.0.1:1,[::1]:1'\ntls = false\nuser = 'v'\npassword_env='KAFKA_PASSWORD'", False),
    ],
)
def test_tls_is_on_as_soon_as_there_is_something_to_hide_or_to_show(
    tmp_path: Path, settings: str, has_tls: bool
) -> None:
    kafka = load(_file(tmp_path, settings), environment=ENVIRONMENT).kafka

    assert kafka.tls_in_force is has_tls
    assert kafka.mechanism == ("PLAIN" if "PLAIN" in settings else "SCRAM-SHA-512")


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ("tls = true", "kafka.tls (line 2): bootstrap is missing: the embedded Kafka has neither TLS nor"),
        (f"ca_file = '{CA}'", "kafka.ca_file (line 2): bootstrap is missing"),
        ("user = 'v'\npassword_env = 'KAFKA_PASSWORD'", "kafka.user (line 2): bootstrap is missing"),
        (f"bootstrap = 'k:1'\ntls = false\nca_file = '{CA}'", "kafka.ca_file (line 4): is of no use with"),
        (f"bootstrap = 'k:1'\nkey_file = '{KEY}'", "kafka.key_file (line 3): cert_file is missing"),
        ("bootstrap = 'k:1'\nuser = 'v'", "kafka (line 1): password_env or password_file is missing"),
        ("bootstrap = 'k:1'\npassword_env = 'KAFKA_PASSWORD'", "kafka (line 1): user is missing"),
        (
            "bootstrap = 'k:1'\nuser = 'v'\npassword_env = 'KAFKA_PASSWORD'\npassword_file = 'x'",
            "kafka.password_file (line 5): password_env is given too",
        ),
        (
            "bootstrap = '127.0.0.1:1,k:1'\nuser = 'v'\npassword_env = 'KAFKA_PASSWORD'\ntls = false",
            "kafka.tls (line 5): the password would travel in clear",
        ),
        ("bootstrap = 'k:1'\nmechanism = 'GSSAPI'", "kafka.mechanism (line 3): invalid enum value 'GSSAPI'"),
        ("bootstrap = 'k:1'\nuser = 'v'\npassword_env = 'NONE'", "kafka.password_env (line 4): NONE is not"),
        (
            "bootstrap = 'k:1'\nuser = 'v'\npassword_file = '/none'",
            "kafka.password_file (line 4): /none is not a file",
        ),
        ("bootstrap = 'k:1'\nca_file = '/none'", "kafka.ca_file (line 3): /none is not a file"),
        (f"bootstrap = 'k:1'\nca_file = '{FILES}'", f"kafka.ca_file (line 3): {FILES} cannot be read"),
        (f"bootstrap = 'k:1'\nca_file = '{KEY}'", f"kafka.ca_file (line 3): {KEY} holds no certificate"),
        (
            f"bootstrap = 'k:1'\ncert_file = '{CERTIFICATE}'",
            f"kafka.cert_file (line 3): {CERTIFICATE} holds no key in PEM",
        ),
        (
            f"bootstrap = 'k:1'\ncert_file = '{CERTIFICATE}'\nkey_file = '{OTHERS / 'key.pem'}'",
            f"kafka.key_file (line 4): the key does not fit the certificate of {CERTIFICATE}",
        ),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, settings: str, fault: str) -> None:
    [said] = _faults(_file(tmp_path, settings))

    assert said.startswith(fault)


def test_what_the_machine_lacks_is_said_at_once(tmp_path: Path) -> None:
    settings = """\
bootstrap = "k:9093"
ca_file = "/none/ca.crt"
cert_file = "/none/user.crt"
key_file = "/none/user.key"
user = "vigie"
password_env = "NONE"
"""
    assert _faults(_file(tmp_path, settings)) == [
        "kafka.ca_file (line 3): /none/ca.crt is not a file",
        "kafka.cert_file (line 4): /none/user.crt is not a file",
        "kafka.key_file (line 5): /none/user.key is not a file",
        "kafka.password_env (line 7): NONE is not set in the environment",
    ]


@pytest.mark.parametrize(
    ("kind", "text", "fault"),
    [
        ("ca", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "that cannot be read"),
        ("cert", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
        ("key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "cannot be read"),
        ("key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n", "needs a password, which Vigie cannot give"),
    ],
)
def test_a_file_that_only_looks_right_is_found_out(tmp_path: Path, kind: str, text: str, fault: str) -> None:
    files = {"ca": CA, "cert": CERTIFICATE, "key": KEY}
    files[kind] = str(tmp_path / "looks.pem")
    (tmp_path / "looks.pem").write_text(text)
    settings = "".join(f"{name}_file = '{file}'\n" for name, file in files.items())

    [said] = _faults(_file(tmp_path, "bootstrap = 'k:1'\n" + settings))
    assert fault in said
    assert "AAAA" not in said


def test_a_certificate_may_bring_its_key_along(tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    with both.open("wb") as file:
        for part in (CERTIFICATE, KEY):
            with open(part, "rb") as read:
                shutil.copyfileobj(read, file)

    load(_file(tmp_path, f"bootstrap = 'k:1'\ncert_file = '{both}'"), environment={})


def test_a_service_asks_for_kafka_s_secrets_and_no_other(tmp_path: Path) -> None:
    settings = "bootstrap = 'k:1'\nuser = 'v'\npassword_env = 'NONE'\n"
    source = "[[sources]]\nid = 'p'\nkind = 'asterisk_ami'\nuser = 'u'\nsecret_env = 'NONE_EITHER'\n"
    file = _file(tmp_path, settings + source)

    with pytest.raises(Misconfigured) as refused:
        load(file, environment={}, of_service=True)
    assert refused.value.faults == (
        f"{file}: kafka.password_env (line 4): NONE is not set in the environment",
    )
    assert len(_faults(file)) == 2


def _file(folder: Path, settings: str) -> Path:
    path = folder / "vigie.toml"
    path.write_text(f"[kafka]\n{settings}", "utf-8")
    return path


def _faults(path: Path) -> list[str]:
    with pytest.raises(Misconfigured) as refused:
        load(path, environment=ENVIRONMENT)
    return [fault.removeprefix(f"{path}: ") for fault in refused.value.faults]
