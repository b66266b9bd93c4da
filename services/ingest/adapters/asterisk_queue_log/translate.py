"""Lines of a queue_log → our events: the clock, and which event is whose matter. Pure.

Everything runs on the log's clock. What it cuts to whole seconds is told as cut (`precision_ms`); of how a
visit ended it knows better than AMI (rank 1). Where AMI speaks for the same system too, agents' states
and ringing are left to it, because it has them when they happen. Mapping: SOURCES.md §3.
"""

from collections.abc import Callable, Mapping
from functools import partial

from msgspec import Struct, structs

from schemas.config import SourceConfig
from schemas.events import AHEAD_MS, SourceEvent
from schemas.vocabulary import EndedBy, Outcome, TransferKind
from services.ingest.adapters.asterisk_queue_log.agents import Agent, Agents
from services.ingest.adapters.asterisk_queue_log.calls import Calls
from services.ingest.adapters.asterisk_queue_log.lines import WHOLE_SECONDS_MS, Line, Lines
from services.ingest.adapters.asterisk_queue_log.visits import Known
from services.ingest.facts import Facts
from services.ingest.timers import Timers
from services.ingest.translated import Pseudonyms, Spoiled, Translated, type_name

RANK = 1
LAG_MS = 1_000
"""How long a line may be under way: what it could still change is not due before."""
CLOCK_STEP_MS = 2_000
AHEAD = (
    "the log is ahead of the clock here by more than 5 minutes: set the clocks (NTP) of this machine and of "
    "Asterisk's; of a table also see time_zone"
)
PASSED_OVER = frozenset({"PENALTY", "RINGINUSE", "CONFIGRELOAD", "PAUSEALL", "UNPAUSEALL", "OUTCALL"})
"""Known, and of no use: for PAUSEALL a PAUSE of each queue follows."""

Handler = Callable[[Line], str | None]


class Memory(Struct, frozen=True, kw_only=True):
    """All that a translator remembers, after the last line that it was given."""

    latest_ms: int
    known: Known
    agents: dict[str, Agent]
    columns: list[str] | None = None


