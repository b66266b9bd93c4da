"""Folds Asterisk's queue_log into contacts, by itself: the standard library only, none of our code.

`python -m tests.oracle.queue_log FILE` prints one contact a line. The form of the file: Asterisk
writes `epoch_s|callid|queue|agent|EVENT|p1|p2|…`, whole seconds, truncated; its order is the only
order. Where each event keeps its wait: the table of app_queue.c, branch 22.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass

_EXITS = {
    "CONNECT": ("answered", 0),
    "ABANDON": ("abandoned", 2),
    "EXITWITHTIMEOUT": ("timeout", 2),
    "EXITEMPTY": ("empty", 2),
    "EXITWITHKEY": ("key", 3),
    "WITHDRAW": ("withdrawn", 2),
}
"""What ends a visit: our word, and which parameter (from 0) holds the wait in whole seconds."""


@dataclass
class Contact:
    """One visit of one caller to one queue. `outcome` None: the log ends, or Asterisk did, before it."""

    callid: str
    queue: str
    entered_s: int
    outcome: str | None = None
    agent: str | None = None
    wait_s: int | None = None
    talk_s: int | None = None


def fold(lines: Iterable[str]) -> list[Contact]:
    """Every visit, in order of entering."""
    found: list[Contact] = []
    latest: dict[tuple[str, str], Contact] = {}
    for line in lines:
        fields = line.rstrip("\n").split("|")
        if len(fields) < 5:
            continue
        epoch, callid, queue, agent, event, *parameters = fields
        if event == "ENTERQUEUE":
            latest[callid, queue] = Contact(callid, queue, int(epoch))
            found.append(latest[callid, queue])
        elif event == "QUEUESTART":
            latest.clear()
        elif (callid, queue) in latest:
            _add(latest[callid, queue], event, agent, parameters)
    return found


def _add(contact: Contact, event: str, agent: str, parameters: list[str]) -> None:
    if event in _EXITS and contact.outcome is None:
        contact.outcome, place = _EXITS[event]
        contact.wait_s = int(parameters[place])
        contact.agent = agent if event == "CONNECT" else None
    elif event in ("COMPLETECALLER", "COMPLETEAGENT"):
        contact.talk_s = int(parameters[1])


def main() -> None:
    with open(sys.argv[1], encoding="utf-8", errors="replace") as file:
        for c in fold(file):
            print(c.callid, c.queue, c.entered_s, c.outcome, c.agent or "-", c.wait_s, sep="\t")


if __name__ == "__main__":
    main()
