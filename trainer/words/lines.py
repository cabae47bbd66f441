"""Events as lines that a person reads, and the line that says how far a run is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer.run.events import (
    Alert,
    AnyEvent,
    AttemptStarted,
    CheckpointFailed,
    CheckpointPublished,
    CheckpointRejected,
    CommandReceived,
    DataIndexed,
    Evaluation,
    Exit,
    FinalWritten,
    NonFinite,
    Notice,
    OnExitDone,
    PartTuned,
    Phase,
    Planned,
    RecordSkipped,
    Resumed,
    SamplePrediction,
    Stalled,
    StopRung,
    TrainabilityProved,
)
from trainer.run.liveness import Status
from trainer.run.state import RunState, RunStateName
from trainer.run.text import sanitise
from trainer.words.numbers import count, duration, significant, size

GLYPHS: dict[RunStateName, str] = {
    "starting": "◌",
    "running": "●",
    "stopping": "◐",
    "finished": "✓",
    "stopped": "■",
    "failed": "✗",
    "crashed": "⚡",
    "stalled": "…",
}
PHASE_WORDS = {
    "download": "downloading the model",
    "index": "indexing the data",
    "load": "loading the model",
    "vision_cache": "caching vision outputs",
    "train": "training",
    "evaluate": "evaluating",
    "save": "saving",
    "final": "writing the result",
}
ANSWER_CHARACTERS = 160
NAMED_RECORDS = 6  # of a step


def line_of(event: AnyEvent) -> str | None:
    """Return an event as a line, None for those that only move the progress line."""
    shown = _LINES.get(type(event))
    return shown(event) if shown else None


def _attempt_started(event: AttemptStarted) -> str:
    devices = ", ".join(event.devices) or "unknown device"
    return f"attempt {event.attempt} on {devices}, {event.threads} threads"


def _resumed(event: Resumed) -> str | None:
    if event.attempt == 1 and event.step == 0:
        return None
    origin = event.checkpoint or "the start: there is no checkpoint yet"
    return f"goes on from step {count(event.step)} ({origin})"


def _data_indexed(event: DataIndexed) -> str:
    cached = ", index from the cache" if event.cached else ""
    name = Path(event.file).name
    return f"{event.split}: {name}, {count(event.records)} records, {size(event.bytes)}{cached}"


def _planned(event: Planned) -> str:
    return (
        f"{count(event.records)} records, {count(event.validation_records)} for validation; "
        f"{count(event.steps_per_epoch)} steps an epoch, {count(event.total_steps)} in all"
    )


def _part_tuned(event: PartTuned) -> str:
    trained = f"{count(event.trainable_parameters)} of {count(event.parameters)} parameters trained"
    quantized = f", {event.quantized_layers} quantised layers" if event.quantized_layers else ""
    return f"{event.part}: {event.mode}, {trained}{quantized}"


def _proved(event: TrainabilityProved) -> str:
    return f"gradients reach all {count(event.tensors)} trainable tensors (step {event.step})"


def _checkpoint(event: CheckpointPublished) -> str:
    best = ", best so far" if event.best else ""
    return (
        f"✓ checkpoint of step {count(event.step)} "
        f"({size(event.bytes)}, {significant(event.seconds)} s{best})"
    )


def _checkpoint_failed(event: CheckpointFailed) -> str:
    return f"✗ no checkpoint at step {count(event.step)}: {event.reason}"


def _checkpoint_rejected(event: CheckpointRejected) -> str:
    return f"⚠ checkpoint of step {count(event.step)} is damaged and set aside: {event.reason}"


def _evaluation(event: Evaluation) -> str:
    best = "  best so far" if event.best else ""
    return (
        f"validation at step {count(event.step)}: loss {significant(event.loss)}, "
        f"perplexity {significant(event.perplexity)}, "
        f"token accuracy {significant(event.token_accuracy)}{best}"
    )


def _sample(event: SamplePrediction) -> str:
    truth, answer = (_short(it) for it in (event.truth, event.answer))
    mark = "=" if is_exact(event) else "≠"
    return f"  {Path(event.file).name}:{event.line}  truth {truth}  {mark}  model {answer}"


def is_exact(event: SamplePrediction) -> bool:
    """Whether the model answered just as the data does."""
    return event.truth.strip() == event.answer.strip()


def _short(text: str) -> str:
    return sanitise(" ".join(text.split()), ANSWER_CHARACTERS)


def _skipped(event: RecordSkipped) -> str:
    return f"⚠ skipped {Path(event.file).name}:{event.line}: {event.reason}"


def _non_finite(event: NonFinite) -> str:
    places = [
        f"{Path(file).name}:{line}"
        for file, _, line in (it.rpartition(":") for it in event.records)
    ]
    more = f" and {count(len(places) - NAMED_RECORDS)} more" if places[NAMED_RECORDS:] else ""
    records = f"; its records: {', '.join(places[:NAMED_RECORDS])}{more}" if places else ""
    return (
        f"⚠ the {event.what} of step {event.step} is not finite ({event.in_a_row} in a row); "
        f"no optimizer step was taken{records}"
    )


def _final(event: FinalWritten) -> str:
    partial = f", partial: step {count(event.step)}" if event.partial else ""
    return f"✓ result in {event.path} ({size(event.bytes)}{partial})"


def _notice(event: Notice) -> str:
    return f"· {event.message}"


def _alert(event: Alert) -> str:
    glyph = "✗" if event.severity == "bad" else "⚠"
    return f"{glyph} {event.message}; {event.advice}"


def _stalled(event: Stalled) -> str:
    if event.stalled:
        return f"… no progress for {duration(event.silent_seconds)}; console.log has the stacks"
    return "● it moves again"


def _stop_rung(event: StopRung) -> str:
    words = {
        "asked": "stopping after this step, with a checkpoint",
        "sigterm": "sent SIGTERM",
        "sigkill": "sent SIGKILL",
    }
    rest = f"; {duration(event.next_seconds)} until the next rung" if event.next_seconds else ""
    return f"◐ {words[event.rung]} ({event.reason}){rest}"


def _refused(event: CommandReceived) -> str | None:
    return None if event.accepted else f"⚠ command {event.command} refused: {event.reason}"


def _exit(event: Exit) -> str:
    message = f": {event.message}" if event.message else ""
    again = "; restarting from the newest checkpoint" if event.will_restart else ""
    return f"{GLYPHS[event.state]} {event.state} at step {count(event.step)}{message}{again}"


def _on_exit(event: OnExitDone) -> str:
    ended = "did not end in time" if event.code is None else f"ended with {event.code}"
    return f"· on_exit {ended}"


_LINES: dict[type, Callable[[Any], str | None]] = {
    AttemptStarted: _attempt_started,
    Resumed: _resumed,
    DataIndexed: _data_indexed,
    Planned: _planned,
    PartTuned: _part_tuned,
    TrainabilityProved: _proved,
    CheckpointPublished: _checkpoint,
    CheckpointFailed: _checkpoint_failed,
    CheckpointRejected: _checkpoint_rejected,
    Evaluation: _evaluation,
    SamplePrediction: _sample,
    RecordSkipped: _skipped,
    NonFinite: _non_finite,
    FinalWritten: _final,
    Notice: _notice,
    Alert: _alert,
    Stalled: _stalled,
    StopRung: _stop_rung,
    CommandReceived: _refused,
    Exit: _exit,
    OnExitDone: _on_exit,
}


def progress_line(name: str, state: RunState, status: Status) -> str:
    """Return one line: state, step, loss, learning rate, pace, time to go, or the phase."""
    parts = [f"{GLYPHS[status.state]} {status.state} {name}"]
    if state.phase and state.phase.name != "train":
        parts.append(phase_text(state.phase))
    if state.step or state.total_steps:
        parts.append(f"step {count(state.step)}/{count(state.total_steps)}")
    if state.last_step:
        rates = state.last_step.learning_rates.values()
        parts.append(f"loss {significant(state.last_step.loss)}")
        parts.append(f"lr {significant(max(rates, default=None))}")
        parts.append(f"{significant(state.median_step_seconds)} s/step")
    if state.remaining_seconds:
        parts.append(f"{duration(state.remaining_seconds)} left")
    if state.skipped_count:
        parts.append(f"{count(state.skipped_count)} skipped")
    return "  ".join(parts)


def unread_text(state: RunState) -> str:
    """Return how many lines of the run's files could not be taken in; empty where all were."""
    told: list[str] = []
    for number, what in (
        (state.broken_lines, "broken"),
        (state.unknown_types, "written by another version"),
    ):
        if number:
            told.append(f"{count(number)} {'line is' if number == 1 else 'lines are'} {what}")
    return f"{' and '.join(told)}; what they told is missing here" if told else ""


def phase_text(phase: Phase) -> str:
    """Return what a phase is at, with its progress where it has one."""
    words = PHASE_WORDS[phase.name]
    if phase.total:
        show = size if phase.unit == "bytes" else count
        words += f" {show(phase.done)}/{show(phase.total)}"
        words += "" if phase.unit == "bytes" else f" {phase.unit}"
    return f"{words} ({phase.detail})" if phase.detail else words
