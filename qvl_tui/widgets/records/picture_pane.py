"""The pictures of a record, with what is marked in them, before and after augmentation."""

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from qvl_tui.widgets.half_blocks import fitted
from qvl_tui.widgets.pane import Pane
from qvl_tui.widgets.pictures import Picture, draws_pixels, pictures_are_shown
from qvl_tui.widgets.records.marking import colour_of, decoded, with_marks
from trainer.inspect.inspection import Inspection, ShownImage, ShownPicture
from trainer.inspect.words import augmentation_words, image_words, object_words

if TYPE_CHECKING:
    from PIL.Image import Image

LIST_SHARE = 3  # the objects take one part of so many


class PicturePane(Pane):
    """One image at a time."""

    title: ClassVar[str] = "Picture"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll(-1)", "up", show=False, id="picture.up", tooltip="Objects up"),
        Binding("down", "scroll(1)", "down", show=False, id="picture.down", tooltip="Objects down"),
    ]
    can_focus = True
    DEFAULT_CSS = """
    PicturePane {
        layout: vertical;
        & > Static { height: auto; }
        & > Picture { width: auto; height: auto; }
        & > VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; }
        & > VerticalScroll > Static { height: auto; }
    }
    """

    def __init__(self, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.seen: Inspection | None = None
        self.stored = False  # as the file has it, rather than as the model sees it
        self.marks = True
        self._number = 0
        self._decoded: dict[str, Image] = {}  # of the record that is shown
        self._drawn: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """What it is, the picture, what is marked in it."""
        yield Static(id="picture-head", markup=False)
        yield Picture()
        with VerticalScroll(can_focus=False):
            yield Static(id="picture-objects")

    def show_record(self, seen: Inspection | None) -> None:
        """Show the pictures of a record."""
        if seen is None or self.seen is None or seen.record != self.seen.record:
            self._number = 0
        self.seen, self._decoded = seen, {}
        self.draw()

    def turn(self, by: int) -> None:
        """Show another image of the record."""
        if self.seen is not None and self.seen.images:
            self._number = (self._number + by) % len(self.seen.images)
            self.draw()

    @property
    def image(self) -> ShownImage | None:
        """The image that is looked at."""
        images = self.seen.images if self.seen else ()
        return images[min(self._number, len(images) - 1)] if images else None

    @property
    def shown(self) -> ShownPicture | None:
        """The picture of it that is to be shown."""
        image = self.image
        if image is None:
            return None
        return (image.stored or image.seen) if self.stored else (image.seen or image.stored)

    # --- drawing ------------------------------------------------------------------------------

    def draw(self) -> None:
        """Draw what is to be seen now."""
        image, shown = self.image, self.shown
        count = len(self.seen.images) if self.seen else 0
        side = "stored" if image and shown is image.stored else "as seen by the model"
        self.say(f"{self._number + 1}/{count}  {side}" if image else "none" if self.seen else "")
        head = image_words(image) if image else ""
        self.query_one("#picture-head", Static).update(head)
        self.query_one("#picture-objects", Static).update(self._objects(image, shown))
        self._draw_picture(shown)

    def _objects(self, image: ShownImage | None, shown: ShownPicture | None) -> Content:
        objects = shown.objects if shown else ()
        lines = [Content.assemble(("■ ", colour_of(it)), object_words(it)) for it in objects]
        if image is not None:
            said = list(augmentation_words(image))
            said += [f"✗ dropped: {object_words(it)}" for it in image.dropped]
            lines += [Content.styled(it, "$warning") for it in said]
        return Content("\n").join(lines)

    def _draw_picture(self, shown: ShownPicture | None) -> None:
        picture = self.query_one(Picture)
        picture.display = shown is not None and pictures_are_shown()
        if shown is None or not picture.display:
            picture.show_image(None)
            self._drawn = ()
            return
        width, height = self.content_size
        lines = len(shown.objects)
        rows = max(height - 2 - min(lines, height // LIST_SHARE), 1)
        looks = (shown.data, width, rows, self.marks, draws_pixels())
        if looks != self._drawn and width > 0:
            self._drawn = looks
            self.run_worker(self._put(shown, (width, rows)), group="picture", exclusive=True)

    async def _put(self, shown: ShownPicture, cells: tuple[int, int]) -> None:
        image = self._decoded.get(shown.data)
        if image is None:
            image = await asyncio.to_thread(decoded, shown)
            self._decoded[shown.data] = image
        fine = draws_pixels()
        marked = with_marks(image, shown, cells, marks=self.marks, fine=fine)
        picture = self.query_one(Picture)
        picture.styles.width, picture.styles.height = fitted(image.size, *cells)
        picture.show_image(marked)

    def on_resize(self) -> None:
        """Use the room there is."""
        self.call_after_refresh(self.draw)

    def action_scroll(self, by: int) -> None:
        """Scroll the objects."""
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)
