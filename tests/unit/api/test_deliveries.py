"""What became of notices: the newest record of each, for the last alerts."""

from msgspec.structs import replace

from schemas.deliveries import ChannelKind, Delivery, DeliveryState
from schemas.vocabulary import Notice
from services.api.deliveries import KEPT_ALERTS, Deliveries

SENT = Delivery(
    delivery_id="n_1",
    alert_id="a",
    version=1,
    notice=Notice.FIRED,
    site="paris",
    queue="support",
    person="lea",
    channel="webhook",
    kind=ChannelKind.WEBHOOK,
    state=DeliveryState.SENDING,
    since_ms=1,
    at_ms=1,
    attempt=1,
)


def test_the_newest_record_of_a_delivery_stands() -> None:
    deliveries = Deliveries()
    done = replace(SENT, state=DeliveryState.DELIVERED)
    for record in (SENT, replace(SENT, delivery_id="n_2", person="bob"), done):
        deliveries.apply(record)

    assert [(each.person, each.state) for each in deliveries.of("a")] == [
        ("bob", DeliveryState.SENDING),
        ("lea", DeliveryState.DELIVERED),
    ]
    assert deliveries.of("b") == []


def test_they_stand_in_the_order_of_what_they_tell() -> None:
    deliveries = Deliveries()
    for version in (3, 1, 2):
        deliveries.apply(replace(SENT, delivery_id=f"n_{version}", version=version))

    assert [each.version for each in deliveries.of("a")] == [1, 2, 3]


def test_those_of_the_alert_heard_of_longest_ago_go_first() -> None:
    deliveries = Deliveries()
    for number in range(KEPT_ALERTS):
        deliveries.apply(replace(SENT, alert_id=str(number)))
    deliveries.apply(replace(SENT, alert_id="0"))
    deliveries.apply(replace(SENT, alert_id="new"))

    assert deliveries.of("0")
    assert deliveries.of("new")
    assert deliveries.of("1") == []
