"""What Prometheus reads: names, labels, zeros at the start, counts that only grow."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from schemas.board import DeadLetter
from schemas.vocabulary import Channel, Outcome, Reason
from services.aggregator.core.counts import CoreCounts, QueueLabels
from services.aggregator.metrics import Metrics

_SUPPORT = QueueLabels("paris", "support", Channel.PHONE)
_LABELS = {"site": "paris", "queue": "support", "channel": "phone"}


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(registry, version="1.2.3", sources=["pbx1"])


def test_known_labels_start_at_zero(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.count(CoreCounts(queues=[_SUPPORT]))
    value = registry.get_sample_value
    assert value("vigie_queue_contacts_offered_total", _LABELS) == 0
    for outcome in Outcome:
        assert value("vigie_queue_contacts_left_total", {**_LABELS, "outcome": outcome}) == 0
    assert value("vigie_queue_wait_seconds_count", _LABELS) == 0
    assert value("vigie_events_total", {"source": "pbx1", "outcome": "accepted"}) == 0
    assert value("vigie_events_late_total", {"source": "http"}) == 0
    assert value("vigie_events_duplicate_total", {"source": "pbx1"}) == 0
    assert value("vigie_dead_letters_total", {"reason": "invalid"}) == 0


def test_counts_of_two_drains_add_up(registry: CollectorRegistry, metrics: Metrics) -> None:
    for _ in range(2):
        metrics.count(
            CoreCounts(
                offered={_SUPPORT: 3},
                left={(_SUPPORT, Outcome.ABANDONED): 1},
                events={("pbx1", Reason.LATE): 2},
            )
        )
    value = registry.get_sample_value
    assert value("vigie_queue_contacts_offered_total", _LABELS) == 6
    assert value("vigie_queue_contacts_left_total", {**_LABELS, "outcome": "abandoned"}) == 2
    assert value("vigie_events_total", {"source": "pbx1", "outcome": "late"}) == 4
    assert value("vigie_events_late_total", {"source": "pbx1"}) == 4


def test_waits_fall_into_the_buckets_of_the_interface(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.count(CoreCounts(waits_ms={_SUPPORT: [1000, 1001, 700_000]}))
    value = registry.get_sample_value
    found = {
        le: value("vigie_queue_wait_seconds_bucket", {**_LABELS, "le": le})
        for le in (
            "1.0",
            "2.0",
            "5.0",
            "10.0",
            "20.0",
            "30.0",
            "60.0",
            "120.0",
            "180.0",
            "300.0",
            "600.0",
            "+Inf",
        )
    }
    assert found == {**dict.fromkeys(found, 2), "1.0": 1, "+Inf": 3}
    assert value("vigie_queue_wait_seconds_sum", _LABELS) == pytest.approx(702.001)


def test_dead_letters_are_counted_by_reason(registry: CollectorRegistry, metrics: Metrics) -> None:
    letter = DeadLetter(source="x", reason="invalid", detail="", sha256="", size=0, received_ms=0)
    metrics.dead_letters([letter, letter])
    assert registry.get_sample_value("vigie_dead_letters_total", {"reason": "invalid"}) == 2


def test_lag_is_the_sum_of_the_partitions_held(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.lag(0, 3)
    metrics.lag(2, 4)
    assert registry.get_sample_value("vigie_consumer_lag_events") == 7
    metrics.forget_lag()
    assert registry.get_sample_value("vigie_consumer_lag_events") == 0


def test_page_has_every_name_of_the_interface(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.count(CoreCounts(queues=[_SUPPORT], event_lags_ms=[5], alert_delays_ms={"wait": [12]}))
    page = generate_latest(registry).decode()
    for name in (
        "vigie_queue_contacts_offered_total",
        "vigie_queue_contacts_left_total",
        "vigie_queue_wait_seconds_bucket",
        "vigie_queue_handle_seconds_bucket",
        "vigie_alert_detection_delay_seconds_bucket",
        "vigie_events_total",
        "vigie_events_late_total",
        "vigie_events_duplicate_total",
        "vigie_dead_letters_total",
        "vigie_event_lag_seconds_bucket",
        "vigie_consumer_lag_events",
        "vigie_build_info",
    ):
        assert f"\n{name}" in page
