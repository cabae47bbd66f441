"""The lines above and below the form: what the run is called, and whether it can start."""

from pathlib import Path

from rich.text import Text
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Button, Static

from qvl_tui.draft import Draft, Verdict
from qvl_tui.widgets.form.gpu_use import GpuUse, is_free
from trainer.config.layers import preset_names
from trainer.config.options import options
from trainer.run.events import GpuSample
from trainer.run.text import sanitise
from trainer.words.numbers import UNKNOWN

SHOWN_CHARACTERS = 60


def title_line(draft: Draft, verdict: Verdict, gpu: GpuSample | None, use: GpuUse | None) -> Text:
    """Return the run's name, what it starts from, and where it will train."""
    differing = sum(verdict.differs(key) for key in options())
    base = draft.base if draft.base in preset_names() else Path(draft.base).name
    changes = f"▌{differing} not at default" if differing else "all at default"
    return Text.assemble(
        ("New run", "bold"),
        f"  {sanitise(str(verdict.values['name']), SHOWN_CHARACTERS)}",
        f"  on {_gpu_words(gpu, use)}",
        (f"  from {sanitise(base, SHOWN_CHARACTERS)}, {changes}", "dim"),
    )


def _gpu_words(gpu: GpuSample | None, use: GpuUse | None) -> str:
    if gpu is None and use is None:
        return UNKNOWN
    first = gpu or next(iter(use.samples if use else ()), None)
    if first is None:
        return "the CPU (no GPU)"
    words = {True: "free", False: "in use", None: UNKNOWN}[is_free(first)]
    return f"GPU{first.index} {sanitise(first.name, SHOWN_CHARACTERS)}, {words}"


class StartLine(Horizontal):
    """Whether the run can start, and the button that starts it."""

    DEFAULT_CSS = """
    StartLine {
        height: 1;
        Static {
            width: 1fr; padding: 0 1; color: $success;
            text-wrap: nowrap; text-overflow: ellipsis;
        }
        Static.-wrong { color: $error; }
        Button { width: 14; }
    }
    """

    def __init__(self) -> None:
        self._state = Static(markup=False)
        button = Button(Content("F5 start"), "primary", compact=True, action="screen.start")
        super().__init__(self._state, button)

    def show(self, verdict: Verdict, *, starting: bool) -> None:
        """Show the state of the form."""
        update(self._state, _state_of(verdict, starting=starting))
        self._state.set_class(verdict.config is None, "-wrong")


def _state_of(verdict: Verdict, *, starting: bool) -> Text:
    if verdict.config is None:
        return Text(f"✗ {problems_sentence(verdict)}")
    return Text("◌ starting …" if starting else "✓ ready to start")


def update(widget: Static, text: Text) -> None:
    """Show a text, unless it is shown already."""
    if widget.content != text:
        widget.update(text)


def problems_sentence(verdict: Verdict) -> str:
    """Return how many problems there are, and the first one."""
    first = problem_lines(verdict)[0]
    return f"{verdict.problem_count} problem{'s' * (verdict.problem_count > 1)}: {first}"


def problem_lines(verdict: Verdict) -> list[str]:
    """Return every problem with its option."""
    return [*(f"{key}: {what}" for key, what in verdict.problems.items()), *verdict.further]
