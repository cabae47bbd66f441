"""The form of a new run: fill it in, see what it amounts to, start it."""

import asyncio
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from qvl_tui.actions import Outcome, run_qvl
from qvl_tui.desk import Desk
from qvl_tui.draft import Draft, Verdict, judge, loaded_over, text_of
from qvl_tui.messages import OpenData, OpenRun
from qvl_tui.screens.confirm import ConfirmScreen
from qvl_tui.screens.save_as import save_as
from qvl_tui.widgets.form.bindings import FORM_BINDINGS
from qvl_tui.widgets.form.card import Errand, PreflightCard, complaint
from qvl_tui.widgets.form.field import Field, help_of, picker_of, wanted_of
from qvl_tui.widgets.form.form import Form
from qvl_tui.widgets.form.gpu_picker import GpuPicker
from qvl_tui.widgets.form.gpu_use import GpuUse, gpu_use
from qvl_tui.widgets.form.groups import Groups, group_title
from qvl_tui.widgets.form.source_picker import SourcePicker
from qvl_tui.widgets.form.summary import (
    StartLine,
    problem_lines,
    problems_sentence,
    title_line,
    update,
)
from qvl_tui.widgets.form.yaml_view import YamlView
from qvl_tui.widgets.key_bar import KeyBar
from trainer.config.errors import ConfigError
from trainer.config.options import options
from trainer.run.events import GpuSample
from trainer.run.layout import RunLayout

JUDGE_SECONDS = 0.15  # after the last key
WIDE = 110  # columns in which everything stands side by side
VIEWS = ("form", "configuration", "preflight")


