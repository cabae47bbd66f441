import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.content import Content
from textual.pilot import Pilot
from textual.widgets import Static

from qvl_tui.charts.glyphs import MARKERS
from qvl_tui.desk import Desk
from qvl_tui.screens.compare import CompareScreen
from qvl_tui.themes import dress
from qvl_tui.widgets.compare_columns import blocks
from qvl_tui.widgets.compare_numbers import Fact, Numbers, best_places, difference, facts_of
from qvl_tui.widgets.compare_options import Differences, Options, differing
from qvl_tui.widgets.pane import Pane
from qvl_tui.widgets.sheet import Sheet
from tests.qvl_tui.recorded import NOW, record_run
from trainer.run.layout import RunLayout
from trainer.run.state import RunState
from trainer.words.numbers import significant

SIZES = [(80, 24), (120, 40), (200, 60)]


class Stage(App[None]):
    def __init__(self, desk: Desk, layouts: Sequence[RunLayout]) -> None:
        super().__init__()
        self.desk = desk
        self.layouts = layouts
        dress(self)
        self.theme = "qvl-dark"

    def on_mount(self) -> None:
        self.push_screen(CompareScreen(self.desk, self.layouts))


def play(
    layouts: Sequence[RunLayout],
    script: Callable[[Pilot[None], CompareScreen], Awaitable[None]],
    size: tuple[int, int] = (120, 40),
) -> None:
    async def session() -> None:
        desk = Desk(layouts[0].root.parent, now=lambda: NOW)
        app = Stage(desk, layouts)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            screen = app.screen
            assert isinstance(screen, CompareScreen)
            async with asyncio.timeout(20):
                while not screen.settled:
                    await pilot.pause(0.05)
            await app.workers.wait_for_complete()
            await pilot.pause()
            await script(pilot, screen)

    asyncio.run(session())


def text_of(pane: Pane) -> str:
    return "\n".join(line.plain for line in pane.query_one(Sheet).lines)


def numbers(screen: CompareScreen) -> str:
    return text_of(screen.query_one(Numbers))


def row(text: str, label: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(label))


def legend(screen: CompareScreen) -> str:
    return str(screen.query_one("#legend", Static).content)


@pytest.fixture
def pair(tmp_path: Path) -> list[RunLayout]:
    return [
        record_run(tmp_path, "first", end="finished", steps=300, total=300),
        record_run(
            tmp_path,
            "second",
            end="crashed",
            steps=150,
            floor=0.4,
            rank=64,
            overrides=("data.train=/data/another.jsonl",),
        ),
    ]


def test_numbers_of_all_runs_stand_beside_each_other_with_the_best_marked(pair: list[RunLayout]):
    async def script(_pilot: Pilot[None], screen: CompareScreen) -> None:
        text = numbers(screen)
        assert re.search(r"● first +■ second", text)
        assert re.search(r"✓ finished +⚡ crashed", text)
        assert re.search(r"300 +150 +-50 %", row(text, "step"))
        first, second = (screen.desk.reader.open(layout).state for layout in pair)
        assert first.last_step is not None
        assert second.last_step is not None
        loss = row(text, "last loss")
        assert f"{significant(first.last_step.loss)} ★" in loss
        assert re.search(rf"{significant(second.last_step.loss)} +\+\d+ %$", loss)
        assert "0.3" in row(text, "best validation loss")
        assert "24 m" not in text
        assert re.search(r"12 m 00 s +6 m 00 s", row(text, "time in steps"))

    play(pair, script)


def test_b_makes_the_next_run_the_baseline(pair: list[RunLayout]):
    async def script(pilot: Pilot[None], screen: CompareScreen) -> None:
        assert "first (baseline)" in legend(screen)
        await pilot.press("b")
        await pilot.pause()
        assert "second (baseline)" in legend(screen)
        text = numbers(screen)
        assert re.search(r"■ second +● first", text), "the baseline stands first"
        assert "+100 %" in row(text, "step")
        assert "% from second" in screen.query_one(Numbers).note
        await pilot.press("b")
        await pilot.pause()
        assert "first (baseline)" in legend(screen)
        await pilot.press("B")
        await pilot.pause()
        assert "second (baseline)" in legend(screen)

    play(pair, script)


def test_only_options_that_differ_are_shown(pair: list[RunLayout]):
    async def script(pilot: Pilot[None], screen: CompareScreen) -> None:
        await pilot.press("3")
        await pilot.pause()
        pane = screen.query_one(Differences)
        text = text_of(pane)
        assert re.search(r"16 +≠ 64", row(text, "tune.rank"))
        assert "another.jsonl" in text
        assert "optimizer.learning_rate" not in text
        assert "2 options differ" in pane.note

    play(pair, script)


def test_a_configuration_that_cannot_be_read_says_so(pair: list[RunLayout]):
    pair[1].config.write_text("no: [such option\n")

    async def script(pilot: Pilot[None], screen: CompareScreen) -> None:
        await pilot.press("3")
        await pilot.pause()
        text = text_of(screen.query_one(Differences))
        assert text.startswith("■ second: ")
        assert "config.yaml" in text
        assert "are the same" in text

    play(pair, script)


