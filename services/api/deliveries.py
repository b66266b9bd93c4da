"""What became of each alert's notices, as far back as anybody asks. Pure: records in, lists out."""

from collections import OrderedDict

from schemas.deliveries import Delivery

KEPT_ALERTS = 5000
"""Alerts of which deliveries are kept; the one heard of longest ago goes first."""


class Deliveries:
    """The newest record of each delivery, by alert."""

    def __init__(self) -> None:
        self._by_alert: OrderedDict[str, dict[str, Delivery]] = OrderedDict()

    def apply(self, delivery: Delivery) -> None:
        """A record of `vigie.deliveries`, in the order of the log: the later replaces the earlier."""
        found = self._by_alert.setdefault(delivery.alert_id, {})
        found[delivery.delivery_id] = delivery
        self._by_alert.move_to_end(delivery.alert_id)
        while len(self._by_alert) > KEPT_ALERTS:
            self._by_alert.popitem(last=False)

    def of(self, alert_id: str) -> list[Delivery]:
        """In the order of the alert's versions, then by person and channel."""
        found = self._by_alert.get(alert_id, {}).values()
        return sorted(found, key=lambda each: (each.version, each.person, each.channel))
