"""What our services tell Prometheus, from their own registries, and what an expression asks for."""

import re
from collections.abc import Iterator
from functools import cache

from msgspec import Struct
from prometheus_client import CollectorRegistry

from schemas.config import Config
from services.aggregator import metrics as aggregator
from services.ingest import metrics as ingest
from services.notifier import metrics as notifier
from services.notifier.core.outbox import Outbox
from tests.doubles.served import ServedApi

JOBS = ("vigie-ingest", "vigie-aggregator", "vigie-api", "vigie-notifier")
"""Of deploy/prometheus/prometheus.yml: one per service."""

_SUFFIXES = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_sum", "_count"),
    "info": ("_info",),
    "gauge": ("",),
}
_SELECTOR = re.compile(r"\b(vigie_[a-z_]+)\s*(?:\{([^}]*)\})?")
_JOB = re.compile(r'\bjob=(~?)"([^"]*)"')


class Selected(Struct, frozen=True):
    """One selector of an expression. `job`: the pattern of jobs it asks, if it says so."""

    name: str
    matchers: str
    job: str | None


@cache
def registries() -> dict[str, CollectorRegistry]:
    """Each service's own, by job, as it is right after its start."""
    found = {
        "vigie-ingest": ingest.Metrics(CollectorRegistry(), sources=["pbx1"]).registry,
        "vigie-aggregator": CollectorRegistry(),
        "vigie-api": ServedApi().metrics.registry,
        "vigie-notifier": notifier.Metrics(CollectorRegistry()).registry,
    }
    found["vigie-notifier"].register(notifier.OutboxCollector(lambda: Outbox(Config()), lambda: 0))
    aggregator.Metrics(found["vigie-aggregator"], version="0", sources=["pbx1"], rules=["waits"])
    return found


@cache
def told() -> dict[str, set[str]]:
    """The names of all series, by job."""
    return {job: set(_names(registry)) for job, registry in registries().items()}


def tellers(name: str) -> set[str]:
    """The jobs that tell a series of this name."""
    return {job for job, names in told().items() if name in names}


def asked(expression: str) -> list[Selected]:
    """What an expression selects of ours."""
    return [Selected(name, matchers, _job(matchers)) for name, matchers in _SELECTOR.findall(expression)]


def faults(expression: str) -> list[str]:
    """What an expression asks for that nobody tells, or that two tell and it does not choose between."""
    found = []
    for selected in asked(expression):
        jobs = tellers(selected.name)
        if not jobs:
            found.append(f"{selected.name}: no service tells it")
        elif selected.job is not None:
            if not any(re.fullmatch(selected.job, job) for job in jobs):
                found.append(f"{selected.name}: {selected.job} does not tell it")
        elif (
            len(jobs) > 1 and not re.search(r"by \([^)]*\bjob\b", expression) and "_info" not in selected.name
        ):
            found.append(f"{selected.name}: {sorted(jobs)} tell it, and no job is chosen")
    return found


def _names(registry: CollectorRegistry) -> Iterator[str]:
    for family in registry.collect():
        for suffix in _SUFFIXES[family.type]:
            yield family.name + suffix


def _job(matchers: str) -> str | None:
    match = _JOB.search(matchers)
    if match is None:
        return None
    return match[2] if match[1] else re.escape(match[2])
