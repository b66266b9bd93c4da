"""Which questions make a snapshot, and what their answers amount to. Pure.

The event socket replays nothing, so mod_callcenter's tables are read: queues, agents, tiers, the members of
each queue; then whether the channels that matter still live (zombies, members left over after a crash:
SOURCES.md §4). Who asks says what came back, in the order in which it asked.
"""

from collections.abc import Callable, Iterable

from msgspec import Struct

from services.ingest.adapters.freeswitch_esl.wire import Row, is_uuid, number, table

CONFIG = "callcenter_config"
CORE, UPTIME = "global_getvar core_uuid", "uptime"
QUEUES, AGENTS, TIERS = f"{CONFIG} queue list", f"{CONFIG} agent list", f"{CONFIG} tier list"
MEMBERS, EXISTS = f"{CONFIG} queue list members ", "uuid_exists "
WAITING_STATES = frozenset({"Waiting", "Trying"})
ANSWERED, ABANDONED = "Answered", "Abandoned"

NO_CALLCENTER = (
    "this FreeSWITCH has no mod_callcenter: load it (`load mod_callcenter`, and modules.conf.xml for the "
    "next start)"
)


class Snapshot(Struct, frozen=True, kw_only=True):
    """What mod_callcenter has. None: it was not told. `alive`: channels, as far as they were asked for."""

    core: str | None
    uptime_s: int | None
    members: dict[str, list[Row] | None]
    agents: list[Row] | None
    tiers: list[Row] | None
    alive: dict[str, bool]

    def covers(self, raw_queue: str) -> bool:
        """Whether who is not listed in the queue is not in it: also one that is not there any more."""
        return self.members.get(raw_queue, []) is not None

    def rows(self) -> Iterable[tuple[str, Row]]:
        """Every member, with the queue."""
        return ((queue, row) for queue, rows in self.members.items() for row in rows or ())

    def is_alive(self, channel: str) -> bool:
        """Unless it was said to be gone."""
        return self.alive.get(channel, True)


class Survey:
    """One snapshot in the making. `fault`: why there can be none, in one sentence."""

    def __init__(self, channels: Callable[[], Iterable[str]]) -> None:
        """`channels`: those of contacts that are believed to be there."""
        self.fault: str | None = None
        self._channels = channels
        self._pending: dict[str, None] = {}
        self._answers: dict[str, str] = {}
        self._has_asked_for_channels = False

    def begin(self) -> list[str]:
        """The first questions."""
        return self._ask([CORE, UPTIME, QUEUES, AGENTS, TIERS])

    @property
    def is_done(self) -> bool:
        return self._has_asked_for_channels and not self._pending

    def answer(self, question: str, text: str | None) -> list[str]:
        """Takes an answer, None when it was refused; what is to be asked now."""
        if question not in self._pending:
            return []
        del self._pending[question]
        if question == QUEUES:
            return self._queues(text)
        if text is not None and not text.startswith(("-ERR", "-USAGE")):
            self._answers[question] = text
        if self._pending or self._has_asked_for_channels:
            return []
        self._has_asked_for_channels = True
        return self._ask(f"{EXISTS}{channel}" for channel in self._questionable())

    def snapshot(self) -> Snapshot:
        return Snapshot(
            core=self._answers.get(CORE, "").strip() or None,
            uptime_s=number(self._answers.get(UPTIME, "").strip()),
            members={queue: self._members(queue) for queue in self._names()},
            agents=self._table(AGENTS, free="contact"),
            tiers=self._table(TIERS, free="agent"),
            alive={
                question.removeprefix(EXISTS): text.strip() == "true"
                for question, text in self._answers.items()
                if question.startswith(EXISTS)
            },
        )

    def _queues(self, text: str | None) -> list[str]:
        if text is None or text.startswith("-ERR"):
            self.fault = NO_CALLCENTER if text is not None and "not found" in text else _refused(QUEUES, text)
            return []
        self._answers[QUEUES] = text
        return self._ask(f"{MEMBERS}{name}" for name in self._names())

    def _names(self) -> list[str]:
        rows = self._table(QUEUES, free="record_template") or []
        return [name for row in rows if (name := row.get("name", "")) and " " not in name]

    def _members(self, queue: str) -> list[Row] | None:
        return self._table(f"{MEMBERS}{queue}", free="cid_name")

    def _table(self, question: str, *, free: str) -> list[Row] | None:
        text = self._answers.get(question)
        return table(text, free=free) if text is not None else None

    def _questionable(self) -> list[str]:
        listed = (row.get("session_uuid", "") for name in self._names() for row in self._members(name) or ())
        return [channel for channel in dict.fromkeys([*listed, *self._channels()]) if is_uuid(channel)]

    def _ask(self, questions: Iterable[str]) -> list[str]:
        asked = list(questions)
        self._pending.update(dict.fromkeys(asked))
        return asked


def _refused(question: str, text: str | None) -> str:
    said = text.strip().splitlines()[0][:100] if text and text.strip() else "no answer"
    return f"FreeSWITCH refuses `{question}` ({said})"
