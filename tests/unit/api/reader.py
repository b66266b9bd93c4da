"""What a board in a browser does with the frames, without the browser: INTERFACE.md §5."""

import json
from typing import Any

TIMED = ("age_ms", "longest_wait_s")
"""Fields that move with the clock alone; a board counts them on by itself."""


class Reader:
    """Holds the board as the frames say. Raises `AssertionError` when a frame does not follow the last."""

    def __init__(self) -> None:
        self.epoch: str | None = None
        self.seq: int | None = None
        self.sites: dict[str, Any] = {}
        self.queues: dict[tuple[str, str], Any] = {}
        self.alerts: dict[str, Any] = {}
        self.kinds: list[str] = []

    def read(self, text: str) -> Any:
        """Applies one frame and gives it back."""
        frame = json.loads(text)
        self.kinds.append(frame["type"])
        if frame["type"] == "snapshot":
            assert frame["prev"] is None
            self._start_again(frame)
        else:
            assert (frame["epoch"], frame["prev"]) == (self.epoch, self.seq), "a gap"
            assert frame["seq"] >= frame["prev"]
            self._change(frame)
        self.epoch, self.seq = frame["epoch"], frame["seq"]
        return frame

    def board(self) -> Any:
        """What it shows, without what moves with the clock alone."""
        return {"sites": self.sites, "queues": self.queues, "alerts": self.alerts}

    def _start_again(self, frame: Any) -> None:
        self.sites, self.queues, self.alerts = {}, {}, {}
        for site in frame["sites"]:
            for queue in site.pop("queues"):
                self._put_queue(queue)
            self._put_site(site)
        for alert in frame["alerts"]:
            self._put_alert(alert)

    def _change(self, frame: Any) -> None:
        for row in frame.get("queues", ()):
            self._put_queue(row)
        for row in frame.get("sites", ()):
            self._put_site(row)
        for gone in frame.get("removed", ()):
            self.queues.pop((gone["site"], gone["queue"]), None)
        if "alert" in frame:
            self._put_alert(frame["alert"])

    def _put_queue(self, row: Any) -> None:
        self.queues[row["site"], row["queue"]] = _timeless(row)

    def _put_site(self, row: Any) -> None:
        row["sources"] = [_timeless(source) for source in row["sources"]]
        self.sites[row["site"]] = _timeless(row)

    def _put_alert(self, alert: Any) -> None:
        known = self.alerts.get(alert["alert_id"])
        if known is None or known["version"] < alert["version"]:
            self.alerts[alert["alert_id"]] = alert


def _timeless(row: Any) -> Any:
    return {name: value for name, value in row.items() if name not in TIMED}
