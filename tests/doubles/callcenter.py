"""mod_callcenter in small: its tables, and the events that it fires, in its order and with its headers.

After mod_callcenter.c (signalwire/freeswitch, cc93a683). What happens is told to `listeners`, as headers;
what its tables hold is answered to `api`. Times are its own clock's: set by `at`, or running (`is_running`).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

Headers = dict[str, str]
START_MS = 1_795_321_200_000
"""Seconds in the tests are counted from here."""
TICK_US = 1_000
"""Between two events of one happening."""

_MEMBER = "queue instance_id uuid session_uuid cid_number cid_name system_epoch joined_epoch rejoined_epoch"
_MEMBER += " bridge_epoch abandoned_epoch base_score skill_score serving_agent serving_system state score"
_AGENT = "name instance_id uuid type contact status state max_no_answer wrap_up_time reject_delay_time"
_AGENT += " busy_delay_time no_answer_delay_time last_bridge_start last_bridge_end last_offered_call"
_AGENT += " last_status_change no_answer_count calls_answered talk_time ready_time external_calls_count"


@dataclass
class Member:
    """A row of `members`; instants in epoch seconds."""

    queue: str
    uuid: str
    session: str
    number: str
    name: str
    joined_s: int
    rejoined_s: int = 0
    bridged_s: int = 0
    abandoned_s: int = 0
    agent: str = ""
    state: str = "Waiting"


@dataclass
class Agent:
    """A row of `agents`."""

    name: str
    status: str
    wrap_up_s: int = 0
    state: str = "Waiting"
    uuid: str = ""
    bridge_ended_s: int = 0


@dataclass
class CallCenter:
    """`channels`: those that live, with whose they are. `is_loaded`: mod_callcenter is there."""

    core: str = "11f751fa-core-1"
    us: int = START_MS * 1000
    is_running: bool = False
    is_loaded: bool = True
    booted_us: int = (START_MS - 86_400_000) * 1000
    listeners: list[Callable[[Headers], None]] = field(default_factory=list)
    queues: dict[str, None] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    tiers: list[tuple[str, str]] = field(default_factory=list)
    members: dict[str, Member] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=dict)
    issued: set[str] = field(default_factory=set)
    sequence: int = 9000

    # --- the clock ---

    def now_us(self) -> int:
        return time.time_ns() // 1000 if self.is_running else self.us

    def now_s(self) -> int:
        return self.now_us() // 1_000_000

    def at(self, s: float) -> "CallCenter":
        """It is so many seconds after START_MS."""
        self.us = START_MS * 1000 + round(s * 1_000_000)
        return self

    # --- agents ---

    def agent(self, name: str, *queues: str, status: str = "Available", wrap_up_s: int = 0) -> None:
        """Somebody who is there before anybody listens."""
        self.agents[name] = Agent(name, status, wrap_up_s)
        self.queues.update(dict.fromkeys(queues))
        self.tiers += [(queue, name) for queue in queues]

    def status(self, name: str, status: str) -> None:
        self.agents[name].status = status
        self._fire("agent-status-change", CC_Agent=name, CC_Agent_Status=status)

    def state(self, name: str, state: str) -> None:
        self.agents[name].state = state
        self._fire("agent-state-change", CC_Agent=name, CC_Agent_State=state)

    def delete_agent(self, name: str) -> None:
        """Which fires nothing at all."""
        del self.agents[name]
        self.tiers = [tier for tier in self.tiers if tier[1] != name]

    # --- members ---

    def enter(self, session: str, queue: str = "support", member: str = "", number: str = "") -> Member:
        """A caller enters the queue. `member` as it was: he comes back to his place."""
        self.queues[queue] = None
        self.channels[session] = "member"
        row, verb = self.members.get(member), "resume"
        if row is None:
            verb, uuid = "start", f"m-{session}" + ("" if session not in self.issued else f"-{self.now_s()}")
            self.issued.add(session)
            row = Member(queue, uuid, session, number or "+33102030405", "Zoe Caller", self.now_s())
        else:
            row.session, row.state, row.rejoined_s = session, "Waiting", self.now_s()
        self._fire(f"member-queue-{verb}", **self._channel(session), **self._of(row))
        self.members[row.uuid] = row
        self.count(queue)
        return row

    def offer(self, member: Member, agent: str, *, is_all: bool = False) -> None:
        """An agent is called. `is_all`: so are others, and no one of them serves."""
        member.state, member.agent = "Trying", "ring-all" if is_all else agent
        self.state(agent, "Receiving")
        self._fire("agent-offering", **self._of(member), **_served(agent), CC_Agent_Type="callback")

    def answer(self, member: Member, agent: str) -> None:
        """The agent answers and is bridged."""
        self.pick_up(member, agent)
        self.bridge(member, agent)

    def pick_up(self, member: Member, agent: str) -> str:
        """The agent answers; the caller is not bridged yet. His channel."""
        member.agent = agent
        leg = self.leg(member, agent)
        self.channels[leg] = "agent"
        self._fire(
            "bridge-agent-start", **self._channel(leg), **self._of(member), **self._bridge(member, agent)
        )
        return leg

    def bridge(self, member: Member, agent: str) -> None:
        member.state, member.bridged_s = "Answered", self.now_s()
        self.agents[agent].uuid = self.leg(member, agent)
        self.state(agent, "In a queue call")
        self.count(member.queue)

    def fall_through(self, member: Member, agent: str) -> None:
        """The bridge fails: the agent's phone is gone; the caller waits on."""
        self.channels.pop(self.leg(member, agent), None)
        self._end_bridge(member, agent, bridged="false")
        member.state, member.agent = "Waiting", ""
        self.state(agent, "Waiting")

    def fail(self, member: Member, agent: str, cause: str = "NO_ANSWER", *, count: int = 0) -> None:
        """The agent was called in vain; `count`: so often that he is put on break."""
        if member.state == "Trying":
            member.state, member.agent = "Waiting", ""
        if count:
            self._fire(
                "agent-max-no-answer",
                CC_Agent=agent,
                CC_Agent_No_Answer_Count=str(count),
                CC_Agent_No_Answer_Status="On Break",
                CC_Member_UUID=member.uuid,
                CC_Member_Session_UUID=member.session,
            )
            self.status(agent, "On Break")
        times = {"CC-Agent-Called-Time": str(self.now_s()), "CC-Agent-Aborted-Time": str(self.now_s())}
        self._fire("bridge-agent-fail", **self._of(member), **_served(agent), **times, CC_Hangup_Cause=cause)
        self.state(agent, "Waiting")

    def lose_race(self, agent: str) -> None:
        """He answered second: nothing is said but his state."""
        self.state(agent, "Waiting")

    def hang_up_agent(self, member: Member, agent: str, *, how: str = "recv_bye", moved: str = "") -> None:
        """The agent's part is over. `moved`: how he transferred the caller."""
        self.channels.pop(self.leg(member, agent), None)
        more = {"variable_sip_hangup_disposition": how}
        more |= {"variable_endpoint_disposition": moved} if moved else {}
        self._end_bridge(member, agent, bridged="true", **more)
        self.agents[agent].bridge_ended_s = self.now_s()
        self.agents[agent].uuid = ""
        self.members.pop(member.uuid, None)
        left = {"CC-Member-Leaving-Time": str(self.now_s()), "CC-Cause": "Terminated"}
        self._fire("member-queue-end", **self._of(member), **self._bridge(member, agent), **left)
        is_on_demand = self.agents[agent].status == "Available (On Demand)"
        self.state(agent, "Idle" if is_on_demand else "Waiting")

    def cancel(self, member: Member, reason: str = "BREAK_OUT", *, is_hung_up: bool = False) -> None:
        """The member leaves unserved. `is_hung_up`: his channel is known to be down by then."""
        member.state, member.abandoned_s, session, member.session = (
            "Abandoned",
            self.now_s(),
            member.session,
            "",
        )
        told = {**self._of(member), "CC-Member-Session-UUID": session, "CC-Cause": "Cancel"}
        told |= {"CC-Cancel-Reason": reason, "Answer-State": "hangup" if is_hung_up else "answered"}
        told |= {"CC-Member-Leaving-Time": str(self.now_s()), "CC-Member-Joined-Time": str(member.joined_s)}
        self._fire("member-queue-end", **self._channel(session), **told)
        self.count(member.queue)

    def hang_up(self, session: str, *, how: str = "recv_bye") -> None:
        """The channel is over."""
        side = self.channels.pop(session, "member")
        told = {
            "Unique-ID": session,
            "variable_cc_side": side,
            "Caller-Channel-Hangup-Time": str(self.now_us()),
        }
        told |= {"Caller-Caller-ID-Number": "+33102030405", "variable_sip_hangup_disposition": how}
        self._tell("CHANNEL_HANGUP_COMPLETE", told)

    def abandon(self, member: Member) -> None:
        """The caller hangs up while waiting."""
        session = member.session
        self.cancel(member, is_hung_up=True)
        self.hang_up(session)

    def hold(self, leg: str, *, is_start: bool = True) -> None:
        told = {"Unique-ID": leg, "variable_cc_side": self.channels.get(leg, "agent")}
        self._tell("CHANNEL_HOLD" if is_start else "CHANNEL_UNHOLD", told)

    def count(self, queue: str) -> None:
        n = sum(row.queue == queue and row.state in ("Waiting", "Trying") for row in self.members.values())
        self._fire("members-count", CC_Queue=queue, CC_Count=str(n), CC_Selection="Single-Queue")

    def leg(self, member: Member, agent: str) -> str:
        return f"{member.uuid}-{agent}"

    def crash(self, *, core: str = "11f751fa-core-2") -> None:
        """Ends and starts again, with what the database kept (`load_config`, unclean shutdown)."""
        self.core, self.sequence, self.booted_us = core, 400, self.now_us()
        self.channels.clear()
        for agent in self.agents.values():
            agent.state, agent.uuid = "Waiting", ""
        for member in self.members.values():
            member.state, member.session = "Abandoned", ""

    # --- questions ---

    def api(self, words: str) -> str:
        """What `api` answers."""
        name, _, rest = words.partition(" ")
        if name == "callcenter_config" and self.is_loaded:
            return self._config(rest)
        if name == "strmicroepoch":
            return str(self.now_us())
        if name == "uptime":
            return f"{(self.now_us() - self.booted_us) // 1_000_000}\n"
        if words == "global_getvar core_uuid":
            return self.core
        if name == "uuid_exists":
            return "true" if rest in self.channels else "false"
        return f"-ERR {name} Command not found!\n"

    def _config(self, words: str) -> str:
        if words == "queue list":
            lines = [f"{name}|longest-idle-agent|local_stream://moh|/rec/a|b.wav" for name in self.queues]
            return "".join(f"{line}\n" for line in ["name|strategy|moh_sound|record_template", *lines, "+OK"])
        if words == "agent list":
            return _table(_AGENT, [self._agent_row(agent) for agent in self.agents.values()])
        if words == "tier list":
            rows = [[queue, agent, "Ready", "1", "1"] for queue, agent in self.tiers]
            return _table("queue agent state level position", rows)
        if words.startswith("queue list members "):
            rows = [self._row(m) for m in self.members.values() if m.queue == words.split(" ")[3]]
            return _table(_MEMBER, rows)
        return "-ERR Invalid!\n"

    def _row(self, m: Member) -> list[str]:
        epochs = [m.joined_s, m.joined_s, m.rejoined_s, m.bridged_s, m.abandoned_s, 0, 0]
        system = "single_box"
        head = [m.queue, system, m.uuid, m.session, m.number, m.name]
        return [*head, *map(str, epochs), m.agent, system, m.state, "7"]

    def _agent_row(self, a: Agent) -> list[str]:
        head = [a.name, "single_box", a.uuid, "callback", "{a=b}user/1000|user/1001", a.status, a.state, "3"]
        return [*head, str(a.wrap_up_s), *"000", "0", str(a.bridge_ended_s), *"0000000"]

    # --- events ---

    def _end_bridge(self, member: Member, agent: str, *, bridged: str, **more: str) -> None:
        told = {**self._of(member), **self._bridge(member, agent), **more, "CC-Agent-Bridged": bridged}
        told |= {"CC-Bridge-Terminated-Time": str(self.now_s()), "CC-Hangup-Cause": "SUCCESS"}
        self._fire("bridge-agent-end", **self._channel(self.leg(member, agent)), **told)

    def _of(self, row: Member) -> Headers:
        return {
            "CC-Queue": row.queue,
            "CC-Member-UUID": row.uuid,
            "CC-Member-Session-UUID": row.session,
            "CC-Member-CID-Name": row.name,
            "CC-Member-CID-Number": row.number,
        }

    def _bridge(self, member: Member, agent: str) -> Headers:
        now = str(self.now_s())
        times = {"CC-Agent-Called-Time": now, "CC-Agent-Answered-Time": str(member.bridged_s or now)}
        joined = {"CC-Member-Joined-Time": str(member.joined_s), "CC-Agent-UUID": self.leg(member, agent)}
        return {**_served(agent), **times, **joined}

    def _channel(self, session: str) -> Headers:
        side = self.channels.get(session, "member")
        return {"Unique-ID": session, "Caller-ANI": "+33102030405", "variable_cc_side": side}

    def _fire(self, action: str, **headers: str) -> None:
        named = {key.replace("_", "-") if key.startswith("CC_") else key: v for key, v in headers.items()}
        self._tell("CUSTOM", {"Event-Subclass": "callcenter::info", **named, "CC-Action": action})

    def _tell(self, name: str, headers: Headers) -> None:
        self.sequence += 1
        told = {
            "Event-Name": name,
            "Core-UUID": self.core,
            "FreeSWITCH-Hostname": "pbx.example.com",
            "Event-Date-Timestamp": str(self.now_us()),
            "Event-Sequence": str(self.sequence),
            **headers,
        }
        self.us += TICK_US
        for listener in list(self.listeners):
            listener(told)


def _served(agent: str) -> Headers:
    return {"CC-Agent": agent, "CC-Agent-System": "single_box"}


def _table(columns: str, rows: list[list[str]]) -> str:
    """As `list_result_callback` writes it: no header where there is no row."""
    lines = [columns.replace(" ", "|"), *("|".join(row) for row in rows)] if rows else []
    return "".join(f"{line}\n" for line in [*lines, "+OK"])
