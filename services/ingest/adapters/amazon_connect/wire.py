"""Words on Connect's wire, read out of decoded JSON: names of fields, instants, ARNs. Pure.

Amazon writes one field `contactId` here and `ContactId` there, and one word `VOICE` here and `Voice` there,
in its own samples too: case tells nothing. `null`, `"null"` and blank texts are as good as absent, and an
instant of 1970 means "not yet" (SOURCES.md §5b).
"""

from datetime import UTC, datetime, timedelta

from schemas.vocabulary import Channel

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_YET_MS = 86_400_000
AGENT_QUEUE = "agent"
"""What `map` calls the queues that are an agent's own, all of them."""

CHANNELS = {"VOICE": Channel.PHONE, "CHAT": Channel.CHAT, "EMAIL": Channel.EMAIL}
"""A TASK is work without a customer: no contact of ours."""


class Unreadable(Exception):
    """A field that is there cannot be what it must be; `detail` names it and holds no value."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Fields:
    """A JSON object whose names are read without their case; empty where it is none."""

    __slots__ = ("_values",)

    def __init__(self, value: object) -> None:
        self._values: dict[str, object] = {}
        if isinstance(value, dict):
            for name, each in value.items():
                if _is_told(each):
                    self._values.setdefault(str(name).lower(), each)

    def __bool__(self) -> bool:
        return bool(self._values)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._values

    def text(self, *names: str) -> str:
        """The first of `names` that is a text, without blanks around it; "" when none is."""
        values = (self._values.get(name.lower()) for name in names)
        return next((value.strip() for value in values if isinstance(value, str)), "")

    def word(self, name: str) -> str:
        return self.text(name).upper()

    def part(self, name: str) -> "Fields":
        return Fields(self._values.get(name.lower()))

    def parts(self, name: str) -> "list[Fields]":
        """The objects of a list; none where it is no list."""
        several = self._values.get(name.lower())
        return [Fields(each) for each in several] if isinstance(several, list) else []

    def whole(self, name: str) -> int | None:
        value = self._values.get(name.lower())
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def instant(self, name: str) -> int | None:
        """Epoch ms; None when it is not told, or not yet. Raises `Unreadable` when it is no instant."""
        value = self._values.get(name.lower())
        if value is None:
            return None
        at_ms = _instant(value) if isinstance(value, str) else None
        if at_ms is None:
            raise Unreadable(f"{name}: not an instant such as 2024-03-01T10:00:00.100Z")
        return at_ms if at_ms >= _NOT_YET_MS else None


def is_cut(at_ms: int) -> bool:
    """Whether it is one of those that instances of 2018 and 2019 wrote: whole seconds, which stand again
    where milliseconds should (`…08.008Z`). One of a thousand others looks like it.
    """
    return at_ms % 1000 == at_ms // 1000 % 60


def second_of(at_ms: int) -> int:
    """The whole second of an instant that is cut; others are as they are."""
    return at_ms - at_ms % 1000 if is_cut(at_ms) else at_ms


def last_part(arn: str) -> str:
    """The id that an ARN ends with; all of it where it has no parts."""
    return arn.rpartition("/")[2].strip()


def queue_of(queue: Fields, *arn: str) -> str:
    """The queue's id; `agent` for one that is an agent's own; "" where none is told."""
    parts = queue.text(*arn).split("/")
    if queue.word("queueType") == "AGENT" or parts[-3:-1] == ["queue", "agent"]:
        return AGENT_QUEUE
    return parts[-1].strip()


def _is_told(value: object) -> bool:
    if isinstance(value, str):
        text = value.strip()
        return bool(text) and text.lower() != "null"
    return value is not None


def _instant(text: str) -> int | None:
    try:
        at = datetime.fromisoformat(text.strip())
        at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        return (at - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        return None