class Translator:
    """One source's lines, in their order. `tells_agents`: nobody else does. `memory`: goes on from there."""

    def __init__(
        self,
        source: SourceConfig,
        pseudonyms: Pseudonyms,
        *,
        tells_agents: bool = True,
        memory: Memory | None = None,
    ) -> None:
        memory = memory or Memory(latest_ms=0, known=Known(), agents={})
        self._names = source.agents
        self._lines = Lines(source, columns=memory.columns)
        self._facts = Facts(structs.replace(source, agents={}), rank=RANK, precision_ms=WHOLE_SECONDS_MS)
        self._timers = Timers()
        self._agents = Agents(
            self._facts,
            states=source.states,
            ours=lambda queue: source.map.get(queue, queue),
            known=memory.agents,
        )
        self._tells_agents = tells_agents
        self._calls = Calls(
            source,
            pseudonyms,
            facts=self._facts,
            timers=self._timers,
            agents=self._agents if tells_agents else None,
            known=memory.known,
        )
        self._handlers = self._table()
        self._rest = Translated()
        self._offset_ms = 0
        self._latest_ms = memory.latest_ms

    def line(self, raw: bytes, received_ms: int, *, is_live: bool = False) -> list[SourceEvent]:
        """What a line tells, and what was due before it. `is_live`: it has just been written, so that its
        instant shows where the log's clock stands.
        """
        self._facts.received_ms = received_ms
        line = self._lines.read(raw)
        if isinstance(line, Spoiled):
            self._rest.spoiled.append(line)
        elif line is not None and line.at_ms > received_ms + AHEAD_MS:
            self._rest.fault = AHEAD
            self._rest.spoiled.append(Spoiled.of(raw, f"{type_name(line.event)}: ahead of the clock here"))
        elif line is not None:
            self._rest.fault = None
            if is_live:
                self._offset_ms = received_ms - line.at_ms
            self._advance(line.at_ms)
            self._handle(line)
        return self._facts.take()

    def due(self, now_ms: int) -> list[SourceEvent]:
        """What is due by the caller's clock, with no line written."""
        self._facts.received_ms = now_ms
        self._run_timers(now_ms - self._offset_ms - LAG_MS)
        return self._facts.take()

    def rest(self, end_ms: int) -> list[SourceEvent]:
        """What is due until an instant of the log's clock: of a log that is over."""
        self._facts.received_ms = end_ms
        self._run_timers(end_ms)
        return self._facts.take()

    def heartbeat(self, now_ms: int) -> list[SourceEvent]:
        """The log can be read."""
        self._facts.received_ms = now_ms
        self._facts.heartbeat(None)
        return self._facts.take()

    def take_rest(self) -> Translated:
        """Everything but events since the last time. The fault holds until a line can be used again."""
        rest, self._rest = self._rest, Translated(fault=self._rest.fault)
        return rest

    def memory(self) -> Memory:
        """As of now; it is not to be kept while lines are given, but written down."""
        return Memory(
            latest_ms=self._latest_ms,
            known=self._calls.visits.known,
            agents=self._agents.known,
            columns=self._lines.columns,
        )

    def _table(self) -> Mapping[str, Handler]:
        calls = self._calls
        return {
            "ENTERQUEUE": calls.entered,
            "RINGNOANSWER": calls.not_answered,
            "RINGCANCELED": calls.canceled,
            "AGENTDUMP": calls.dumped,
            "SYSCOMPAT": calls.dumped,
            "CONNECT": calls.connected,
            "COMPLETECALLER": partial(calls.completed, by=EndedBy.CUSTOMER),
            "COMPLETEAGENT": partial(calls.completed, by=EndedBy.AGENT),
            "ABANDON": partial(calls.left, outcome=Outcome.ABANDONED, wait_at=2),
            "EXITWITHTIMEOUT": partial(calls.left, outcome=Outcome.TIMEOUT, wait_at=2),
            "EXITEMPTY": partial(calls.left, outcome=Outcome.EMPTY, wait_at=2),
            "EXITWITHKEY": partial(calls.left, outcome=Outcome.KEY, wait_at=3),
            "WITHDRAW": partial(calls.left, outcome=Outcome.WITHDRAWN, wait_at=2),
            "BLINDTRANSFER": partial(calls.transferred, kind=TransferKind.BLIND),
            "ATTENDEDTRANSFER": partial(calls.transferred, kind=TransferKind.ATTENDED),
            "QUEUESTART": self._restarted,
            "ADDMEMBER": self._added,
            "REMOVEMEMBER": self._removed,
            "PAUSE": self._paused,
            "UNPAUSE": self._unpaused,
            "AGENTLOGIN": self._logged_in,
            "AGENTLOGOFF": self._logged_off,
            # 1.4's, and what Wazo and others write by QueueLog() in the dialplan
            "TRANSFER": partial(calls.transferred, kind=TransferKind.BLIND),
            "AGENTCALLBACKLOGIN": self._logged_in,
            "AGENTCALLBACKLOGOFF": self._logged_off,
            "LEAVEEMPTY": partial(calls.left, outcome=Outcome.EMPTY, wait_at=2),
            "FULL": partial(calls.refused, outcome=Outcome.OVERFLOW),
            "CLOSED": partial(calls.refused, outcome=Outcome.CLOSED),
            "JOINEMPTY": partial(calls.refused, outcome=Outcome.EMPTY),
        }

    def _handle(self, line: Line) -> None:
        handler = self._handlers.get(line.event)
        if handler is None and line.event not in PASSED_OVER:
            self._rest.unknown[type_name(line.event)] += 1
            return
        self._rest.types[line.event] += 1
        if handler is None:
            return
        self._facts.precision_ms = line.precision_ms
        wrong = handler(structs.replace(line, agent=self._names.get(line.agent, line.agent)))
        if wrong is not None:
            self._rest.spoiled.append(Spoiled.of(line.raw, f"{line.event}: {wrong}"))
        self._tell_agents(line.at_ms, inferred=line.event == "QUEUESTART")

    # --- agents ---

    def _added(self, line: Line) -> str | None:
        return self._of_member(line, partial(self._agents.add, is_paused=line.text(0) == "PAUSED"))

    def _removed(self, line: Line) -> str | None:
        return self._of_member(line, self._agents.remove)

    def _paused(self, line: Line) -> str | None:
        return self._of_member(line, partial(self._agents.pause, reason=line.text(0)))

    def _unpaused(self, line: Line) -> str | None:
        return self._of_member(line, partial(self._agents.pause, reason=None))

    def _of_member(self, line: Line, change: Callable[[str, str], object]) -> str | None:
        if not line.queue or not line.agent:
            return "queue or agent is missing"
        change(line.agent, line.queue)
        return None

    def _logged_in(self, line: Line) -> str | None:
        return self._log_in(line, is_in=True)

    def _logged_off(self, line: Line) -> str | None:
        return self._log_in(line, is_in=False)

    def _log_in(self, line: Line, *, is_in: bool) -> str | None:
        if not line.agent:
            return "agent is missing"
        self._agents.log_in(line.agent, is_in=is_in)
        return None

    def _restarted(self, line: Line) -> str | None:
        self._calls.restarted(line.at_ms)
        self._agents.lose()
        return None

    def _tell_agents(self, at_ms: int, *, inferred: bool = False) -> None:
        if self._tells_agents:
            self._agents.tell(at_ms, inferred=inferred)

    # --- the clock ---

    def _advance(self, at_ms: int) -> None:
        """The log's clock is at `at_ms`: what was due until then is done first."""
        is_set_back = at_ms < self._latest_ms - CLOCK_STEP_MS
        self._run_timers(self._latest_ms if is_set_back else at_ms)
        self._latest_ms = at_ms if is_set_back else max(self._latest_ms, at_ms)

    def _run_timers(self, until_ms: int) -> None:
        self._facts.precision_ms = WHOLE_SECONDS_MS
        self._timers.run(until_ms, after=self._tell_agents)
