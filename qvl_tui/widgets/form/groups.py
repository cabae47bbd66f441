"""The groups of options, each with how many differ from the default and how many are wrong."""

from collections import Counter
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import OptionList

from qvl_tui.draft import Verdict
from trainer.config.options import options, sections

TITLES = {"tune": "What to train", "": "Launch"}  # the others are called as their section


def group_names() -> list[str]:
    """Return the groups: the sections, then what belongs to none."""
    return [*sections(), ""]


def group_of(key: str) -> str:
    """Return the group of an option."""
    return key.rpartition(".")[0]


def group_title(group: str) -> str:
    """Return a group's name as it stands on the screen."""
    return TITLES.get(group, group.capitalize().replace(".", ": "))


class Groups(OptionList):
    """The list of groups; moving in it shows the group."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "select", "to the fields", id="groups.enter", tooltip="Go to the fields"),
    ]
    DEFAULT_CSS = "Groups { height: 1fr; padding: 0; background: $background; }"

    class Shown(Message):
        """Another group is to be shown; `entered`: its fields are to be filled in."""

        def __init__(self, group: str, *, entered: bool) -> None:
            self.group = group
            self.entered = entered
            super().__init__()

    def __init__(self) -> None:
        self._titles = {group: _line(group, 0, 0) for group in group_names()}
        super().__init__(*self._titles.values(), markup=False)

    def show(self, verdict: Verdict) -> None:
        """Show how many options differ and how many are wrong."""
        changed = Counter(group_of(key) for key in options() if verdict.differs(key))
        wrong = Counter(group_of(key) for key in verdict.problems)
        for index, group in enumerate(group_names()):
            line = _line(group, changed[group], wrong[group])
            if line.plain != self._titles[group].plain:
                self._titles[group] = line
                self.replace_option_prompt_at_index(index, line)

    def go_to(self, group: str) -> None:
        """Put the cursor on a group without telling anybody."""
        with self.prevent(OptionList.OptionHighlighted):
            self.highlighted = group_names().index(group)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show the group under the cursor."""
        event.stop()
        self.post_message(self.Shown(group_names()[event.option_index], entered=False))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Go to the group's fields."""
        event.stop()
        self.post_message(self.Shown(group_names()[event.option_index], entered=True))


def _line(group: str, changed: int, wrong: int) -> Text:
    line = Text(f"{group_title(group):13}")
    line.append(f" ✗{wrong}" if wrong else "   ", "bold")
    line.append(f" ▌{changed}" if changed else "", "bold")
    return line
