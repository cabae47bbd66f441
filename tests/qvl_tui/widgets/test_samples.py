"""Samples: what the model answered next to the truth, evaluation by evaluation."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Static

from qvl_tui.desk import Desk
from qvl_tui.feed import Feed
from qvl_tui.widgets.cells import cells_of
from qvl_tui.widgets.pictures import Picture, prepare_pictures
from qvl_tui.widgets.sample_text import list_row, sample_text
from qvl_tui.widgets.samples import NOTHING_YET, Samples, by_evaluation
from qvl_tui.widgets.word_differences import MAX_WORDS, differences
from tests.qvl_tui.recorded import record_run
from trainer.demo.shapes import write_shapes
from trainer.run.codec import encode
from trainer.run.events import SamplePrediction
from trainer.run.layout import RunLayout

TRUTH = '{"color":"red"}'


def sample(step: int = 100, **changes: object) -> SamplePrediction:
    one = SamplePrediction(
        step=step,
        file="/data/validation[1].jsonl",
        line=12,
        prompt="<|im_start|>user\nWhat is it?<|im_end|>\n<|im_start|>assistant\n",
        truth=TRUTH,
        answer=TRUTH,
        new_tokens=7,
        attempt=1,
    )
    return replace(one, **changes)


class Shown(App[None]):
    def __init__(self, layout: RunLayout) -> None:
        super().__init__()
        self.feed = Feed.of(layout)

    def compose(self) -> ComposeResult:
        yield Samples(Desk(self.feed.layout.root.parent))

    @property
    def pane(self) -> Samples:
        return self.query_one(Samples)

    def part(self, name: str) -> str:
        return str(self.query_one(f"#samples-{name}", Static).content)

    async def look(self, pilot: Pilot[None]) -> None:
        self.feed.take(self.feed.bite())
        self.pane.show(self.feed)
        await pilot.pause()
        await self.workers.wait_for_complete()
        await pilot.pause()


def shown(
    layout: RunLayout,
    steps: Callable[[Shown, Pilot[None]], Awaitable[None]],
    size: tuple[int, int] = (100, 30),
) -> None:
    async def run() -> None:
        app = Shown(layout)
        async with app.run_test(size=size) as pilot:
            app.pane.focus()
            await app.look(pilot)
            await steps(app, pilot)

    prepare_pictures("half blocks")
    asyncio.run(run())


def add(layout: RunLayout, *samples: SamplePrediction) -> RunLayout:
    with layout.events.open("ab") as file:
        file.write(b"".join(encode(replace(it, seq=9_000)) for it in samples))
    return layout


def empty_run(runs: Path) -> RunLayout:
    return record_run(runs, "a", steps=3, evaluations=False)


def test_a_run_without_evaluation_says_what_will_be_here(tmp_path: Path):
    async def steps(app: Shown, pilot: Pilot[None]) -> None:
        assert app.part("head") == NOTHING_YET
        await pilot.press("up", "left_square_bracket", "enter", "h", "p", "pagedown")
        assert app.pane.sample is None

    shown(empty_run(tmp_path), steps)


def test_keys_go_through_samples_and_evaluations(tmp_path: Path):
    async def steps(app: Shown, pilot: Pilot[None]) -> None:
        assert app.pane.note == "step 400"
        assert app.part("head") == "sample 1/2 · 1 of 2 exact · evaluation 8/8 (newest)"
        assert app.part("text").startswith("✓ exact  validation.jsonl:12  14 tokens")
        await pilot.press("down", "down")
        assert app.part("head").startswith("sample 2/2")
        assert app.part("text").startswith("≠ differs  validation.jsonl:31")
        await pilot.press("left_square_bracket", "left")
        assert app.pane.note == "step 300"
        assert app.part("head").endswith("evaluation 6/8")
        assert app.part("text").startswith("≠ differs")
        await pilot.press("right", "right_square_bracket", "right")
        assert app.pane.note == "step 400"

    shown(record_run(tmp_path, "a"), steps)


def test_it_stays_with_the_newest_evaluation_until_another_is_chosen(tmp_path: Path):
    layout = add(empty_run(tmp_path), sample(100), sample(200))

    async def steps(app: Shown, pilot: Pilot[None]) -> None:
        add(layout, sample(300))
        await app.look(pilot)
        assert app.pane.note == "step 300"
        await pilot.press("left")
        add(layout, sample(400))
        await app.look(pilot)
        assert app.pane.note == "step 200"
        assert app.part("head").endswith("evaluation 2/4")
        await pilot.press("right", "right")
        add(layout, sample(500))
        await app.look(pilot)
        assert app.pane.note == "step 500"

    shown(layout, steps)


def test_reasoning_and_prompt_unfold_and_earlier_answers_are_told(tmp_path: Path):
    layout = add(
        empty_run(tmp_path),
        sample(100, answer="blue"),
        sample(200, answer="[b]red[/b]", reasoning="It is red.\nSo."),
    )

    async def steps(app: Shown, pilot: Pilot[None]) -> None:
        assert "▸ reasoning, 14 characters" in app.part("text")
        assert "prompt  What is it?" in app.part("text")
        assert "model  [b]red[/b]" in app.part("text")
        await pilot.press("enter")
        assert "It is red.\nSo." in app.part("text")
        assert "<|im_start|>user\nWhat" in app.part("text")
        assert "step 100" not in app.part("text")
        await pilot.press("h")
        assert "step 100  ≠ blue" in app.part("text")
        await pilot.press("left")
        assert "no earlier evaluation answered it" in app.part("text")

    shown(layout, steps)


def test_the_picture_of_the_record_stands_beside_its_answer(tmp_path: Path):
    _, validation = write_shapes(tmp_path / "data", train=1, validation=3, seed=5)
    samples = [sample(100, file=str(validation), line=line) for line in (1, 2, 3, 99)]
    layout = add(empty_run(tmp_path / "runs"), *samples)

    async def steps(app: Shown, pilot: Pilot[None]) -> None:
        picture = app.query_one(Picture)
        assert picture.display
        assert picture.image is not None
        assert picture.image.size == (96, 96)
        assert picture.size.width == 2 * picture.size.height
        first = picture.image
        await pilot.press("down")
        await app.look(pilot)
        assert picture.image is not first
        await pilot.press("down", "down")
        await app.look(pilot)
        assert not picture.display
        assert "has no line 99" in app.part("text")

    shown(layout, steps)


def test_a_low_or_narrow_pane_shows_one_sample_and_no_list(tmp_path: Path):
    async def steps(app: Shown, pilot: Pilot[None]) -> None:
        assert not app.query_one("#samples-list").display
        assert app.part("head") == "sample 1/2 · 1 of 2 exact"
        await pilot.press("down")
        assert app.part("text").startswith("≠ differs")

    shown(record_run(tmp_path, "a"), steps, size=(36, 10))


def test_a_folded_prompt_says_who_spoke_unless_the_user_was_alone():
    def folded(prompt: str) -> str:
        told = str(sample_text(sample(prompt=prompt), [], unfolded=False, history=False))
        return told.splitlines()[-1].removeprefix("prompt  ")

    begin, end, image = "<|im_start|>", "<|im_end|>\n", "<|vision_start|><|image_pad|>"
    question = f"{begin}user\n{image}What is it?{end}{begin}assistant\n"
    assert folded(question) == "What is it?"
    assert folded(f"{begin}system\nBe short.{end}{question}") == (
        "system: Be short. user: What is it?"
    )
    assert folded(f"{question}Red.{end}{begin}user\nSure?{end}{begin}assistant\n") == (
        "user: What is it? assistant: Red. user: Sure?"
    )
    assert folded("no turns, an assistant\n") == "no turns, an assistant"
    assert folded(f"before {question}") == "before user: What is it?"


def test_the_later_of_two_answers_at_one_step_counts():
    found = by_evaluation([sample(200), sample(100, answer="a"), sample(100, answer="b")])
    assert [step for step, _ in found] == [100, 200]
    assert [it.answer for it in found[0][1].values()] == ["b"]


def test_differences_are_told_word_by_word():
    truth, answer = '{"shape": "square", "x": 1}', '{"shape": "triangle", "x": 1, "y": 2}'
    missing, instead = differences(truth, answer)
    assert [truth[a:b] for a, b in missing] == ["square"]
    assert [answer[a:b] for a, b in instead] == ["triangle", ', "y": 2']


def test_long_texts_are_compared_up_to_the_first_difference():
    truth = " ".join(map(str, range(MAX_WORDS)))
    answer = truth.replace(" 300 ", " x ")
    missing, instead = differences(truth, answer)
    assert truth[missing[0][0] :].startswith("300 301")
    assert answer[instead[0][0] :].startswith("x 301")
    assert differences(truth, truth) == ([], [])


@settings(max_examples=100)
@given(truth=st.text("ab 漢{}\n", max_size=30), answer=st.text("ab 漢{}\n", max_size=30))
def test_what_is_not_marked_is_the_same_in_both(truth: str, answer: str):
    missing, instead = differences(truth, answer)
    for first, last in reversed(missing):
        truth = truth[:first] + truth[last:]
    for first, last in reversed(instead):
        answer = answer[:first] + answer[last:]
    assert truth == answer


@settings(max_examples=150)
@given(
    texts=st.tuples(*[st.text(max_size=60)] * 4),
    width=st.integers(1, 60),
    unfolded=st.booleans(),
)
def test_no_answer_can_break_the_text_about_it(texts: tuple[str, ...], width: int, unfolded: bool):
    prompt, truth, answer, name = texts
    one = sample(prompt=prompt, truth=truth, answer=answer, reasoning=answer, file="/a/" + name)
    for shown_text in (
        str(sample_text(one, [one], unfolded=unfolded, history=True)),
        str(row := list_row(one, width, chosen=True)),
    ):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown_text)
    assert cells_of(str(row)) <= max(width, 5)
    assert "\n" not in str(row)
