"""What the supervisor writes, in monitor.jsonl and telemetry.jsonl: one frozen dataclass a type."""

from dataclasses import dataclass
from typing import Literal

from trainer.run.event import EndState, Event


@dataclass(frozen=True, kw_only=True, slots=True)
class SupervisorStarted(Event):
    """An attempt begins: who watches it."""

    type: Literal["supervisor_started"] = "supervisor_started"
    pid: int
    host: str
    boot_id: str
    ranks: int = 1
    restart: int = 0  # which automatic restart this is; 0: started by a person


@dataclass(frozen=True, kw_only=True, slots=True)
class RankStarted(Event):
    """A trainer process was started."""

    type: Literal["rank_started"] = "rank_started"
    rank: int
    pid: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandReceived(Event):
    """The supervisor saw a command; refused ones say why."""

    type: Literal["command_received"] = "command_received"
    id: str
    command: str
    accepted: bool
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StopRung(Event):
    """A rung of the stop ladder was reached."""

    type: Literal["stop_rung"] = "stop_rung"
    rung: Literal["asked", "sigterm", "sigkill"]
    reason: str
    next_seconds: float | None = None  # until the next rung


@dataclass(frozen=True, kw_only=True, slots=True)
class Stalled(Event):
    """No progress for too long, or progress again."""

    type: Literal["stalled"] = "stalled"
    stalled: bool
    silent_seconds: float
    limit_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert(Event):
    """A rule over the run's state fired."""

    type: Literal["alert"] = "alert"
    rule: str
    severity: Literal["warning", "bad"]
    step: int
    value: float | None
    message: str
    advice: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Exit(Event):
    """The exit record: how the attempt ended."""

    type: Literal["exit"] = "exit"
    state: EndState
    code: int  # 0 finished, 3 stopped, 2 bad config or data, 1 failed or crashed
    signal: str | None = None  # of the trainer, such as SIGKILL
    step: int = 0
    message: str = ""
    will_restart: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class OnExitDone(Event):
    """The on_exit command ran."""

    type: Literal["on_exit_done"] = "on_exit_done"
    code: int | None  # None: it did not end in time
    output: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class MonitorMoved(Event):
    """A long monitor.jsonl was moved aside; the first line of the one that goes on."""

    type: Literal["monitor_moved"] = "monitor_moved"
    file: str  # where the lines before are, with those that are repeated here
    copies: int  # lines after this one that are repeated from there


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuSample:
    """One GPU at one moment; None: not available."""

    index: int
    uuid: str
    name: str
    utilization: float | None = None  # share of time, 0 to 1
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    power_watts: float | None = None
    power_limit_watts: float | None = None
    temperature_celsius: float | None = None
    sm_clock_mhz: int | None = None
    throttle_reasons: tuple[str, ...] = ()
    lost: bool = False  # the driver no longer reaches it


@dataclass(frozen=True, kw_only=True, slots=True)
class Telemetry(Event):
    """GPU and host at one moment."""

    type: Literal["telemetry"] = "telemetry"
    gpus: tuple[GpuSample, ...] = ()
    gpu_note: str = ""  # why there are none
    cpu_share: float | None = None  # of all cores, 0 to 1
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    trainer_memory_bytes: int | None = None  # resident, all ranks and their workers
    disk_free_bytes: int | None = None
    disk_total_bytes: int | None = None


MonitorEvent = (
    SupervisorStarted
    | RankStarted
    | CommandReceived
    | StopRung
    | Stalled
    | Alert
    | Exit
    | OnExitDone
    | MonitorMoved
)
