"""The top of a run's screen: state, progress, pace, and what to do when something is wrong."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from rich.cells import cell_len
from textual.content import Content
from textual.style import Style

from qvl_tui.feed import Feed
from qvl_tui.themes import state_style
from qvl_tui.widgets.bars import bar, progress_line
from qvl_tui.widgets.fitting import GAP, Words, fitted
from qvl_tui.widgets.phases import phase_counts, phase_share, phase_word
from qvl_tui.widgets.sheet import Sheet, plain_items
from trainer.run.state import RunState
from trainer.run.text import sanitise
from trainer.words.lines import GLYPHS, unread_text
from trainer.words.numbers import UNKNOWN, count, duration, significant, size
from trainer.words.setup import method_words, model_name

NAME_CHARACTERS = 80
REASON_CHARACTERS = 1_000
REASON_LINES = 3
PACE_STEPS = 20  # whose mean is the pace of tokens
SPLIT_CELLS = 8  # of the bar of one share of a step
LEAST_BAR = 10  # cells below which a progress line says nothing
MUTED = "$text-muted"


class RunHeader(Sheet, can_focus=False):
    """State and progress of one run, in three lines, and a few more when something went wrong."""

    DEFAULT_CSS = """
    RunHeader {
        height: auto;
        max-height: 7;
        overflow-y: hidden;
        padding: 0 1;
        background: $surface;
    }
    """

    def __init__(self, name: str, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.display_name = name
        self._drawn: tuple[object, ...] = ()
        self._config: Mapping[str, Any] = {}  # of the newest attempt that told it

    def show(self, feed: Feed, now: float) -> None:
        """Draw what changed; clocks move once a second."""
        width = self.size.width
        looked_at = (feed, feed.version, int(now), width, self.app.theme, self.display_name)
        if width and looked_at != self._drawn:
            self._drawn = looked_at
            self.show_items(plain_items(self._header_lines(feed, now, width)))

    def _header_lines(self, feed: Feed, now: float, width: int) -> list[Content]:
        started = feed.state.current.started
        self._config = started.config if started else self._config
        style = Style.from_rich_style(state_style(self.app, feed.status.state))
        return [
            title_line(feed, self._config, self.display_name, style, width),
            progress(feed, now, width),
            pace_line(feed.state, width),
            *trouble_lines(feed, style, width),
            *_unread_lines(feed, width),
        ]


def title_line(
    feed: Feed, config: Mapping[str, Any], name: str, style: Style, width: int
) -> Content:
    """Return state, name, model and method; at the right end epoch and attempt."""
    state, word = feed.state, feed.status.state
    left = [
        Words(Content.styled(f"{GLYPHS[word]} {word}", style)),
        Words(Content.styled(sanitise(name, NAME_CHARACTERS), "bold")),
    ]
    right = [
        Words(Content(f"epoch {significant(state.epoch)}{_of_epochs(state, config)}"), 2),
        Words(Content(f"attempt {state.attempt}" if state.attempt > 1 else ""), 1),
    ]
    known = [it for it in (model_name(config), *method_words(config)) if it]
    room = width - GAP - fitted(width, left).cell_length - GAP - fitted(width, right).cell_length
    while known and cell_len(" · ".join(known)) > room:
        known.pop()
    left.append(Words(Content.styled(" · ".join(known), MUTED), 3))
    return fitted(width, left, right)


def _of_epochs(state: RunState, config: Mapping[str, Any]) -> str:
    """Return of how many epochs; a limit of steps replaces those that are configured."""
    training = config.get("training")
    training = training if isinstance(training, Mapping) else {}
    if training.get("max_steps") is not None:
        plan = state.plan
        if plan is None or plan.steps_per_epoch <= 0:
            return ""
        return f"/{significant(plan.total_steps / plan.steps_per_epoch)}"
    epochs = training.get("epochs")
    return f"/{epochs:g}" if isinstance(epochs, int | float) else ""


def progress(feed: Feed, now: float, width: int) -> Content:
    """Return how far the run, or the phase that it is at, has come."""
    if not feed.loaded:
        return _line_of_progress(
            feed.loading_share,
            [Words(Content(f"reading {feed.loading_share:.0%}".replace("%", " %")))],
            width,
        )
    state, phase = feed.state, feed.state.phase
    steps = f"{count(state.step)}/{count(state.total_steps)}"
    if phase and phase.name != "train" and not feed.status.over:
        words = [
            Words(Content.styled(phase_word(phase), "bold")),
            Words(Content(phase_counts(phase))),
            Words(Content(_percent(phase_share(phase))), 1),
            Words(Content(f"step {steps}" if state.total_steps else ""), 2),
            Words(Content(_gone(feed, now)), 3),
        ]
        return _line_of_progress(phase_share(phase), words, width)
    total = state.total_steps
    share = state.step / total if total else None
    left = None if feed.status.over else state.remaining_seconds
    words = [
        Words(Content(steps)),
        Words(Content.styled(_percent(share), "bold"), 1),
        Words(Content(_gone(feed, now)), 3),
        Words(Content("" if left is None else f"{duration(left)} left"), 2),
    ]
    return _line_of_progress(share, words, width)


def _line_of_progress(share: float | None, words: Sequence[Words], width: int) -> Content:
    text = fitted(max(width - LEAST_BAR - 2, 0), words)
    cells = max(width - text.cell_length - 2, 0)
    done, rest = progress_line(share or 0.0, cells)
    return Content.assemble((done, "$accent"), (rest, MUTED), "  ", text)


def _gone(feed: Feed, now: float) -> str:
    """Return how long this attempt runs, or ran, also where the clock was set back meanwhile."""
    attempt = feed.state.current
    began = attempt.supervisor or attempt.started
    if began is None:
        return ""
    end = attempt.exit.time if attempt.exit else now if feed.status.held else feed.state.last_time
    return f"{duration(max(end - began.time, feed.state.measured_seconds))} gone"


def pace_line(state: RunState, width: int) -> Content:
    """Return speed, where the time of a step goes, validation and alerts."""
    speeds = [
        f"{significant(state.median_step_seconds)} s/step",
        f"{_thousands(_mean(state, 'tokens_per_second'))} tok/s",
        f"{_share_words(_mean(state, 'mfu'))} MFU",
    ]
    best = state.best_evaluation
    validation = f"validation {significant(best.loss)} ★" if best else ""
    right = [
        Words(Content(validation), 5),
        Words(alerts_words(state)),
    ]
    left = [Words(Content(" · ".join(speeds)), 1), Words(split_words(state, SPLIT_CELLS), 4)]
    full = fitted(width, left, right)
    if "data" in full.plain:
        return full
    return fitted(width, [left[0], Words(split_words(state, 0), 4)], right)


def split_words(state: RunState, cells: int) -> Content:
    """Return the shares of a step's time, with bars of so many cells; empty when unknown."""
    step = state.last_step
    if step is None or not step.seconds:
        return Content()
    names = {"data": "data", "compute": "forward+backward", "optimizer": "optimizer"}
    parts: list[str] = []
    for key, name in names.items():
        share = (_mean(state, f"{key}_seconds") or 0.0) / (_mean(state, "seconds") or 1.0)
        drawn = f"{bar(share, cells).rstrip() or '▏'} " if cells else ""
        parts.append(f"{name} {drawn}{_percent(share)}")
    return Content.styled("  ".join(parts), MUTED)


