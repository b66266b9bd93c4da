"""One line per queue, in columns that fit. A figure that is not live stands in brackets and does not tick;
of a queue that was never heard there is none."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from schemas.board import QueueRow, Ratio, ServiceLevel
from schemas.vocabulary import Freshness, WindowName
from services.cli.terminal.states import State
from services.cli.terminal.words import GAP, NOTHING, age, columns_of, duration, fit, paint, percent, plain


class Cell(Struct, frozen=True):
    """One queue, seen at one instant: what the columns are made of."""

    row: QueueRow
    state: State
    window: WindowName
    now_ms: int

    @property
    def is_known(self) -> bool:
        """False of a queue that was never heard, also when the board itself is cut off."""
        return self.row.freshness is not Freshness.UNKNOWN


class Column(Struct, frozen=True):
    """`drop`: the columns of the lowest number go first when space is short; 0 never goes."""

    title: str
    text: Callable[[Cell], str]
    drop: int
    is_right: bool = True


def table(cells: Sequence[Cell], width: int, *, colour: bool) -> list[str]:
    if not cells:
        return [fit("This board has no queue yet. Queues appear with their first event.", width)]
    columns, texts = _choose(cells, width)
    texts = _cut_names(columns, texts, width)
    widths = [_wide(column, each) for column, each in zip(columns, texts, strict=True)]
    lines = [fit(_line([c.title for c in columns], columns, widths), width)]
    for number, cell in enumerate(cells):
        line = fit(_line([each[number] for each in texts], columns, widths), width)
        lines.append(paint(line, cell.state.colour if colour else ""))
    return lines


def longest_wait(cell: Cell) -> str:
    """Ticks while the queue is live; else as old as it was when last heard."""
    row = cell.row
    if row.oldest_entered_ms is None or not cell.is_known:
        return NOTHING
    return duration((_until_ms(cell) - row.oldest_entered_ms) / 1000)


def oldest_item(cell: Cell) -> str:
    """The age of the oldest open item by the calendar; it ticks like the longest wait."""
    row = cell.row
    if row.backlog is None or row.backlog.oldest_ms is None or not cell.is_known:
        return NOTHING
    return duration((_until_ms(cell) - row.backlog.oldest_ms) / 1000)


def _until_ms(cell: Cell) -> int:
    row = cell.row
    return cell.now_ms if cell.state.is_live else min(row.heard_ms or row.as_of_ms, row.as_of_ms)


def _choose(cells: Sequence[Cell], width: int) -> tuple[list[Column], list[list[str]]]:
    """The columns that fit, dropped in the wallboard's order, and their texts."""
    all_columns = [c for c in _COLUMNS if c.title != _ITEMS or any(cell.row.backlog for cell in cells)]
    for dropped in range(_LAST_DROP + 1):
        columns = [c for c in all_columns if c.drop == 0 or c.drop > dropped]
        columns = [_shorter(c, dropped) for c in columns]
        texts = [[c.text(cell) for cell in cells] for c in columns]
        total = sum(_wide(c, each) for c, each in zip(columns, texts, strict=True))
        if total + len(GAP) * (len(columns) - 1) <= width:
            break
    return columns, texts


def _cut_names(columns: Sequence[Column], texts: list[list[str]], width: int) -> list[list[str]]:
    """When even that is too wide, names give way, never figures."""
    total = sum(_wide(c, each) for c, each in zip(columns, texts, strict=True)) + len(GAP) * (
        len(columns) - 1
    )
    at = next(number for number, column in enumerate(columns) if column.title == "queue")
    room = max(_SHORTEST_NAME, _wide(columns[at], texts[at]) - max(0, total - width))
    return [[fit(text, room) for text in each] if number == at else each for number, each in enumerate(texts)]


def _wide(column: Column, texts: Sequence[str]) -> int:
    return max(map(columns_of, (column.title, *texts)))


def _shorter(column: Column, dropped: int) -> Column:
    """The column as it is once `dropped` steps were taken: shorter texts before shorter titles."""
    title, text = column.title, column.text
    if title == "service" and dropped >= _COUNTS_DROP:
        text = _service_short
    elif title == "queue" and dropped >= _NAMES_DROP:
        text = _short_name
    elif title == "state" and dropped >= _LAST_DROP:
        text = _state_short
    if dropped >= _LAST_DROP:
        title = _SHORT_TITLES.get(title, title)
    return Column(title, text, column.drop, column.is_right)


