"""Lines of which only the changed ones are drawn, and a cursor that stays with its item."""

import asyncio
from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip

from qvl_tui.widgets.sheet import Item, Sheet, changed_cells


class Watched(Sheet):
    """Remembers which rows it was asked to draw again."""

    rows: list[int]

    def refresh(self, *regions: Region, **how: bool) -> "Watched":
        """Note the rows."""
        self.rows = [*getattr(self, "rows", []), *(it.y for it in regions)]
        super().refresh(*regions, **how)
        return self


class SheetApp(App[None]):
    """A sheet alone."""

    CSS = "Sheet { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self.sheet = Watched(choosing=True)

    def compose(self) -> ComposeResult:
        """Show it."""
        yield self.sheet


def items(names: Sequence[str]) -> list[Item]:
    return [Item(name, (Content(name), Content(f"  about {name}"))) for name in names]


def test_only_the_lines_that_changed_are_drawn_again():
    async def run() -> None:
        app = SheetApp()
        async with app.run_test(size=(30, 10)) as pilot:
            app.sheet.show_items(items("abc"))
            await pilot.pause()
            app.sheet.rows = []
            changed = items("abc")
            changed[2] = Item("c", (Content("c"), Content("  new")))
            app.sheet.show_items(changed)
            assert app.sheet.rows == [5]

    asyncio.run(run())


def test_the_cursor_stays_with_its_item_when_others_come_before_it():
    async def run() -> None:
        app = SheetApp()
        async with app.run_test(size=(30, 4)) as pilot:
            app.sheet.show_items(items("bc"))
            app.sheet.focus()
            await pilot.press("down")
            assert app.sheet.chosen == "c"
            app.sheet.show_items(items("abc"))
            assert app.sheet.chosen == "c"
            app.sheet.show_items(items("ab"))
            assert app.sheet.chosen == "b"
            app.sheet.show_items([])
            assert app.sheet.chosen is None

    asyncio.run(run())


def test_keys_reach_every_item_and_bring_it_into_sight():
    async def run() -> None:
        app = SheetApp()
        async with app.run_test(size=(30, 4)) as pilot:
            app.sheet.show_items(items("abcdefgh"))
            app.sheet.focus()
            await pilot.pause()
            await pilot.press("end")
            assert (app.sheet.chosen, app.sheet.scroll_offset.y) == ("h", 12)
            await pilot.press("up")
            assert app.sheet.chosen == "g"
            await pilot.press("home")
            assert (app.sheet.chosen, app.sheet.scroll_offset.y) == ("a", 0)
            await pilot.press("pagedown", "pagedown")
            assert app.sheet.chosen == "c"

    asyncio.run(run())


def test_a_click_puts_the_cursor_where_it_was():
    async def run() -> None:
        app = SheetApp()
        async with app.run_test(size=(30, 10)) as pilot:
            app.sheet.show_items(items("abc"))
            await pilot.pause()
            await pilot.click(app.sheet, offset=(3, 3))
            assert app.sheet.chosen == "b"

    asyncio.run(run())


def test_of_a_changed_line_only_the_cells_between_the_first_and_the_last_change_are_sent():
    def cells(before: str, after: str) -> tuple[int, int]:
        return changed_cells(Strip([Segment(before)]), Strip([Segment(after)]))

    assert cells("step 41  loss 0.4", "step 52  loss 0.4") == (5, 7)
    assert cells("abc", "abd") == (2, 3)
    assert cells("abc", "abc") == (0, 0)
    assert cells("中 1", "中 2") == (0, 4)
    red = Strip([Segment("a"), Segment("b", Style(color="red"))])
    assert changed_cells(Strip([Segment("ab")]), red) == (1, 2)
