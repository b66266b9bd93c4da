"""The comparisons of rules: `> wait_limit_s`, `< 0.75 * wait_limit_s`, `>= 0.8`. SEMANTICS.md §7.

`<` `<=` `>` `>=`, then [number `*`] number or the name of a queue's setting.
"""

import operator
import re
from collections.abc import Callable, Mapping

from msgspec import Struct

from schemas.config import QueueConfig

SETTINGS = (
    "wait_limit_s",
    "service_level.target",
    "service_level.threshold_s",
    "service_level.short_abandon_s",
    "occupancy.low",
    "occupancy.high",
)
"""What an expression may name: a queue's setting, as it is in force."""

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NUMBER = r"-?\d+(?:\.\d+)?"
_FORM = re.compile(
    rf"\s*(?P<op><=|>=|<|>)\s*(?:(?P<factor>{_NUMBER})\s*\*\s*)?"
    rf"(?:(?P<number>{_NUMBER})|(?P<setting>[a-z][a-z0-9_.]*))\s*"
)


class Expression(Struct, frozen=True, kw_only=True):
    """A comparison with factor x number, or factor x setting when `setting` is there."""

    op: str
    factor: float = 1.0
    setting: str | None = None
    number: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Expression":
        """Raises `ValueError` with a sentence that says what would be understood."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError(f'"{text}" is not a comparison such as "> wait_limit_s" or "< 0.75 * 120"')
        op, factor, number, setting = match.group("op", "factor", "number", "setting")
        if setting is not None and setting not in SETTINGS:
            raise ValueError(f'"{setting}" is not a setting of a queue; there are {", ".join(SETTINGS)}')
        return cls(op=op, factor=float(factor or 1), setting=setting, number=float(number or 0))

    def limit(self, settings: Mapping[str, float]) -> float:
        """What the value is compared with, given a queue's settings (`settings_of`)."""
        return self.factor * (self.number if self.setting is None else settings[self.setting])

    def holds(self, value: float, limit: float) -> bool:
        """Whether `value` compares so with `limit`."""
        return _OPERATORS[self.op](value, limit)


def settings_of(queue: QueueConfig) -> dict[str, float]:
    """The settings in force of a queue, by the names of `SETTINGS`."""
    return {
        "wait_limit_s": queue.wait_limit_in_force_s,
        "service_level.target": queue.service_level.target,
        "service_level.threshold_s": queue.threshold_in_force_s,
        "service_level.short_abandon_s": queue.short_abandon_in_force_s,
        "occupancy.low": queue.occupancy[0],
        "occupancy.high": queue.occupancy[1],
    }
