"""What the command palette offers: every action, every run, every theme."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple, cast

from rich.text import Text
from textual.await_complete import AwaitComplete
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.types import IgnoreReturnCallbackType

from qvl_tui.desk import Desk
from qvl_tui.messages import OpenRun
from qvl_tui.themes import THEMES
from qvl_tui.widgets.keys import Act, is_possible, places
from trainer.run.layout import list_runs
from trainer.run.text import sanitise

NAME_CHARACTERS = 120


class Offer(NamedTuple):
    """A line of the palette."""

    name: str
    meaning: str
    do: IgnoreReturnCallbackType


class Palette(CommandPalette):
    """Closes once, however fast its keys come: the second press finds it gone."""

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Close it, if it is still what is shown."""
        return super().dismiss(result) if self.is_current else AwaitComplete.nothing()


def palette() -> CommandPalette:
    """Return the palette, ready to be shown."""
    hint = "type an action, a run or a theme; escape closes"
    return Palette(placeholder=hint, id="--command-palette")


def _as_it_is(words: str) -> str:
    """Return what the palette shows without reading markup in it.

    It says `str` and takes `Content` as well; `textual.markup.escape` leaves backslashes.
    """
    return cast("str", Content(words))


class ActionProvider(Provider):
    """Offers what can be done now on the screen below the palette."""

    _was_taken = False  # whether a line was chosen: it is done once, however often enter is pressed

    async def startup(self) -> None:
        """Look once; nothing changes while the palette is open."""
        self._offers = [*self._acts(), *self._themes(), *self._runs()]

    async def discover(self) -> Hits:
        """Offer everything."""
        for offer in self._offers:
            yield DiscoveryHit(Text(offer.name), offer.do, offer.name, _as_it_is(offer.meaning))

    async def search(self, query: str) -> Hits:
        """Offer what matches; names are never taken for markup."""
        matcher = self.matcher(query)
        for offer in self._offers:
            score, places_of_letters = matcher.fuzzy_search.match(query, offer.name)
            if score > 0:
                shown = Text(offer.name)
                for place in places_of_letters:
                    shown.stylize("bold underline", place, place + 1)
                yield Hit(score, shown, offer.do, offer.name, _as_it_is(offer.meaning))

    def _acts(self) -> Iterator[Offer]:
        for place in places(self.screen):
            for act in place.acts:
                if is_possible(act):
                    name = f"{place.title}: {act.name or act.meaning}"
                    yield Offer(name, f"{act.meaning}  ({act.keys})", partial(self._do, act))

    async def _do(self, act: Act) -> None:
        if not self._was_taken and act.node.is_attached:
            self._was_taken = True
            await self.app.run_action(act.action, act.node)

    def _themes(self) -> Iterator[Offer]:
        for theme in THEMES:
            meaning = "the colours of now" if theme.name == self.app.theme else "other colours"
            yield Offer(f"Theme: {theme.name}", meaning, partial(self._dress, theme.name))

    def _dress(self, theme: str) -> None:
        self.app.theme = theme

    def _runs(self) -> Iterator[Offer]:
        desk = cast("Desk", cast("Any", self.app).desk)
        try:
            layouts = list_runs(desk.runs)
        except OSError:  # the list of runs says so
            return
        for layout in layouts:
            name = f"Open run: {sanitise(layout.name, NAME_CHARACTERS)}"
            place = sanitise(str(layout.root), None)
            yield Offer(name, place, partial(self._open, OpenRun(layout)))

    def _open(self, message: OpenRun) -> None:
        self.app.post_message(message)