def alerts_words(state: RunState) -> Content:
    """Return how many alerts there are and the key that jumps to the newest."""
    alerts = state.alerts
    if not alerts:
        return Content()
    bad = any(alert.severity == "bad" for alert in alerts)
    number = f"{len(alerts)} alert" + ("s" if len(alerts) > 1 else "")
    glyph, colour = ("✗", "$error") if bad else ("⚠", "$warning")
    return Content.assemble((f"{glyph} {number}", colour), (" !", MUTED))


def trouble_lines(feed: Feed, style: Style, width: int) -> list[Content]:
    """Return why a run failed, crashed or stalled, or how it ended, and what to do now."""
    word = feed.status.state
    if feed.problem:
        text = f"⚠ cannot be read: {sanitise(feed.problem, REASON_CHARACTERS)}"
        return Content.styled(text, "$error").wrap(width)[:REASON_LINES]
    if not feed.loaded:
        return []
    if word == "finished":
        return [_result_line(feed.state, width)]
    reason = feed.status.message.removesuffix(f"; qvl resume {feed.layout.name}")
    if word in ("failed", "crashed", "stalled", "stopping") and reason:
        text = sanitise(reason, REASON_CHARACTERS)
        why = Content.styled(f"{GLYPHS[word]} {text}", style).wrap(width)[:REASON_LINES]
        return [*why, *_remedy_lines(feed, width)]
    return _remedy_lines(feed, width)


def _unread_lines(feed: Feed, width: int) -> list[Content]:
    """Return how much of the run's files could not be taken in."""
    text = unread_text(feed.state)
    return [Content.styled(sanitise(f"⚠ {text}", width), "$warning")] if text else []


def _remedy_lines(feed: Feed, width: int) -> list[Content]:
    """Return what a key does about it."""
    word, state = feed.status.state, feed.state
    failure = state.checkpoint_failure
    if not feed.status.over:
        if word == "stalled":
            return [_keys(width, ("x", "stop it"), ("4", "read the stacks in the log"))]
        if failure:
            text = f"⚠ no checkpoint at step {count(failure.step)}: {failure.reason}"
            return [Content.styled(sanitise(text, width), "$warning")]
        return []
    kept = state.kept_checkpoints
    origin = f"the checkpoint of step {count(kept[-1].step)}" if kept else "the start"
    if word != "finished":
        return [_keys(width, ("r", f"resume from {origin}"), ("e", "edit a copy"))]
    return []


def _keys(width: int, *keys: tuple[str, str]) -> Content:
    words = [Words(Content.assemble((key, "bold $accent"), f" {does}")) for key, does in keys]
    return fitted(width, words)


def _result_line(state: RunState, width: int) -> Content:
    best, final = state.best_evaluation, state.final
    words: list[Words] = []
    if final:
        text = f"✓ result in {sanitise(final.path, 60)}/ ({size(final.bytes)})"
        words.append(Words(Content(text)))
    if best:
        text = f"best validation loss {significant(best.loss)} at step {count(best.step)}"
        words.append(Words(Content(text), 1))
    words.append(Words(Content.assemble(("5", "bold $accent"), " bring it home"), 2))
    return fitted(width, words)


def _mean(state: RunState, column: str) -> float | None:
    values = state.steps.last(column, PACE_STEPS)
    return fmean(values) if values else None


def _thousands(value: float | None) -> str:
    """Return `3.1 k` above a thousand."""
    if value is None or value < 1_000:
        return significant(value)
    return f"{significant(value / 1_000)} k"


def _share_words(share: float | None) -> str:
    return UNKNOWN if share is None else _percent(share)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share * 100:.0f} %"
