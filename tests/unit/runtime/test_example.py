"""`vigie.example.toml`: what people copy is accepted, and says the defaults as they are."""

import re
from pathlib import Path

import pytest

from schemas.config import (
    DEFAULT_RULE,
    Config,
    FlapConfig,
    HttpConfig,
    KafkaConfig,
    NoticesConfig,
    SmtpConfig,
)
from schemas.errors import Misconfigured
from services.runtime.config import load

EXAMPLE = Path(__file__).parents[3] / "vigie.example.toml"


SECRETS = {
    "LEA_WEBHOOK_SECRET": "whsec_" + "A" * 32,
    "SMTP_SECRET": "s3cret",
    "PBX1_SECRET": "s3cret",
}


def test_the_example_lacks_nothing_but_its_secrets() -> None:
    with pytest.raises(Misconfigured) as refused:
        load(EXAMPLE, environment={})

    assert [fault.partition(": ")[2].partition(" (line")[0] for fault in refused.value.faults] == [
        "people[0].channels[0].secret_env",
        "smtp.secret_env",
        "sources[0].secret_env",
    ]
    assert load(EXAMPLE, environment=SECRETS).from_file


def test_the_example_is_accepted_with_its_commented_lines_too(tmp_path: Path) -> None:
    file = tmp_path / "vigie.toml"
    file.write_text(_uncommented(), "utf-8")

    config = load(file)

    assert config.kafka == KafkaConfig(
        bootstrap="kafka-1.example:9092,kafka-2.example:9092",
        tls=True,
        ca_file="/run/secrets/kafka/ca.crt",
        cert_file="/run/secrets/kafka/user.crt",
        key_file="/run/secrets/kafka/user.key",
        user="vigie",
        password_env="KAFKA_PASSWORD",
    )
    assert config.http == HttpConfig(
        origins=["https://wallboard.example"], board_url="https://wallboard.example/"
    )
    assert config.notices == NoticesConfig()
    assert config.smtp is not None
    assert config.smtp.tls == SmtpConfig().tls
    assert config.sources[0].map == {"600": "support"}
    assert config.sources[0].stale_after_s == 15
    assert config.sources[1].kind == "twilio_taskrouter"
    assert config.sources[1].public_url == "https://hooks.example.org/v1/sources/flex"
    assert config.flap == FlapConfig()


def test_the_example_shows_the_rule_and_the_service_level_that_are_the_defaults() -> None:
    config = load(EXAMPLE)

    assert config.rules[:1] == [DEFAULT_RULE] == Config().rules
    assert config.flap == FlapConfig()
    support, chat = config.queues
    assert support.service_level.target == chat.service_level.target
    assert support.service_level.definition == chat.service_level.definition
    assert support.occupancy == chat.occupancy


def _uncommented() -> str:
    """The example with every setting in force that it only shows; the other of two ways to a secret apart."""
    text = EXAMPLE.read_text("utf-8")
    return re.sub(r"^# (?=\[\[|[a-z_]+ = )(?!secret_file)", "", text, flags=re.MULTILINE)