@pytest.mark.parametrize("size", SIZES[:2])
def test_every_key_leads_to_its_pane(pair: list[RunLayout], size: tuple[int, int]):
    async def script(pilot: Pilot[None], screen: CompareScreen) -> None:
        alone = size == (80, 24)
        for key, wanted in (("2", "numbers"), ("3", "differences"), ("1", "charts")):
            await pilot.press(key)
            await pilot.pause()
            shown = {pane.id for pane in screen.query(Pane) if pane.display}
            assert wanted in shown
            assert len(shown) == (1 if alone else 2)
            assert screen.focused is not None
            assert wanted in {node.id for node in screen.focused.ancestors_with_self}
        for wanted in ("numbers", "differences", "charts"):
            await pilot.press("tab")
            await pilot.pause()
            assert screen.query_one(f"#{wanted}").display
        await pilot.press("shift+tab", "f")
        await pilot.pause()
        assert [pane.id for pane in screen.query(Pane) if pane.display] == ["differences"]
        await pilot.press("f")
        await pilot.pause()
        shown = [pane.id for pane in screen.query(Pane) if pane.display]
        assert len(shown) == (1 if alone else 2)

    play(pair, script, size)


@pytest.mark.parametrize("size", SIZES)
def test_eight_runs_fit_any_window_with_whole_names_in_the_legend(
    tmp_path: Path, size: tuple[int, int]
):
    names = [f"a-run-with-quite-a-long-name-{number}" for number in range(9)]
    layouts = [record_run(tmp_path, name, steps=20 + n) for n, name in enumerate(names)]

    async def script(pilot: Pilot[None], screen: CompareScreen) -> None:
        for marker, name in zip(MARKERS, names, strict=False):
            assert f"{marker} {name}" in legend(screen)
        assert names[8] not in legend(screen)
        refused = [note.message for note in screen.app._notifications]
        assert refused == ["at most 8 runs are told apart; 1 more are left out"]
        await pilot.press("2")
        await pilot.pause()
        lines = screen.query_one(Numbers).query_one(Sheet).lines
        width = screen.query_one(Sheet).size.width
        assert max(line.cell_length for line in lines) <= width
        heads = [line.plain for line in lines if "a-run-with" in line.plain]
        shown = {marker for head in heads for marker in MARKERS if marker in head}
        assert shown == set(MARKERS)
        assert all("●" in head for head in heads), "each block begins with the baseline"

    play(layouts, script, size)


def test_escape_goes_back_and_closes_every_feed(pair: list[RunLayout]):
    async def script(pilot: Pilot[None], screen: CompareScreen) -> None:
        reader: Any = screen.desk.reader
        assert len(reader._open) == 2
        await pilot.press("escape")
        await pilot.pause()
        assert screen.app.screen is not screen
        assert not reader._open

    play(pair, script)


def test_charts_overlay_the_runs_under_their_names(pair: list[RunLayout]):
    async def script(pilot: Pilot[None], screen: CompareScreen) -> None:
        strips = screen._compositor.render_strips()
        text = "\n".join("".join(segment.text for segment in strip) for strip in strips)
        assert "loss" in text
        assert "no chart" not in text
        await pilot.press("right")
        await pilot.pause()
        assert "step" in str(screen.query_one("#charts").border_subtitle)

    play(pair, script)


def test_nothing_is_drawn_again_while_nothing_changes(pair: list[RunLayout]):
    async def script(pilot: Pilot[None], screen: CompareScreen) -> None:
        sheet = screen.query_one(Numbers).query_one(Sheet)
        drawn = 0
        draw = sheet.show_items

        def counted(items: Any) -> None:
            nonlocal drawn
            drawn += 1
            draw(items)

        sheet.show_items = counted  # type: ignore[method-assign]
        await pilot.pause(1.2)
        assert drawn == 0

    play(pair, script)


# --- the arithmetic ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "base", "words"),
    [
        (0.5, 0.5, "="),
        (0.55, 0.5, "+10 %"),
        (0.49, 0.5, "-2.0 %"),
        (1_000, 1, "+99,900 %"),
        (-1, -2, "+50 %"),
        (0, 0, "="),
        (1, 0, ""),
        (None, 1, ""),
        (1, None, ""),
    ],
)
def test_differences_in_words(value: float | None, base: float | None, words: str):
    assert difference(value, base) == words


def test_the_best_is_marked_only_where_there_is_a_worse_one():
    def places(better: Any, *values: float | None) -> set[int]:
        return best_places([Fact("loss", value, significant, better) for value in values])

    assert places("low", 0.3, 0.2, None) == {1}
    assert places("high", 0.3, 0.2, None) == {0}
    assert places("low", 0.2, 0.2) == set()
    assert places("low", 0.2, 0.2, 0.3) == {0, 1}
    assert places("low", None, None) == set()
    assert places("low", 0.2, None) == set()
    assert places("", 1, 2) == set()


def test_a_run_without_a_step_has_unknown_numbers_and_no_zeros():
    assert {fact.text for fact in facts_of(RunState())} == {"–"}


def test_options_differ_when_any_two_runs_differ():
    every = [
        Options({"name": "a", "rank": "8", "seed": "1"}),
        Options({"name": "b", "rank": "8", "seed": "1"}),
        Options(problem="broken"),
        Options({"name": "c", "rank": "9", "seed": "1", "new": "x"}),
    ]
    assert differing(every) == ["rank", "new"]
    assert differing([]) == []


def test_tables_too_wide_are_cut_into_blocks_between_columns():
    columns = [[Content(f"head{n}"), Content("x" * 8)] for n in range(5)]
    for width in range(5, 90):
        lines = [line.plain for line in blocks(width, ["label"], columns, 1)]
        heads = [line.split() for line in lines if "head" in line]
        assert all(head[0] == "head1" for head in heads)
        assert sorted({name for head in heads for name in head}) == [f"head{n}" for n in range(5)]
        assert max(map(len, lines)) <= width or max(map(len, heads)) <= 2
