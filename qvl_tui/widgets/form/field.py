"""One option of the configuration: its label, what is typed, and what is wrong with it."""

from pathlib import Path

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static

from qvl_tui.draft import text_of
from qvl_tui.widgets.edited_line import EditedLine
from qvl_tui.widgets.form.choice import Choice
from qvl_tui.widgets.form.path_picker import PathPicker, Wanted
from trainer.config.options import Option
from trainer.config.paths import MODEL
from trainer.run.regular import is_folder
from trainer.run.text import sanitise

DIFFERS, WRONG, PLAIN = "▌", "✗", " "
LONGEST_SHOWN = 2_000


class Field(Vertical):
    """A line of the form; below it the problem, where there is one."""

    DEFAULT_CSS = """
    Field { height: auto; }
    Field .row { height: 1; }
    Field .label { padding: 0 1 0 0; }
    Field .problem { display: none; padding: 0 1 0 2; color: $error; }
    Field.-wrong .problem { display: block; }
    Field.-wrong .label { color: $error; }
    Field.-differs .label { text-style: bold; }
    Field:focus-within .label { color: $accent; }
    Field Input, Field Choice { width: 1fr; }
    """

    class Edited(Message):
        """A text was typed or a value chosen."""

        def __init__(self, key: str, text: str) -> None:
            self.key = key
            self.text = text
            super().__init__()

    def __init__(self, option: Option, label_width: int) -> None:
        super().__init__(classes="field")
        self.option = option
        self._label = Static(markup=False, classes="label")
        self._label.styles.width = label_width
        self._below = Static(markup=False, classes="problem")
        self._mark, self.problem = "", ""
        self.control: Input | Choice = _control(option)

    def compose(self) -> ComposeResult:
        """Label and control in a row, the problem below."""
        with Horizontal(classes="row"):
            yield self._label
            yield self.control
        yield self._below

    def put(self, text: str) -> None:
        """Put a text into the field in place of what was typed."""
        if isinstance(self.control, Choice):
            self.control.chosen = text
        elif self.control.value != text:
            with self.control.prevent(Input.Changed):
                self.control.value = text

    def show(self, base_value: object, problem: str, *, differs: bool) -> None:
        """Show what holds where nothing is typed, and what is wrong with what is."""
        inherited = sanitise(text_of(self.option, base_value), LONGEST_SHOWN)
        if self.option.required and base_value is None:
            inherited = "required"
        if isinstance(self.control, Choice):
            self.control.inherited = inherited
        else:
            self.control.placeholder = inherited
        self._show_state(sanitise(problem, LONGEST_SHOWN), differs=differs)

    def _show_state(self, problem: str, *, differs: bool) -> None:
        mark = WRONG if problem else DIFFERS if differs else PLAIN
        if mark != self._mark:
            self._mark = mark
            self._label.update(Text(f"{mark}{label_of(self.option.key)}"))
            self.set_class(mark == DIFFERS, "-differs")
            self.set_class(mark == WRONG, "-wrong")
        if problem != self.problem:
            self.problem = problem
            self._below.update(Text(problem))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell what was typed."""
        event.stop()
        self.post_message(self.Edited(self.option.key, event.value))

    def on_choice_turned(self, event: Choice.Turned) -> None:
        """Tell what was chosen."""
        event.stop()
        self.post_message(self.Edited(self.option.key, event.choice.chosen))


def _control(option: Option) -> Input | Choice:
    if option.kind == "choice":
        return Choice(option.choices)
    if option.kind == "switch":
        return Choice(("true", "false"))
    return EditedLine()


def wanted_of(option: Option) -> Wanted | None:
    """Return what kind of path an option takes; None: none."""
    if option.key == ".".join(MODEL):
        return Wanted.MODEL
    return {"files": Wanted.DATA, "folder": Wanted.FOLDER}.get(option.kind)


def picker_of(option: Option, value: object) -> PathPicker | None:
    """Return what chooses an option's paths, beginning where its present ones lie."""
    wanted = wanted_of(option)
    if wanted is None:
        return None
    paths = [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else []
    folders = (Path(str(path)).parent for path in paths)
    start = next((it for it in folders if it.is_absolute() and is_folder(it)), Path.cwd())
    return PathPicker(wanted.value.capitalize(), wanted, start)


def label_of(key: str) -> str:
    """Return an option's name as it stands in the form."""
    return key.rpartition(".")[2].replace("_", " ")


def help_of(option: Option) -> Text:
    """Return what an option is for, what it takes and what holds without it."""
    default = "required" if option.required else f"default {text_of(option, option.default)}"
    return Text.assemble((option.description, ""), "  ", (f"{option.allowed} · {default!s}", "dim"))
