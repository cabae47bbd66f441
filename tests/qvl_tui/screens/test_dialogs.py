"""The question before something is lost, and the line of text to write."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from qvl_tui.screens.confirm import ConfirmScreen
from qvl_tui.screens.prompt import PromptScreen, at_most

NOTHING = object()


def answer(screen: ModalScreen[object], script: Callable[[Pilot[None]], Awaitable[None]]) -> object:
    """Return what a dialog was closed with, NOTHING while it is open."""
    given: list[object] = []

    async def play() -> None:
        app = App[None]()
        async with app.run_test(size=(80, 24)) as pilot:
            await app.push_screen(screen, given.append)
            await pilot.pause()
            await script(pilot)
            await pilot.pause()

    asyncio.run(play())
    return given[0] if given else NOTHING


def presses(*keys: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    async def script(pilot: Pilot[None]) -> None:
        await pilot.press(*keys)

    return script


def question() -> ModalScreen[object]:
    return ConfirmScreen("Delete [red]x?", ["[a] 2 checkpoints, 43 MB"], "delete")  # type: ignore[return-value]


def prompt(value: str = "") -> ModalScreen[object]:
    return PromptScreen("Name of [x", value, at_most(5))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["y"], True),
        (["n"], False),
        (["escape"], False),
        (["q"], False),
        (["enter"], False),
        (["left", "enter"], True),
        (["right", "right", "enter"], False),
        (["tab", "enter"], True),
        (["z"], NOTHING),
    ],
)
def test_only_yes_is_yes(keys: list[str], expected: object):
    assert answer(question(), presses(*keys)) is expected


def test_a_question_shows_names_as_they_are_and_takes_clicks():
    async def script(pilot: Pilot[None]) -> None:
        shown = [str(static.content) for static in pilot.app.screen.query(Static)]
        assert "Delete [red]x?" in shown
        assert "[a] 2 checkpoints, 43 MB" in shown
        await pilot.click("#yes")

    assert answer(question(), script) is True


def test_an_action_word_is_no_markup():
    async def script(pilot: Pilot[None]) -> None:
        labels = [str(button.label) for button in pilot.app.screen.query(Button)]
        assert labels == ["y  [b]move", "n  no"]
        await pilot.press("n")

    screen: ModalScreen[object] = ConfirmScreen("Move?", [], "[b]move")  # type: ignore[assignment]
    assert answer(screen, script) is False


def test_a_text_is_given_back_as_it_was_written():
    assert answer(prompt(), presses("a", "left_square_bracket", "enter")) == "a["
    assert answer(prompt("abc"), presses("d", "enter")) == "abcd"
    assert answer(prompt("abc"), presses("ctrl+u", "enter")) == ""
    assert answer(prompt("abc"), presses("q", "enter")) == "abcq"
    assert answer(prompt("abc"), presses("d", "escape")) is None


def test_a_text_that_is_refused_stays_with_the_reason():
    async def script(pilot: Pilot[None]) -> None:
        complaint = pilot.app.screen.query_one("#complaint", Static)
        assert not complaint.display
        await pilot.press(*"def", "enter")
        assert complaint.display
        assert "1 too many; at most 5 characters" in str(complaint.content)
        await pilot.press("backspace")
        assert not complaint.display
        assert pilot.app.screen.query_one(Input).value == "abcde"
        await pilot.press("enter")

    assert answer(prompt("abc"), script) == "abcde"
