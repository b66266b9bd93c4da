"""What a verification found: differences, what was compared, what could not be, and why."""

from collections import Counter
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct


class Difference(Struct, frozen=True, kw_only=True):
    """`what`: row, alert, delivery, state or log; `name`: which; `detail`: found beside expected."""

    what: str
    name: str
    detail: str

    def __str__(self) -> str:
        return f"{self.what} {self.name}: {self.detail}"


class Reading(Struct, frozen=True, kw_only=True):
    """One partition of `vigie.events`, [from_offset, to_offset). `applied`: the state knows it up to here."""

    partition: int
    from_offset: int
    to_offset: int
    applied: int


@dataclass
class Findings:
    """Everything that is found; `compared` and `omitted` count by their words."""

    readings: list[Reading] = field(default_factory=list)
    compared: Counter[str] = field(default_factory=Counter)
    omitted: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    def differ(self, what: str, name: str, detail: str) -> None:
        self.differences.append(Difference(what=what, name=name, detail=detail))


def as_json(findings: Findings) -> str:
    """One JSON object, its counts by words."""
    return msgspec.json.encode(
        {
            "equal": not findings.differences,
            "partitions": findings.readings,
            "compared": dict(findings.compared),
            "not_compared": dict(findings.omitted),
            "differences": findings.differences,
        }
    ).decode()


def as_text(findings: Findings, *, most: int = 200) -> str:
    """Lines for people; of the differences `most`."""
    lines = [
        f"partition {r.partition}: events {r.from_offset} to {r.to_offset - 1}, state as of {r.applied}"
        f" ({max(0, r.to_offset - 1 - r.applied)} behind)"
        if r.to_offset > r.from_offset
        else f"partition {r.partition}: no events"
        for r in findings.readings
    ]
    lines += [f"compared: {count} {words}" for words, count in findings.compared.items() if count]
    lines += [f"not compared: {count} {words}" for words, count in sorted(findings.omitted.items()) if count]
    lines += [f"different: {difference}" for difference in findings.differences[:most]]
    if len(findings.differences) > most:
        lines.append(f"… and {len(findings.differences) - most} more (--json has them all)")
    count = len(findings.differences)
    lines.append(
        f"{count} {'difference' if count == 1 else 'differences'}"
        if count
        else "no difference in what was compared"
    )
    return "\n".join(lines)
