"""Show a picture in the terminal: with the terminal's own graphics, or with half blocks."""

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar, Literal

from textual.strip import Strip
from textual.widget import Widget

from qvl_tui.widgets.half_blocks import fitted, half_blocks, shades

if TYPE_CHECKING:
    from PIL.Image import Image

PictureSetting = Literal["auto", "half blocks", "off"]
WAYS: tuple[PictureSetting, ...] = ("auto", "half blocks", "off")


@dataclass
class _Way:
    """How pictures are drawn in this process."""

    shown: bool = True
    asked: bool = False  # the terminal, for the graphics it has; possible only before the app runs
    found: type[Widget] | None = None  # of textual-image; None: half blocks
    graphics: type[Widget] | None = None  # what of that is used


_way = _Way()


def prepare_pictures(setting: PictureSetting) -> None:
    """Decide how pictures are drawn, before the app runs.

    With `auto`, and where textual-image is installed, the terminal is asked which graphics it has;
    it can answer only while nothing else reads its answers.
    """
    if setting == "auto":
        _way.asked, _way.found = True, _terminal_graphics()
    turn_pictures(setting)


def turn_pictures(setting: PictureSetting) -> bool:
    """Draw pictures in another way; return False where that needs a new start of the screen."""
    _way.shown = setting != "off"
    _way.graphics = _way.found if setting == "auto" else None
    return setting != "auto" or _way.asked


def pictures_are_shown() -> bool:
    """Return whether pictures are to be drawn at all."""
    return _way.shown


def draws_pixels() -> bool:
    """Return whether the terminal itself draws pictures, finer than half blocks."""
    return _way.graphics is not None


def _terminal_graphics() -> type[Widget] | None:
    """Return the widget that draws with sixels or kitty's protocol, if the terminal has one."""
    if not (sys.stdin.isatty() and find_spec("textual_image")):
        return None
    from textual_image.renderable import Image, SixelImage, TGPImage
    from textual_image.widget import Image as ImageWidget

    return ImageWidget if Image in (SixelImage, TGPImage) else None


class Picture(Widget):
    """A picture that keeps its shape."""

    DEFAULT_CSS: ClassVar[str] = """
    Picture {
        width: auto;
        height: auto;
        color: $text-muted;
        background: transparent;
    }
    """

    def __init__(self, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.image: Image | None = None
        self._strips: list[Strip] = []
        self._drawn: tuple[object, ...] = ()

    def show_image(self, image: "Image | None") -> None:
        """Show an RGB picture, or nothing."""
        if image is not self.image:
            self.image = image
            self._draw_with_graphics()
            self.refresh()

    def _draw_with_graphics(self) -> None:
        """Let the terminal draw it, where it can."""
        self.remove_children()
        graphics = _way.graphics
        if graphics is not None and self.image is not None and self.size:
            child = graphics(self.image)  # type: ignore[call-arg]
            child.styles.width, child.styles.height = fitted(self.image.size, *self.size)
            self.mount(child)

    def on_resize(self) -> None:
        """Fit the picture to the new size."""
        self._draw_with_graphics()

    def render_line(self, y: int) -> Strip:
        """Draw one row."""
        width, ground = self.size.width, self.rich_style
        strips = self._rows()
        strip = strips[y] if y < len(strips) else Strip([])
        return strip.adjust_cell_length(width, ground)

    def _rows(self) -> list[Strip]:
        colours = not self.app.no_color and self.app.console.color_system is not None
        looks = (self.image, self.size, self.rich_style, colours)
        if looks != self._drawn:
            self._drawn, self._strips = looks, self._draw(colours=colours)
        return self._strips

    def _draw(self, *, colours: bool) -> list[Strip]:
        ground = self.rich_style
        if self.image is None or _way.graphics is not None:
            return []
        if colours:
            return half_blocks(self.image, *self.size, ground)
        return shades(self.image, *self.size, ground, dark=self.app.current_theme.dark)
