"""What the model answered at each evaluation, next to the truth and the picture."""

import asyncio
from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from qvl_tui.desk import Desk
from qvl_tui.feed import Feed
from qvl_tui.messages import SettingsChanged
from qvl_tui.widgets.half_blocks import fitted
from qvl_tui.widgets.pane import Pane
from qvl_tui.widgets.pictures import WAYS, Picture, pictures_are_shown, turn_pictures
from qvl_tui.widgets.record_images import NO_PICTURE, record_picture
from qvl_tui.widgets.sample_text import MUTED, list_row, sample_text
from trainer.run.events import SamplePrediction
from trainer.words.lines import is_exact
from trainer.words.numbers import count

Record = tuple[str, int]  # file and line
Answers = dict[Record, SamplePrediction]

LIST_FROM_ROWS = 16  # lower panes show one sample only
PICTURE_FROM_CELLS = 44  # narrower panes have no room beside the text
NOTHING_YET = "no samples yet: an evaluation answers some validation records and shows them here"


class Samples(Pane, can_focus=True):
    """The samples of one evaluation; it stays with the newest until another one is chosen."""

    title: ClassVar[str] = "Samples"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            *("up", "sample(-1)", "sample before"),
            show=False,
            id="samples.before",
            tooltip="The sample before",
        ),
        Binding(
            *("down", "sample(1)", "next sample"),
            show=False,
            id="samples.next",
            tooltip="The next sample",
        ),
        Binding(
            *("left_square_bracket,left", "evaluation(-1)", "older"),
            key_display="[",
            id="samples.older",
            tooltip="The evaluation before",
        ),
        Binding(
            *("right_square_bracket,right", "evaluation(1)", "newer"),
            key_display="]",
            id="samples.newer",
            tooltip="The evaluation after; after the last one it stays with the newest",
        ),
        Binding(
            *("enter", "unfold", "unfold"),
            id="samples.unfold",
            tooltip="Show reasoning and the whole prompt, or fold them",
        ),
        Binding(
            *("h", "history", "history"),
            id="samples.history",
            tooltip="How earlier evaluations answered the same record",
        ),
        Binding(
            *("p", "picture", "next picture"),
            id="samples.picture",
            tooltip="The next picture of a record that has several",
        ),
        Binding(
            *("i", "turn_pictures", "pictures"),
            show=False,
            id="samples.pictures",
            tooltip="Draw pictures with the terminal's graphics, with half blocks, or not at all",
        ),
        Binding(
            *("pageup", "scroll(-1)", "page up"),
            show=False,
            id="samples.page_up",
            tooltip="A page up in the text",
        ),
        Binding(
            *("pagedown", "scroll(1)", "page down"),
            show=False,
            id="samples.page_down",
            tooltip="A page down in the text",
        ),
    ]
    DEFAULT_CSS = """
    Samples {
        layout: vertical;
        & > Static { height: auto; text-wrap: nowrap; text-overflow: ellipsis; }
        & > #samples-head { color: $text-muted; }
        & > #samples-list { margin-bottom: 1; }
        & > Horizontal { height: 1fr; }
        & Picture { margin-right: 2; }
        & VerticalScroll { width: 1fr; scrollbar-size-vertical: 1; }
    }
    """

    def __init__(self, desk: Desk, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.desk = desk
        self.evaluations: list[tuple[int, Answers]] = []  # by step
        self._step: int | None = None  # of the evaluation looked at; None: the newest
        self._record = 0  # which sample of it
        self._picture_number = 0
        self._found = NO_PICTURE
        self._unfolded = self._with_history = False
        self._newest: SamplePrediction | None = None  # when the evaluations were last grouped
        self._looked_for: tuple[object, ...] = ()  # the picture that is shown, or is on its way

    def compose(self) -> ComposeResult:
        """Which evaluation, its samples, and one of them."""
        yield Static(NOTHING_YET, id="samples-head", markup=False)
        yield Static(id="samples-list")
        with Horizontal():
            yield Picture()
            with VerticalScroll(can_focus=False):
                yield Static(id="samples-text")

    # --- what there is ------------------------------------------------------------------------

    def show(self, feed: Feed) -> None:
        """Draw what changed in the run since the last call."""
        samples = feed.state.samples
        newest = samples[-1] if samples else None
        if newest is self._newest and self.note:
            return
        self._newest = newest
        self.evaluations = by_evaluation(samples)
        self._draw()

    @property
    def _position(self) -> int:
        """Which evaluation is looked at; the newest where the chosen one is gone."""
        steps = [step for step, _ in self.evaluations]
        return steps.index(self._step) if self._step in steps else len(steps) - 1

    @property
    def sample(self) -> SamplePrediction | None:
        """The sample that is looked at."""
        if not self.evaluations:
            return None
        answers = list(self.evaluations[self._position][1].values())
        return answers[min(self._record, len(answers) - 1)]

    def _earlier(self, sample: SamplePrediction) -> list[SamplePrediction]:
        """Return how evaluations before answered the same record, the latest first."""
        before = reversed(self.evaluations[: self._position])
        record = sample.file, sample.line
        return [answers[record] for _, answers in before if record in answers]

    # --- drawing ------------------------------------------------------------------------------

    def _draw(self) -> None:
        sample = self.sample
        self.query_one(Horizontal).display = sample is not None
        if sample is None:
            self.say("none yet")
            self._put("head", Content(NOTHING_YET))
            self._put("list", Content(""))
            return
        self.say(f"step {count(sample.step)}")
        answers = self.evaluations[self._position][1]
        self._put("head", self._head(answers))
        rows = self._list_rows(answers)
        self.query_one("#samples-list").display = rows > 0
        self._put("list", self._list(answers, rows))
        self._fit_picture(self.size.height - 1 - (rows + 1 if rows else 0))
        self._put("text", self._text(sample))

    def _text(self, sample: SamplePrediction) -> Content:
        text = sample_text(
            sample, self._earlier(sample), unfolded=self._unfolded, history=self._with_history
        )
        return Content.assemble(text, (f"\n{self._found.words}", f"{MUTED} italic"))

    def _put(self, part: str, content: Content) -> None:
        static = self.query_one(f"#samples-{part}", Static)
        shown = static.content
        if not (isinstance(shown, Content) and content.is_same(shown)):
            static.update(content)

    def _head(self, answers: Answers) -> Content:
        exact = sum(map(is_exact, answers.values()))
        number = min(self._record, len(answers) - 1) + 1
        newest = " (newest)" if self._position == len(self.evaluations) - 1 else ""
        words = [
            f"sample {number}/{len(answers)}",
            f"{count(exact)} of {count(len(answers))} exact",
            f"evaluation {self._position + 1}/{len(self.evaluations)}{newest}",
        ]
        if (pictures := self._found.pictures) > 1:
            words.append(f"picture {self._picture_number % pictures + 1}/{pictures}")
        while len(" · ".join(words)) > self.size.width and len(words) > 1:
            words.pop()
        return Content(" · ".join(words))

    def _list_rows(self, answers: Answers) -> int:
        height = self.size.height
        if height < LIST_FROM_ROWS or len(answers) == 1:
            return 0
        return min(len(answers), max(height // 4, 3))

    def _list(self, answers: Answers, rows: int) -> Content:
        width = self.size.width
        chosen = min(self._record, len(answers) - 1)
        first = max(0, min(chosen - rows // 2, len(answers) - rows))
        shown = list(answers.values())[first : first + rows]
        lines = (
            list_row(sample, width, chosen=first + index == chosen)
            for index, sample in enumerate(shown)
        )
        return Content("\n").join(lines)

    # --- the picture --------------------------------------------------------------------------

    def _fit_picture(self, rows: int) -> None:
        picture, sample, image = self.query_one(Picture), self.sample, self._found.image
        wide_enough = pictures_are_shown() and self.size.width >= PICTURE_FROM_CELLS
        picture.display = wide_enough and image is not None
        if image is not None and rows > 0:
            cells = fitted(image.size, self.size.width * 2 // 5, rows)
            picture.styles.width, picture.styles.height = cells
        if wide_enough and sample is not None:
            self._look_for((sample.file, sample.line, self._picture_number))

    def _look_for(self, wanted: tuple[str, int, int]) -> None:
        if wanted != self._looked_for:
            self._looked_for = wanted
            self.run_worker(self._load_picture(*wanted), group="picture", exclusive=True)

    async def _load_picture(self, file: str, line: int, number: int) -> None:
        self._found = await asyncio.to_thread(record_picture, file, line, number)
        self.query_one(Picture).show_image(self._found.image)
        self._draw()

    def on_resize(self) -> None:
        """Use the room there is."""
        self.call_after_refresh(self._draw)

    # --- keys ---------------------------------------------------------------------------------

    def action_sample(self, distance: int) -> None:
        """Look at another sample of this evaluation."""
        if self.evaluations:
            last = len(self.evaluations[self._position][1]) - 1
            self._record = max(0, min(min(self._record, last) + distance, last))
            self._picture_number = 0
            self._redraw_from_top()

    def action_evaluation(self, distance: int) -> None:
        """Look at another evaluation; from the newest on it stays with the newest."""
        if self.evaluations:
            last = len(self.evaluations) - 1
            position = max(0, min(self._position + distance, last))
            self._step = None if position == last else self.evaluations[position][0]
            self._redraw_from_top()

    def action_unfold(self) -> None:
        """Show reasoning and the whole prompt, or fold them."""
        self._unfolded = not self._unfolded
        self._draw()

    def action_history(self) -> None:
        """Show how earlier evaluations answered the same record, or do not."""
        self._with_history = not self._with_history
        self._draw()

    def action_picture(self) -> None:
        """Show the next picture of the record."""
        if self._found.pictures > 1:
            self._picture_number += 1
            self._draw()

    def action_turn_pictures(self) -> None:
        """Draw pictures in another way, and remember it."""
        settings = self.desk.settings
        settings.pictures = WAYS[(WAYS.index(settings.pictures) + 1) % len(WAYS)]
        later = "" if turn_pictures(settings.pictures) else ", from the next start of the screen on"
        self.post_message(SettingsChanged())
        self.notify(f"pictures: {settings.pictures}{later}", markup=False)
        self._draw()

    def action_scroll(self, pages: int) -> None:
        """Scroll the text."""
        text = self.query_one(VerticalScroll)
        text.scroll_relative(y=pages * max(text.size.height - 1, 1), animate=False)

    def _redraw_from_top(self) -> None:
        self.query_one(VerticalScroll).scroll_home(animate=False)
        self._draw()


def by_evaluation(samples: Iterable[SamplePrediction]) -> list[tuple[int, Answers]]:
    """Return the answers of each evaluation, by its step; of two to one record the later."""
    evaluations: dict[int, Answers] = {}
    for sample in samples:
        evaluations.setdefault(sample.step, {})[sample.file, sample.line] = sample
    return sorted(evaluations.items())
