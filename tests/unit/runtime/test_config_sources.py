"""What each kind of source needs, may have, and has no use for."""

import typing

import pytest

from schemas.config import SourceConfig, SourceKind
from schemas.vocabulary import Outcome
from services.runtime.config_sources import TERMS, faults_of


def source(kind: str, **fields: object) -> SourceConfig:
    return SourceConfig(id="s", kind=kind, **fields)  # type: ignore[arg-type] # the tests name real fields


def told(config: SourceConfig) -> list[str]:
    return [f"{'.'.join(map(str, place))}: {said}" for place, said in faults_of(config)]


def test_every_kind_has_its_terms() -> None:
    assert set(TERMS) == set(typing.get_args(SourceKind))


def test_every_field_is_some_kinds_and_every_kind_names_real_ones() -> None:
    real = set(SourceConfig.__struct_fields__)
    of_kinds = {name for terms in TERMS.values() for name in terms.fields}

    assert of_kinds <= real
    assert {name for terms in TERMS.values() for name in terms.needs} <= real | {"secret"}


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        (source("asterisk_ami", user="u"), "secret_env or secret_file is missing"),
        (source("asterisk_ami", secret_env="S"), "user is missing: the manager's name"),
        (source("asterisk_queue_log"), "file is missing: where Asterisk writes it"),
        (source("freeswitch_esl"), "secret_env or secret_file is missing: where the password"),
        (source("freeswitch_esl", secret_env="S", format="csv"), 'format: "csv" is not one of json, plain'),
        (source("twilio_taskrouter"), "or allow_unsigned = true takes what anybody sends"),
        (source("imap", user="u", secret_env="S", topic="t"), "topic: is not for sources of kind imap"),
        (source("http", user="u"), "user: is not for sources of kind http"),
        (source("amazon_connect"), "API destination is found, unless queue_url or stream is given"),
        (source("genesys_cloud"), "or without user the key of the API destination"),
        (source("kafka"), "topic is missing"),
        (source("file"), "file is missing"),
        (
            source("chatwoot", secret_env="S", public_url="hooks.example"),
            'public_url: "hooks.example" does not start with https',
        ),
        (
            source("genesys_cloud", url="http://api.example"),
            "url: the secret would travel in clear: use https",
        ),
        (source("genesys_cloud", url="https://u:p@api.example"), "url: a name or password in a url"),
        (
            source("chatwoot", secret_env="S", previous_secret_env="P", previous_secret_file="/p"),
            "previous_secret_file: previous_secret_env is given too",
        ),
        (
            source("asterisk_queue_log", file="f", time_zone="Europe/Pari"),
            'time_zone: "Europe/Pari" is not a time zone',
        ),
        (
            source("asterisk_queue_log", file="f", format="jsonl"),
            'format: "jsonl" is not one of log, tsv, csv',
        ),
    ],
)
def test_faults(config: SourceConfig, fault: str) -> None:
    assert any(fault in each for each in told(config)), told(config)


@pytest.mark.parametrize(
    "config",
    [
        source("asterisk_ami", user="u", secret_env="S", wrap_up_s=5, map={"600": "support"}),
        source("twilio_taskrouter", allow_unsigned=True, outcomes={"left the chat": Outcome.ABANDONED}),
        source("chatwoot", secret_file="/s", public_url="http://hooks.example/v1/sources/s"),
        source("genesys_cloud", user="u", secret_env="S", url="http://127.0.0.1:9000"),
        source("http"),
        source("kafka", topic="their.events"),
        source("amazon_connect", stream="agents", region="eu-west-3"),
        source("amazon_connect", queue_url="https://sqs.eu-west-3.amazonaws.com/1/q"),
    ],
)
def test_what_a_kind_reads_is_no_fault(config: SourceConfig) -> None:
    assert told(config) == []