class NewRunScreen(Screen[None]):
    """A form made from the schema, the configuration it makes, and what that would need."""

    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-narrow"),
        (WIDE, "-wide"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [*FORM_BINDINGS]
    DEFAULT_CSS = """
    NewRunScreen {
        #title { height: 1; padding: 0 1; background: $surface; }
        #views { height: 1; padding: 0 1; display: none; }
        #body { height: 1fr; }
        Groups { width: 21; }
        #middle { width: 1fr; border: round $border-blurred; }
        #about {
            height: auto; min-height: 3; max-height: 7; padding: 0 1;
            border-top: solid $border-blurred; color: $text-muted;
        }
        #right { width: 36%; max-width: 72; }
        Groups, YamlView, PreflightCard { border: round $border-blurred; }
        #middle, YamlView, PreflightCard { border-title-color: $foreground; }
        Groups:focus, #middle:focus-within, YamlView:focus, PreflightCard:focus {
            border: round $accent;
        }
        #title { text-wrap: nowrap; text-overflow: ellipsis; }
        &.-narrow {
            #views { display: block; }
            #right { width: 1fr; max-width: 100%; display: none; }
        }
        &.-narrow.-configuration, &.-narrow.-preflight {
            #right { display: block; }
            Groups, #middle { display: none; }
        }
        &.-narrow.-configuration PreflightCard { display: none; }
        &.-narrow.-preflight YamlView { display: none; }
        &.-narrow PreflightCard { height: 1fr; max-height: 100%; }
    }
    """

    def __init__(self, desk: Desk, like: Path | None = None) -> None:
        super().__init__()
        self.desk = desk
        self.draft = Draft()
        self.verdict: Verdict | None = None
        self.gpu: GpuSample | None = None  # the one that was chosen
        self.form, self.groups = Form(), Groups()
        self.yaml, self.card, self.last = YamlView(), PreflightCard(), StartLine()
        self._like = like
        self._first = self.draft
        self._judged: Draft | None = None  # what the screen shows
        self._use: GpuUse | None = None
        self._starting = False
        self._view = VIEWS[0]

    @property
    def settled(self) -> bool:
        """Whether everything there is to show is shown."""
        return self.shows(self.draft) and self._use is not None and self.card.settled

    @property
    def is_open(self) -> bool:
        """Whether nobody has left the form yet."""
        return self in self.app.screen_stack

    def shows(self, draft: Draft) -> bool:
        """Whether the screen shows what a draft amounts to."""
        return self._judged is draft

    def compose(self) -> ComposeResult:
        """Title, groups, form, configuration, preflight, state."""
        yield Static(id="title", markup=False)
        yield Static(id="views", markup=False)
        with Horizontal(id="body"):
            yield self.groups
            with Vertical(id="middle"):
                yield self.form
                yield Static(id="about", markup=False)
            with Vertical(id="right"):
                yield self.yaml
                yield self.card
        yield self.last
        yield KeyBar()

    async def on_mount(self) -> None:
        """Fill in what the run is to be like, and begin at the model."""
        if self._like is not None:
            self._load(str(self._like))
        self._first = self.draft
        await self._judge()
        await self.form.show_group(self.form.group)
        await self._show_view(self._view)
        self._find_gpus()

    # --- what was typed, and what it amounts to -----------------------------------------------

    def on_field_edited(self, event: Field.Edited) -> None:
        """Take what was typed, and judge it once the typing pauses."""
        event.stop()
        self.draft = self.draft.with_text(event.key, event.text)
        self._judge_soon()

    def _change(self, draft: Draft) -> None:
        """Take a draft that was not typed here."""
        if draft != self.draft:
            self.draft = draft
            self.form.put(draft.texts)
            self._judge_soon()

    @work(exclusive=True, group="judge")
    async def _judge_soon(self) -> None:
        await asyncio.sleep(JUDGE_SECONDS)
        await self._judge()

    async def _judge(self) -> Verdict:
        draft = self.draft
        verdict = await asyncio.to_thread(judge, draft, self.desk.runs)
        if draft is self.draft and self.is_open:
            self.verdict = verdict
            await self._show(verdict)
            self._judged = draft
        return verdict

    async def _show(self, verdict: Verdict) -> None:
        self.form.show(verdict)
        self.groups.show(verdict)
        self.yaml.show(self.draft.texts, verdict)
        self._show_title(verdict)
        self.last.show(verdict, starting=self._starting)
        await self._send_to_card(verdict)
        self.refresh_bindings()

    def _show_title(self, verdict: Verdict) -> None:
        title = title_line(self.draft, verdict, self.gpu, self._use)
        update(self.query_one("#title", Static), title)

    # --- preflight ----------------------------------------------------------------------------

    def _arguments(self) -> tuple[str, ...]:
        return (self.draft.base, *self.draft.overrides())

    def _environment(self) -> dict[str, str]:
        return {"CUDA_VISIBLE_DEVICES": self.gpu.uuid} if self.gpu else {}

    async def _send_to_card(self, verdict: Verdict) -> None:
        card = self.card
        if verdict.config is None:
            listed = [f"✗ {line}" for line in problem_lines(verdict)]
            await card.wait([*listed, "  then data and model are looked at"])
        else:
            environment = tuple(self._environment().items())
            await card.look_soon(Errand(self._arguments(), environment, self.desk.runs))

    async def action_look(self) -> None:
        """Look at data and model again."""
        if self.size.width < WIDE:
            await self._show_view("preflight")
        self.card.look_again()

    async def action_data(self) -> None:
        """Look at the records as this configuration reads them."""
        verdict = await self._judge()
        if verdict.config is None:
            self.notify(problems_sentence(verdict), severity="error", markup=False)
        else:
            self.app.post_message(OpenData(self._arguments(), self.draft.called or "new run"))

    # --- start --------------------------------------------------------------------------------

    def action_start(self) -> None:
        """Start the run, or go to what is still wrong."""
        if not self._starting:
            self._starting = True
            self.app.run_worker(self._start(), group="commands", exit_on_error=False)

    async def _start(self) -> None:
        try:
            verdict = await self._judge()
            if verdict.config is None:
                self.notify(problems_sentence(verdict), severity="error", markup=False)
                await self._go_to_problem(verdict, after="")
                return
            outcome = await run_qvl(
                "train",
                *self._arguments(),
                *("--name", str(verdict.values["name"]), "--detach", "--json"),
                runs=self.desk.runs,
                environment=self._environment(),
            )
        except OSError as error:
            self.notify(f"qvl train: {error}", severity="error", markup=False)
            return
        finally:
            self._starting = False
            if self.verdict is not None and self.is_open:
                self.last.show(self.verdict, starting=False)
        if outcome.done:
            self.app.post_message(OpenRun(RunLayout(Path(outcome.value["path"]))))
        elif self.is_open:
            await self._show_refusal(outcome)

    async def _show_refusal(self, outcome: Outcome) -> None:
        lines = complaint(outcome)
        self.notify("\n".join(lines), severity="error", markup=False, timeout=15)
        await self.card.wait(lines)

    async def action_problem(self) -> None:
        """Go to the next problem."""
        if self.verdict is not None:
            field = self.form.current
            await self._go_to_problem(self.verdict, after=field.option.key if field else "")

    async def _go_to_problem(self, verdict: Verdict, after: str) -> None:
        wrong = [key for key in options() if key in verdict.problems]
        if not wrong:
            return
        await self._show_view("form")
        place = wrong.index(after) + 1 if after in wrong else 0
        await self.form.go_to(wrong[place % len(wrong)])

    # --- presets, files, names ----------------------------------------------------------------

    @work(group="modal", exclusive=True)
    async def action_open(self) -> None:
        """Start from a preset, a named configuration or a file."""
        source = await self.app.push_screen_wait(SourcePicker())
        if source:
            self._load(source)

    def _load(self, source: str) -> None:
        """Take a preset under what was typed, or a file in place of it."""
        try:
            loaded = loaded_over(self.draft, source)
        except ConfigError as error:
            self.notify(str(error), title="It cannot be loaded", severity="error", markup=False)
            return
        self._change(loaded)

    @work(group="modal", exclusive=True)
    async def action_save(self) -> None:
        """Save what differs under a name."""
        saved = self.draft
        if await save_as(self.app, saved):
            self._first = saved

    # --- fields -------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Browsing is for paths, other views are for narrow windows."""
        if action == "browse":
            field = self.form.current
            return field is not None and wanted_of(field.option) is not None
        if action == "problem":
            return self.verdict is not None and bool(self.verdict.problems)
        return action != "turn_view" or self.size.width < WIDE

    @work(group="modal", exclusive=True)
    async def action_browse(self) -> None:
        """Choose the path of the field under the cursor."""
        field = self.form.current
        if field is None or self.verdict is None:
            return
        option = field.option
        picker = picker_of(option, self.verdict.values.get(option.key))
        chosen = await self.app.push_screen_wait(picker) if picker else None
        if chosen:
            value = chosen if option.kind == "files" else chosen[0]
            self._change(self.draft.with_text(option.key, text_of(option, value)))

    def action_reset(self) -> None:
        """Take back what was typed into the field under the cursor."""
        field = self.form.current
        if field is not None:
            self._change(self.draft.with_text(field.option.key, ""))

    def on_form_entered(self, event: Form.Entered) -> None:
        """Say what the option is for, and show it in the configuration."""
        update(self.query_one("#about", Static), help_of(options()[event.key]))
        self.yaml.follow(event.key)
        self.refresh_bindings()

    def on_form_turned(self, event: Form.Turned) -> None:
        """Let the list of groups follow."""
        self.groups.go_to(event.group)
        self.query_one("#middle").border_title = Content(group_title(event.group))

    async def on_groups_shown(self, event: Groups.Shown) -> None:
        """Show the group that the list is at."""
        form = self.form
        await form.show_group(event.group)
        if event.entered:
            await form.enter()

    # --- GPU ----------------------------------------------------------------------------------

    @work(group="gpus", exclusive=True)
    async def _find_gpus(self) -> None:
        self._use = await asyncio.to_thread(gpu_use, self.desk.runs)
        if self.verdict is not None and self.is_open:
            self._show_title(self.verdict)

    @work(group="modal", exclusive=True)
    async def action_gpu(self) -> None:
        """Choose the GPU."""
        chosen = await self.app.push_screen_wait(GpuPicker(self.desk.runs))
        if chosen is None or self.verdict is None:
            return
        self.gpu = chosen if isinstance(chosen, GpuSample) else None
        await self._show(self.verdict)

    # --- views and leaving --------------------------------------------------------------------

    async def action_turn_view(self) -> None:
        """Show the next of form, configuration and preflight."""
        await self._show_view(VIEWS[(VIEWS.index(self._view) + 1) % len(VIEWS)])

    async def _show_view(self, view: str) -> None:
        """Show a view, where not all of them stand side by side."""
        self._view = view
        for each in VIEWS:
            self.set_class(each == view, f"-{each}")
        tabs = [(f" {each} ", "reverse" if each == view else "dim") for each in VIEWS]
        update(self.query_one("#views", Static), Text.assemble(*tabs))
        if self.size.width < WIDE and view != "form":
            (self.yaml if view == "configuration" else self.card).focus()
        else:
            await self.form.resume()

    @work(group="modal", exclusive=True)
    async def action_leave(self) -> None:
        """Go back; what was typed is lost, so ask."""
        if self.draft.texts != self._first.texts:
            lost = ["What was typed is lost; F2 saves it under a name."]
            if not await self.app.push_screen_wait(ConfirmScreen("Leave the form?", lost, "leave")):
                return
        self.app.pop_screen()
