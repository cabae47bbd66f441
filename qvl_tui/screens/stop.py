"""Stop a run: ask, then show every rung of the ladder as it is reached."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen

from qvl_tui.desk import Desk
from qvl_tui.feed import Feed
from qvl_tui.screens.ask import ask
from qvl_tui.widgets.phases import phase_counts, phase_word
from qvl_tui.widgets.sheet import Sheet, plain_items
from trainer.run.state import RunState
from trainer.run.text import sanitise
from trainer.supervisor.ladder import default_stop_timeout
from trainer.words.lines import GLYPHS
from trainer.words.numbers import count, duration, significant, size

TICK_SECONDS = 0.5
NAME_CHARACTERS = 60
REASON_CHARACTERS = 400
MUTED = "$text-muted"
Stage = Literal["question", "ladder", "now?"]


class StopScreen(ModalScreen[None]):
    """A question, then the stop as it goes on; closing it changes nothing about the stop."""

    DEFAULT_CSS = """
    StopScreen {
        align: center middle;
        & > Vertical {
            width: 76;
            max-width: 96%;
            height: auto;
            max-height: 90%;
            border: round $warning;
            border-title-style: bold;
            padding: 1 2;
            background: $surface;
        }
        Sheet { height: auto; max-height: 100%; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "yes", id="stop.yes", tooltip="Stop the run"),
        Binding("N", "now", "now", id="stop.now", tooltip="SIGTERM at once, then SIGKILL"),
        Binding("n,escape,q", "close", "close", id="stop.close", tooltip="Leave the run alone"),
    ]

    def __init__(self, desk: Desk, feed: Feed) -> None:
        super().__init__()
        self._desk = desk
        self._feed = feed
        self._asked_at: float | None = None  # Unix seconds; None: by somebody else, or not yet
        self._stage: Stage = "question"

    def compose(self) -> ComposeResult:
        """Put everything into one box."""
        with Vertical() as box:
            box.border_title = Content(f"Stop {sanitise(self._feed.layout.name, NAME_CHARACTERS)}")
            yield Sheet()

    def on_mount(self) -> None:
        """Follow what the run says."""
        self.query_one(Sheet).focus()
        self.call_after_refresh(self._draw)
        self.set_interval(TICK_SECONDS, self._draw)

    def on_resize(self) -> None:
        """Fit the lines to the new width."""
        self.call_after_refresh(self._draw)

    @property
    def _over(self) -> bool:
        """Whether there is nothing left to be stopped."""
        return self._feed.status.over

    def _draw(self) -> None:
        if self._stage == "question" and self._feed.state.current.stop and not self._over:
            self._stage = "ladder"  # somebody else asked already
        sheet = self.query_one(Sheet)
        width = sheet.scrollable_content_region.width
        lines = {"question": self._question, "ladder": self._ladder, "now?": self._now_question}
        wrapped = [it for line in lines[self._stage]() for it in line.wrap(width) or [Content("")]]
        sheet.show_items(plain_items(wrapped))

    # --- what it says -------------------------------------------------------------------------

    def _question(self) -> list[Content]:
        feed = self._feed
        if self._over:
            return [Content(f"It does not run: it is {feed.status.state}."), Content(""), _close()]
        if not feed.loaded:
            return [Content(f"reading the run, {feed.loading_share * 100:.0f} %")]
        return [
            *what_will_happen(feed.state),
            Content(""),
            _keys(("y", "stop it"), ("N", "stop it now"), ("escape", "let it go on")),
        ]

    def _ladder(self) -> list[Content]:
        feed = self._feed
        lines = ladder_lines(feed, self._asked_at, self._desk.now())
        if self._over:
            return [*lines, Content(""), _close()]
        keys = _keys(("N", "stop it now"), ("escape", "close; the stop goes on"))
        return [*lines, Content(""), keys]

    def _now_question(self) -> list[Content]:
        state = self._feed.state
        kept = state.kept_checkpoints
        saved = kept[-1].step if kept else 0
        lost = f"{count(state.step - saved)} steps since step {count(saved)} may be lost."
        seconds = duration(_kill_timeout(state))
        return [
            Content.styled("Stop it now?", "bold"),
            Content(f"It gets SIGTERM at once, and SIGKILL {seconds} later. {lost}"),
            Content(""),
            _keys(("y", "now"), ("escape", "no, wait for it")),
        ]

    # --- keys ---------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Offer only what makes sense now."""
        possible = self._feed.loaded and not self._over
        if action == "yes":
            return self._stage != "ladder" and possible
        if action == "now":
            return self._stage != "now?" and possible
        return True

    def action_yes(self) -> None:
        """Ask the run to stop."""
        name = self._feed.layout.name
        if self._stage == "now?":
            ask(self.app, self._desk, f"{name}: SIGTERM sent", "stop", name, "--now", "--json")
        else:
            ask(self.app, self._desk, f"{name}: stop acknowledged", "stop", name, "--json")
        self._asked_at = self._asked_at or self._desk.now()
        self._go_to("ladder")

    def action_now(self) -> None:
        """Ask whether it is really to be stopped at once."""
        self._go_to("now?")

    def action_close(self) -> None:
        """Go back: from the second question to the stop, else to the screen below."""
        if self._stage == "now?":
            stopping = self._asked_at is not None or self._feed.state.current.stop is not None
            self._go_to("ladder" if stopping else "question")
        else:
            self.dismiss()

    def _go_to(self, stage: Stage) -> None:
        self._stage = stage
        self.refresh_bindings()
        self._draw()