def _line(texts: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    parts = []
    for text, column, width in zip(texts, columns, widths, strict=True):
        pad = " " * (width - columns_of(text))
        parts.append(pad + text if column.is_right else text + pad)
    return GAP.join(parts).rstrip()


# What the columns say


def _figure(cell: Cell, text: str) -> str:
    """A figure that cannot be trusted stands in brackets; one that was never known is a dash."""
    if not cell.is_known:
        return NOTHING
    return text if cell.state.is_live or text in (NOTHING, _NOT_APPLICABLE) else f"({text})"


def _name(cell: Cell) -> str:
    return plain(cell.row.label)


def _short_name(cell: Cell) -> str:
    return plain(cell.row.short)


def _state(cell: Cell) -> str:
    if cell.state is State.STALE and cell.row.heard_ms is not None:
        since = duration(max(0, cell.now_ms - cell.row.heard_ms) / 1000)
        return f"{cell.state.shape} {cell.state.word} {since}"
    return f"{cell.state.shape} {cell.state.word}"


def _state_short(cell: Cell) -> str:
    return cell.state.shape if cell.state is State.NORMAL else f"{cell.state.shape} {cell.state.word}"


def _longest(cell: Cell) -> str:
    return _figure(cell, longest_wait(cell))


def _service(cell: Cell) -> str:
    level = _service_level(cell)
    if level is None:
        return NOTHING
    counts = f"{level.numerator}/{level.denominator} in {_threshold(level.threshold_s)}"
    return _figure(cell, f"{percent(level.value)}  {counts}" if level.denominator else f"{NOTHING}  n=0")


def _service_short(cell: Cell) -> str:
    """Without counts, but for rates of fewer than ten contacts."""
    level = _service_level(cell)
    if level is None or not level.denominator:
        return NOTHING
    few = f"  n={level.denominator}" if level.denominator < 10 else ""
    return _figure(cell, f"{percent(level.value)}{few}")


def _service_level(cell: Cell) -> ServiceLevel | None:
    window = cell.row.windows.get(cell.window)
    return None if window is None else window.service_level


def _abandonment(cell: Cell) -> str:
    """Where nobody hangs up, the share of items cleared within the promise, in words."""
    window = cell.row.windows.get(cell.window)
    if window is None:
        return NOTHING
    if window.abandonment is not None:
        return _figure(cell, _with_counts(window.abandonment))
    cleared = window.cleared
    is_told = cleared is not None and cleared.value is not None
    return _figure(cell, f"cleared {percent(cleared.value)}" if cleared and is_told else _NOT_APPLICABLE)


def _with_counts(ratio: Ratio) -> str:
    if ratio.value is None:
        return NOTHING
    return f"{percent(ratio.value)}  {ratio.numerator:g}/{ratio.denominator:g}"


def _backlog(cell: Cell) -> str:
    """Open items and the age of the oldest; nothing on phone and chat."""
    backlog = cell.row.backlog
    if backlog is None:
        return ""
    return _figure(cell, f"{backlog.open}, oldest {oldest_item(cell)}" if backlog.open else "0")


def _asa(cell: Cell) -> str:
    window = cell.row.windows.get(cell.window)
    return _figure(cell, duration(window.asa_s.value if window is not None else None))


def _threshold(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds > size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


_NOT_APPLICABLE, _ITEMS = "n/a", "backlog"
_SHORT_TITLES = {"waiting": "wait", "longest": "max", "service": "SL"}
_SHORTEST_NAME = 6
_COUNTS_DROP, _NAMES_DROP, _LAST_DROP = 4, 6, 7
_COLUMNS = (
    Column("state", _state, 0, is_right=False),
    Column("queue", _name, 0, is_right=False),
    Column("waiting", lambda cell: _figure(cell, str(cell.row.waiting)), 0),
    Column("longest", _longest, 0),
    Column("service", _service, 0),
    Column("abandoned", _abandonment, 3),
    Column(_ITEMS, _backlog, 4),
    Column("ASA", _asa, 1),
    Column("free", lambda cell: _figure(cell, str(cell.row.agents.available)), 5),
    Column("age", lambda cell: age(cell.row.heard_ms, cell.now_ms), 2),
)
"""Drop order of the wallboard: ASA, (age: the state says it), abandonment, counts, free; then short names."""
