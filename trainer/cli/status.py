"""How a run is, in a few milliseconds, for people and for programs."""

import time
from dataclasses import asdict, dataclass

from trainer.cli.note import about_lines
from trainer.run.events import Alert, GpuSample
from trainer.run.layout import RunLayout, checkpoint_step
from trainer.run.liveness import Status
from trainer.run.state import RunState
from trainer.run.summary import RunSummary, summarise
from trainer.words.lines import GLYPHS, phase_text, unread_text
from trainer.words.numbers import UNKNOWN, count, duration, significant, size

RECENT_ALERTS = 10


@dataclass(frozen=True)
class Overview:
    """A run, read from the ends of its files."""

    summary: RunSummary
    last_checkpoint: int | None  # step

    @property
    def layout(self) -> RunLayout:
        """Where it lies."""
        return self.summary.layout

    @property
    def state(self) -> RunState:
        """What its events tell."""
        return self.summary.state

    @property
    def status(self) -> Status:
        """In which state it is, and why."""
        return self.summary.status

    def as_json(self) -> dict[str, object]:
        """Return it as one JSON object; null is unknown."""
        return {
            "name": self.layout.name,
            "path": str(self.layout.root),
            **asdict(self.summary.about),
            "state": self.status.state,
            "since": self.status.since or None,
            "message": self.status.message,
            "held": self.status.held,
            "attempt": self.status.attempt,
            "owner": asdict(self.status.owner) if self.status.owner else None,
            "phase": asdict(self.state.phase) if self.state.phase else None,
            **self._progress(),
            **self._quality(),
            "alerts": [asdict(it) for it in self.recent_alerts],
            "last_checkpoint": self._checkpoint(),
            "exit": asdict(end) if (end := self.state.current.exit) else None,
            "gpus": [asdict(it) for it in self._gpus()],
            "broken_lines": self.state.broken_lines,
            "unknown_events": self.state.unknown_types,
        }

    def _progress(self) -> dict[str, object]:
        return {
            "step": self.state.step,
            "total_steps": self.state.total_steps,
            "epoch": self.state.epoch,
            "seconds_per_step": self.state.median_step_seconds,
            "remaining_seconds": self.state.remaining_seconds,
        }

    def _quality(self) -> dict[str, object]:
        step, evaluation = self.state.last_step, self.state.last_evaluation
        best = self.summary.best
        return {
            "loss": step.loss if step else None,
            "token_accuracy": step.token_accuracy if step else None,
            "gradient_norm": step.gradient_norm if step else None,
            "learning_rates": step.learning_rates if step else {},
            "tokens_per_second": step.tokens_per_second if step else None,
            "validation_loss": evaluation.loss if evaluation else None,
            "best_validation_loss": best.loss if best else None,
            "best_step": best.step if best else None,
            "skipped_records": self.summary.skipped,
        }

    def _checkpoint(self) -> dict[str, object] | None:
        step = self.last_checkpoint
        if step is None:
            return None
        return {"step": step, "path": str(self.layout.checkpoint(step))}

    def _gpus(self) -> list[GpuSample]:
        recent = self.state.recent_telemetry
        return list(recent[-1].gpus) if recent and self.status.held else []

    @property
    def recent_alerts(self) -> list[Alert]:
        """The newest alerts of the newest attempt."""
        mine = [it for it in self.state.alerts if it.attempt == self.state.attempt]
        return mine[-RECENT_ALERTS:]


def overview(layout: RunLayout) -> Overview:
    """Return how a run is; what is damaged about it is told and raises nothing."""
    return Overview(summarise(layout), newest_checkpoint(layout))


def newest_checkpoint(layout: RunLayout) -> int | None:
    """Return the step of the newest checkpoint folder."""
    try:
        steps = [checkpoint_step(it) for it in layout.checkpoints.iterdir()]
    except OSError:
        return None
    return max((it for it in steps if it is not None), default=None)


def status_lines(one: Overview) -> list[str]:
    """Return a run as a paragraph."""
    state, status = one.state, one.status
    ago = f" for {duration(time.time() - status.since)}" if status.since else ""
    name, *note = about_lines(one.layout.name, one.summary.about)
    lines = [f"{GLYPHS[status.state]} {name}  {status.state}{ago}  {status.message}", *note]
    lines.append(f"  {one.layout.root}, attempt {status.attempt}")
    if status.held and status.owner:
        lines.append(f"  supervisor {status.owner.pid} on {status.owner.host}")
    if state.phase and status.held and state.phase.name != "train":
        lines.append(f"  {phase_text(state.phase)}")
    lines.append(f"  {progress_text(state)}")
    if state.last_evaluation:
        lines.append(f"  {validation_text(one.summary)}")
    if one.last_checkpoint is not None:
        lines.append(f"  newest checkpoint: step {count(one.last_checkpoint)}")
    if state.skipped_count:
        lines.append(f"  {count(state.skipped_count)} records skipped")
    if unread := unread_text(state):
        lines.append(f"  ⚠ {unread}")
    lines += gpu_lines(state) if status.held else []
    for it in one.recent_alerts:
        glyph = "✗" if it.severity == "bad" else "⚠"
        lines.append(f"  {glyph} step {count(it.step)}: {it.message}; {it.advice}")
    return [line.rstrip() for line in lines]


def progress_text(state: RunState) -> str:
    """Return step, loss, pace and remaining time."""
    step = state.last_step
    text = f"step {count(state.step)}/{count(state.total_steps)}"
    if step:
        text += f"  epoch {significant(step.epoch)}  loss {significant(step.loss)}"
        text += f"  {significant(state.median_step_seconds)} s/step"
    if state.remaining_seconds:
        text += f"  {duration(state.remaining_seconds)} left"
    return text


def validation_text(summary: RunSummary) -> str:
    """Return the newest validation and the best one."""
    last, best = summary.state.last_evaluation, summary.best
    text = f"validation loss {significant(last.loss if last else None)}"
    if best:
        text += f", best {significant(best.loss)} at step {count(best.step)}"
    return text


def gpu_lines(state: RunState) -> list[str]:
    """Return a line per GPU, or why there is none."""
    if not state.recent_telemetry:
        return []
    sample = state.recent_telemetry[-1]
    if not sample.gpus:
        return [f"  GPU {sample.gpu_note}"]
    return [
        f"  GPU{it.index} {it.name}  {_percent(it.utilization)}  "
        f"{size(it.memory_used_bytes)}/{size(it.memory_total_bytes)}  "
        f"{significant(it.power_watts)}/{significant(it.power_limit_watts)} W  "
        f"{significant(it.temperature_celsius)} °C  {_condition(it)}"
        for it in sample.gpus
    ]


def _condition(gpu: GpuSample) -> str:
    return "lost by the driver" if gpu.lost else ", ".join(gpu.throttle_reasons)


def _percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{share:.0%}"


def table_lines(found: list[Overview]) -> list[str]:
    """Return runs as a table."""
    titled = any(it.summary.about.title for it in found)
    rows = [("", "name", "title", "state", "step", "loss", "validation", "s/step", "message")]
    rows += [_row(it) for it in found]
    if not titled:
        rows = [(*row[:2], *row[3:]) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _row(one: Overview) -> tuple[str, ...]:
    state = one.state
    last = state.last_evaluation
    return (
        GLYPHS[one.status.state],
        one.layout.name,
        one.summary.about.title,
        one.status.state,
        f"{count(state.step)}/{count(state.total_steps)}",
        significant(state.last_step.loss if state.last_step else None),
        significant(last.loss if last else None),
        significant(state.median_step_seconds),
        one.status.message,
    )
