"""The fields of a configuration, one group at a time, generated from the schema."""

from collections.abc import Mapping
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.events import DescendantFocus
from textual.message import Message
from textual.widgets import Input

from qvl_tui.draft import Verdict
from qvl_tui.widgets.form.field import Field, label_of
from qvl_tui.widgets.form.groups import group_names, group_of
from trainer.config.options import options

MARK_AND_GAP = 3


class Group(VerticalScroll, can_focus=False, inherit_bindings=False):
    """The fields of one section."""

    DEFAULT_CSS = "Group { height: 1fr; scrollbar-size-vertical: 1; }"

    def __init__(self, name: str) -> None:
        mine = [option for option in options().values() if group_of(option.key) == name]
        width = max(len(label_of(option.key)) for option in mine) + MARK_AND_GAP
        self.fields = [Field(option, width) for option in mine]
        super().__init__(*self.fields)


class Form(Vertical):
    """Every option as a field; a group is made when it is first shown."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", "next field", id="form.down", show=False, tooltip="Next field"),
        Binding("up", "move(-1)", "field above", id="form.up", show=False, tooltip="Field above"),
        Binding(
            "pagedown", "turn(1)", "next group", id="form.next", tooltip="Fields of the next group"
        ),
        Binding(
            "pageup",
            "turn(-1)",
            "group before",
            id="form.previous",
            show=False,
            tooltip="Fields of the group before",
        ),
    ]

    class Entered(Message):
        """A field has the cursor now."""

        def __init__(self, key: str) -> None:
            self.key = key
            super().__init__()

    class Turned(Message):
        """Another group is shown."""

        def __init__(self, group: str) -> None:
            self.group = group
            super().__init__()

    def __init__(self) -> None:
        super().__init__()
        self.group = group_names()[0]
        self._last = ""  # option whose field had the cursor last
        self._groups: dict[str, Group] = {}
        self._texts: Mapping[str, str] = {}
        self._verdict: Verdict | None = None

    async def show_group(self, name: str) -> None:
        """Show the fields of a group."""
        if name not in self._groups:
            group = self._groups[name] = Group(name)
            await self.mount(group)
            self._put(group)
        self.group = name
        for each, group in self._groups.items():
            group.display = each == name
        self._fill()
        self.post_message(self.Turned(name))

    def put(self, texts: Mapping[str, str]) -> None:
        """Put texts into the fields in place of what was typed."""
        self._texts = texts
        for group in self._groups.values():
            self._put(group)

    def _put(self, group: Group) -> None:
        for field in group.fields:
            field.put(self._texts.get(field.option.key, ""))

    def show(self, verdict: Verdict) -> None:
        """Show what holds where nothing is typed, and what is wrong with what is."""
        self._verdict = verdict
        self._fill()

    def _fill(self) -> None:
        if self._verdict is None or self.group not in self._groups:
            return
        for field in self.fields:
            key = field.option.key
            field.show(
                self._verdict.base_values.get(key),
                self._verdict.problems.get(key, ""),
                differs=self._verdict.differs(key),
            )

    @property
    def fields(self) -> list[Field]:
        """The fields of the group that is shown."""
        return self._groups[self.group].fields

    @property
    def current(self) -> Field | None:
        """The field that has the cursor."""
        fields = self.fields if self.group in self._groups else []
        return next((it for it in fields if it.control.has_focus), None)

    async def go_to(self, key: str) -> None:
        """Put the cursor on an option's field."""
        await self.show_group(group_of(key))
        for field in self.fields:
            if field.option.key == key:
                field.control.focus()

    async def resume(self) -> None:
        """Put the cursor where it was last."""
        await (self.go_to(self._last) if self._last else self.enter())

    async def enter(self) -> None:
        """Put the cursor on the first field of the group that is shown."""
        await self._land(0)

    async def action_move(self, by: int) -> None:
        """Go to the next field or the one before, also of another group."""
        fields = self.fields
        place = next((i for i, it in enumerate(fields) if it.control.has_focus), -by) + by
        if 0 <= place < len(fields):
            fields[place].control.focus()
        else:
            await self._turn(by)
            await self._land(0 if by > 0 else -1)

    async def action_turn(self, by: int) -> None:
        """Show the next group or the one before."""
        await self._turn(by)
        await self._land(0)

    async def _turn(self, by: int) -> None:
        names = group_names()
        await self.show_group(names[(names.index(self.group) + by) % len(names)])

    async def _land(self, place: int) -> None:
        self.fields[place].control.focus()

    async def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go on to the next field."""
        event.stop()
        await self.action_move(1)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Tell which field has the cursor."""
        field = next((it for it in event.widget.ancestors if isinstance(it, Field)), None)
        if field is not None:
            self._last = field.option.key
            self.post_message(self.Entered(field.option.key))
