"""On which line of a TOML text each value stands. The standard parser gives values without places.

It expects a text that the standard parser has accepted, so it only has to find its way.
"""

import re

Place = tuple[str | int, ...]
"""The way to a value: names of tables and keys, positions in arrays."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"[ \t]*(?:\"((?:[^\"\\]|\\.)*)\"|'([^']*)'|([A-Za-z0-9_-]+))[ \t]*")
_STRING = re.compile(r"\"\"\"(?:[^\\]|\\.)*?\"{3,5}|'''.*?'{3,5}|\"(?:[^\"\\]|\\.)*\"|'[^']*'", re.S)
_BARE = re.compile(r"[^,\]}\n#]+")


def lines_of(text: str) -> dict[Place, int]:
    """The line, from 1, of every table, array element and value of the text."""
    return _Scanner(text).scan()


def line_of(lines: dict[Place, int], place: Place) -> int | None:
    """The line of a value, or of what would hold it if it were there."""
    while place:
        if place in lines:
            return lines[place]
        place = place[:-1]
    return None


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lines: dict[Place, int] = {}
        self._counts: dict[Place, int] = {}

    def scan(self) -> dict[Place, int]:
        table: Place = ()
        while self._skip_blank() < len(self._text):
            if self._text.startswith("[[", self._at):
                table = self._header(2, array=True)
            elif self._text.startswith("[", self._at):
                table = self._header(1, array=False)
            else:
                self._pair(table)
        return self._lines

    def _header(self, width: int, *, array: bool) -> Place:
        line = self._line()
        self._at += width
        names = self._dotted()
        self._at += width
        table = self._resolve(names[:-1])
        if array:
            position = self._counts.get((*table, names[-1]), 0)
            self._counts[(*table, names[-1])] = position + 1
            table = (*table, names[-1], position)
        else:
            table = self._resolve(names)
        self._lines.setdefault(table, line)
        return table

    def _resolve(self, names: list[str]) -> Place:
        """The table of these names; an array of tables on the way means its last element."""
        place: Place = ()
        for name in names:
            place = (*place, name)
            if place in self._counts:
                place = (*place, self._counts[place] - 1)
        return place

    def _pair(self, table: Place) -> None:
        line = self._line()
        place = (*table, *self._dotted())
        self._lines.setdefault(place, line)
        self._at += 1  # the equals sign
        self._value(place)

    def _dotted(self) -> list[str]:
        names = []
        while match := _KEY.match(self._text, self._at):
            self._at = match.end()
            names.append(next(group for group in match.groups() if group is not None))
            if not self._text.startswith(".", self._at):
                break
            self._at += 1
        return names

    def _value(self, place: Place) -> None:
        self._skip_blank()
        self._lines.setdefault(place, self._line())
        if match := _STRING.match(self._text, self._at):
            self._at = match.end()
        elif self._text.startswith("[", self._at):
            self._members(place, "]")
        elif self._text.startswith("{", self._at):
            self._members(place, "}")
        elif match := _BARE.match(self._text, self._at):
            self._at = match.end()

    def _members(self, place: Place, end: str) -> None:
        self._at += 1
        position = 0
        while self._skip_blank() < len(self._text) and not self._text.startswith(end, self._at):
            if self._text.startswith(",", self._at):
                self._at += 1
            elif end == "]":
                self._value((*place, position))
                position += 1
            else:
                self._pair(place)
        self._at += 1

    def _skip_blank(self) -> int:
        match = _BLANK.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at

    def _line(self) -> int:
        return self._text.count("\n", 0, self._at) + 1