def what_will_happen(state: RunState) -> list[Content]:
    """Return what a stop does, step by step, and how long that took before."""
    step, save = state.median_step_seconds, state.mean_save_seconds
    pace = f" (steps take {significant(step)} s)" if step else ""
    saved = f" (it took {significant(save)} s before)" if save else ""
    patience = _supervision(state).get("stop_timeout_seconds") or default_stop_timeout(step, save)
    return [
        Content.styled("Stop this run?", "bold"),
        Content(f"1  It finishes step {count(state.step + 1)}{pace},"),
        Content(f"2  writes a checkpoint{saved},"),
        Content("3  writes final/, marked partial, and exits."),
        Content.styled(
            f"After {duration(patience)} it gets SIGTERM, {duration(_kill_timeout(state))} later "
            "SIGKILL. It can be resumed with r.",
            MUTED,
        ),
    ]


def ladder_lines(feed: Feed, asked_at: float | None, now: float) -> list[Content]:
    """Return every rung: those that are done, the one under way, and when the next is due."""
    state = feed.state
    stop, end = state.current.stop, state.current.exit
    began = min((it for it in (asked_at, stop.time if stop else None) if it), default=now)
    lines = [_done("asked to stop"), _acknowledgement(state)]
    lines += _forced(state)
    checkpoint = next((it for it in state.kept_checkpoints[::-1] if it.time >= began), None)
    if checkpoint:
        took = f", {significant(checkpoint.seconds)} s" if checkpoint.seconds is not None else ""
        written = f"checkpoint of step {count(checkpoint.step)} written"
        lines.append(_done(f"{written}: {size(checkpoint.bytes)}{took}"))
    failure = state.checkpoint_failure
    if failure:
        reason = sanitise(failure.reason, REASON_CHARACTERS)
        lines.append(_bad(f"no checkpoint at step {count(failure.step)}: {reason}"))
    if state.final and state.final.time >= began:
        partial = ", marked partial" if state.final.partial else ""
        lines.append(_done(f"final/ written: {size(state.final.bytes)}{partial}"))
    if end:
        words = f"{end.state} at step {count(end.step)}"
        message = sanitise(end.message, REASON_CHARACTERS)
        return [*lines, Content(f"{GLYPHS[end.state]} {words}" + (f": {message}" * bool(message)))]
    if not feed.status.held:
        return [*lines, _bad(sanitise(feed.status.message, REASON_CHARACTERS) or "it is gone")]
    return [*lines, _under_way(state), *_next_rung(state, now)]


def _acknowledgement(state: RunState) -> Content:
    answers = [it.received for it in state.current.commands.values() if it.received]
    answer = next((it for it in reversed(answers) if it.command == "stop"), None)
    if answer and not answer.accepted:
        return _bad(f"refused: {sanitise(answer.reason, REASON_CHARACTERS)}")
    if answer or state.current.stop:
        return _done("acknowledged by the supervisor")
    return Content("◐ waiting for the supervisor's answer")


def _forced(state: RunState) -> list[Content]:
    stop = state.current.stop
    if stop is None or stop.rung == "asked":
        return []
    reason = sanitise(stop.reason, REASON_CHARACTERS)
    return [_bad(f"{stop.rung.upper()} sent: {reason}")]


def _under_way(state: RunState) -> Content:
    phase = state.phase
    if phase is None or phase.name == "train":
        return Content.styled(f"◐ finishing step {count(state.step + 1)}", "$accent")
    return Content.styled(f"◐ {phase_word(phase)}  {phase_counts(phase)}".rstrip(), "$accent")


def _next_rung(state: RunState, now: float) -> list[Content]:
    stop = state.current.stop
    if stop is None or stop.next_seconds is None:
        return []
    left = duration(stop.time + stop.next_seconds - now)
    if stop.rung == "asked":
        later = duration(_kill_timeout(state))
        return [Content.styled(f"  next: SIGTERM in {left}, SIGKILL {later} after it", MUTED)]
    return [Content.styled(f"  next: SIGKILL in {left}", MUTED)]


def _supervision(state: RunState) -> Mapping[str, Any]:
    started = state.current.started
    found = started.config.get("supervision") if started else None
    return found if isinstance(found, Mapping) else {}


def _kill_timeout(state: RunState) -> float:
    return _supervision(state).get("kill_timeout_seconds") or 30.0


def _done(words: str) -> Content:
    return Content.assemble(("✓ ", "$success"), words)


def _bad(words: str) -> Content:
    return Content.styled(f"✗ {words}", "$error")


def _keys(*keys: tuple[str, str]) -> Content:
    parts = [Content.assemble((key, "bold $accent"), f" {does}") for key, does in keys]
    return Content("   ").join(parts)


def _close() -> Content:
    return _keys(("escape", "close"))
