"""What clients of Kafka are made with."""

import ssl
from pathlib import Path

import pytest

from schemas.config import KafkaConfig
from schemas.errors import Misconfigured, Unavailable
from services.runtime.kafka import Cluster, client, cluster
from tests.doubles.guarded_kafka import CA, FILES, PASSWORD, certificate

OTHER_CA = FILES.parent / "tls/certificate.pem"
LOGIN = KafkaConfig(user="vigie", password_env="W")


def test_a_plain_address_asks_nothing() -> None:
    assert client("k:9092") == {"bootstrap_servers": "k:9092"}
    assert client(Cluster("k:9092")) == {"bootstrap_servers": "k:9092", "security_protocol": "PLAINTEXT"}


@pytest.mark.parametrize(
    ("settings", "protocol"),
    [
        (KafkaConfig(tls=True), "SSL"),
        (certificate("operator"), "SSL"),
        (LOGIN, "SASL_SSL"),
        (KafkaConfig(user="vigie", password_env="W", tls=False), "SASL_PLAINTEXT"),
    ],
)
def test_the_protocol_follows_from_what_is_shown(settings: KafkaConfig, protocol: str) -> None:
    options = client(Cluster("k:9092", settings, {"W": PASSWORD}))

    assert options["security_protocol"] == protocol
    assert ("ssl_context" in options) == protocol.endswith("SSL")
    login = {name: value for name, value in options.items() if name.startswith("sasl_")}
    assert login == (
        {
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": "vigie",
            "sasl_plain_password": PASSWORD,
        }
        if settings.user
        else {}
    )


def test_nobody_is_trusted_without_a_certificate_that_names_it() -> None:
    context = client(Cluster("k:9092", KafkaConfig(ca_file=CA)))["ssl_context"]

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1


def test_a_client_made_later_knows_renewed_files(tmp_path: Path) -> None:
    ca, password = tmp_path / "ca.pem", tmp_path / "password"
    ca.write_bytes(Path(CA).read_bytes())
    password.write_text("first\n")
    kafka = Cluster("k:9092", KafkaConfig(ca_file=str(ca), user="vigie", password_file=str(password)))
    before = client(kafka)

    ca.write_bytes(OTHER_CA.read_bytes())
    password.write_text("second\n")
    after = client(kafka)

    assert [each["sasl_plain_password"] for each in (before, after)] == ["first", "second"]
    assert before["ssl_context"].get_ca_certs() != after["ssl_context"].get_ca_certs()


def test_a_file_that_goes_missing_while_running_is_told_with_its_setting(tmp_path: Path) -> None:
    kafka = Cluster("k:9092", KafkaConfig(ca_file=str(tmp_path / "ca.pem"), user="v", password_env="W"), {})

    with pytest.raises(Unavailable) as told:
        client(kafka)
    assert told.value.detail == (
        f"[kafka] ca_file: {tmp_path / 'ca.pem'} is not a file; password_env: W is not set in the environment"
    )


def test_another_address_than_that_of_the_file_gets_no_password_in_clear() -> None:
    settings = KafkaConfig(bootstrap="127.0.0.1:9092", user="vigie", password_env="W", tls=False)

    assert cluster(settings, "localhost:9092", {}).bootstrap == "localhost:9092"
    with pytest.raises(Misconfigured, match="--kafka k:9092: the password would travel in clear"):
        cluster(settings, "k:9092", {})


def test_a_cluster_in_a_log_is_its_address() -> None:
    kafka = Cluster("k:9092", LOGIN, {"W": PASSWORD})

    assert f"{kafka} {kafka!r}" == "k:9092 k:9092"
