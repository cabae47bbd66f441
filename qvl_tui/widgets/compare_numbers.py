"""What compared runs came to: final and best values, and how far they are from the baseline."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isclose
from typing import Literal

import numpy as np
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.content import Content

from qvl_tui.feed import Feed
from qvl_tui.widgets.compare_columns import Compared, blocks
from qvl_tui.widgets.pane import Pane
from qvl_tui.widgets.sheet import Sheet, plain_items
from trainer.run.series import Table
from trainer.run.state import RunState
from trainer.words.lines import GLYPHS
from trainer.words.numbers import UNKNOWN, count, duration, significant, size

BEST = "★"
RECENT_STEPS = 101


@dataclass(frozen=True)
class Fact:
    """One number of a run, and which way is better."""

    label: str
    value: float | None
    show: Callable[[float], str]
    better: Literal["low", "high", ""] = ""

    @property
    def text(self) -> str:
        """The number as people read it."""
        return UNKNOWN if self.value is None else self.show(self.value)


def facts_of(state: RunState) -> tuple[Fact, ...]:
    """Return what is compared, the same facts in the same order for every run."""
    last, best = state.last_step, state.best_evaluation
    return (
        Fact("step", state.step if last or state.plan else None, _whole),
        Fact("last loss", last.loss if last else None, significant, "low"),
        Fact("best validation loss", best.loss if best else None, significant, "low"),
        Fact("  at step", best.step if best else None, _whole),
        Fact("  token accuracy", best.token_accuracy if best else None, significant, "high"),
        Fact("training accuracy", last.token_accuracy if last else None, significant, "high"),
        Fact("s/step", state.median_step_seconds, significant, "low"),
        Fact("tok/s", _median(state.steps, "tokens_per_second"), significant, "high"),
        Fact("target tokens", _total(state.steps, "target_tokens"), _whole),
        Fact("time in steps", _total(state.steps, "seconds"), duration),
        Fact("peak memory", _peak(state.steps, "peak_memory_bytes"), size, "low"),
    )


def _whole(value: float) -> str:
    return count(round(value))


def _median(table: Table, column: str) -> float | None:
    recent = table.last(column, RECENT_STEPS)
    return float(np.median(recent)) if recent else None


def _total(table: Table, column: str) -> float | None:
    known = _known(table, column)
    return float(known.sum()) if len(known) else None


def _peak(table: Table, column: str) -> float | None:
    known = _known(table, column)
    return float(known.max()) if len(known) else None


def _known(table: Table, column: str) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    values = np.asarray(table[column], dtype=np.float64)
    return values[~np.isnan(values)]


def difference(value: float | None, base: float | None) -> str:
    """Return `+12 %`, `-2.4 %`, or `=`; nothing where it cannot be said."""
    if value is None or base is None:
        return ""
    if isclose(value, base, rel_tol=5e-4):
        return "="
    if not base:
        return ""
    percent = 100 * (value - base) / abs(base)
    return f"{percent:+.1f} %" if abs(percent) < 10 else f"{percent:+,.0f} %"


def best_places(row: Sequence[Fact]) -> set[int]:
    """Return where the best values stand, equal ones too; nowhere unless there is a worse one."""
    known = {place: fact.value for place, fact in enumerate(row) if fact.value is not None}
    if not row[0].better or not known:
        return set()
    wanted = min(known.values()) if row[0].better == "low" else max(known.values())
    best = {place for place, value in known.items() if isclose(value, wanted, rel_tol=5e-3)}
    return best if len(best) < len(known) else set()


def number_lines(
    app: App[object], runs: Sequence[Compared], baseline: int, width: int
) -> list[Content]:
    """Return the table; each run but the baseline says how far it is from it."""
    every = [facts_of(run.feed.state) for run in runs]
    winners = [best_places(row) for row in zip(*every, strict=True)]
    columns = [
        [
            run.head(app),
            _state(run.feed),
            *_cells(facts, every[baseline], [run.place in row for row in winners], run, baseline),
        ]
        for run, facts in zip(runs, every, strict=True)
    ]
    return blocks(width, ["state", *(fact.label for fact in every[0])], columns, baseline)


def _state(feed: Feed) -> Content:
    if not feed.loaded:
        return Content(f"reading {feed.loading_share:.0%}")
    return Content(f"{GLYPHS[feed.status.state]} {feed.status.state}")


def _cells(
    facts: Sequence[Fact],
    base: Sequence[Fact],
    best: Sequence[bool],
    run: Compared,
    baseline: int,
) -> list[Content]:
    """Return the numbers of a run, aligned, with their marks and differences."""
    far = [
        "" if run.place == baseline else difference(fact.value, other.value)
        for fact, other in zip(facts, base, strict=True)
    ]
    value_width = max(cell_len(fact.text) for fact in facts)
    far_width = max(map(cell_len, far))
    return [
        Content.assemble(
            Content.styled(fact.text.rjust(value_width), "bold" if is_best else ""),
            Content.styled(f" {BEST}", "$success") if is_best else "  ",
            Content.styled(f" {words.rjust(far_width)}" if far_width else "", "$text-muted"),
        )
        for fact, is_best, words in zip(facts, best, far, strict=True)
    ]


class Numbers(Pane):
    """The table of numbers."""

    title = "Numbers"
    DEFAULT_CSS = "Numbers > Sheet { height: 1fr; }"

    def __init__(self, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._drawn: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """One sheet."""
        yield Sheet()

    def show(self, feed: Feed) -> None:
        """Show one run alone."""
        self.show_runs([Compared(feed, feed.layout.name, 0)], 0)

    def show_runs(self, runs: Sequence[Compared], baseline: int) -> None:
        """Draw what changed in the runs, or because of another baseline, width or theme."""
        sheet = self.query_one(Sheet)
        width = sheet.scrollable_content_region.width
        versions = [(id(run.feed), run.feed.version) for run in runs]
        looked_at = (versions, baseline, width, self.app.theme)
        if width and looked_at != self._drawn:
            self._drawn = looked_at
            self.say(f"{BEST} best of its row   % from {runs[baseline].name}")
            sheet.show_items(plain_items(number_lines(self.app, runs, baseline, width)))
