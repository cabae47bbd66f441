"""State, progress, pace, and what to do when something is wrong."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from textual.style import Style

from qvl_tui.feed import Feed
from qvl_tui.widgets.header import pace_line, progress, title_line, trouble_lines
from tests.qvl_tui.recorded import NOW, live, record_run
from tests.qvl_tui.recorded_events import End
from trainer.run.codec import encode
from trainer.run.events import CheckpointFailed, Phase
from trainer.run.layout import RunLayout

LIVE = ("running", "starting", "stalled")
PLAIN = Style()


FeedOf = Callable[..., Feed]


@pytest.fixture(scope="module")
def feed_of(tmp_path_factory: pytest.TempPathFactory) -> FeedOf:
    """Return a function from the end of a run to what is read of it, recorded once each."""

    @cache
    def made(end: End, **changes: Any) -> Feed:
        layout = record_run(tmp_path_factory.mktemp("runs"), "shapes-lora", end=end, **changes)
        with live(layout) if end in LIVE else nullcontext():
            return Feed.of(layout)

    return made


def config_of(feed: Feed) -> dict[str, Any]:
    started = feed.state.current.started
    return started.config if started else {}


def append(layout: RunLayout, event: Phase | CheckpointFailed) -> None:
    with layout.events.open("ab") as file:
        file.write(encode(replace(event, attempt=1, time=NOW, seq=100_000)))


def test_the_title_tells_state_model_method_and_epoch(feed_of: FeedOf):
    feed = feed_of("running")
    line = title_line(feed, config_of(feed), "shapes-lora", PLAIN, 118).plain
    assert line.startswith("● running   shapes-lora   Qwen3-VL-2B-Instruct · LoRA r16 · NF4 ·")
    assert line.endswith("epoch 2.00/3")


def test_a_limit_of_steps_says_how_many_epochs_they_are(feed_of: FeedOf):
    feed = feed_of("running")
    config = {"training": {"epochs": 5.0, "max_steps": feed.state.total_steps}}
    assert title_line(feed, config, "x", PLAIN, 118).plain.endswith("epoch 2.00/3.00")


def test_a_second_attempt_is_told(feed_of: FeedOf):
    feed = feed_of("finished", resumed_at=200)
    assert title_line(feed, config_of(feed), "x", PLAIN, 118).plain.endswith(
        "epoch 2.00/3   attempt 2"
    )


@pytest.mark.parametrize("width", [40, 60, 80, 118, 198])
@pytest.mark.parametrize("end", ["running", "starting", "stalled", "failed", "finished"])
def test_every_line_fits_and_ends_with_a_whole_word(feed_of: FeedOf, width: int, end: End):
    feed = feed_of(end)
    lines = [
        title_line(feed, config_of(feed), "shapes-lora", PLAIN, width),
        progress(feed, NOW, width),
        pace_line(feed.state, width),
        *trouble_lines(feed, PLAIN, width),
    ]
    assert all(line.cell_length <= width for line in lines)
    assert "…" not in "".join(line.plain for line in lines[:3])[1:].removeprefix("stalled")


def test_progress_is_a_line_and_numbers(feed_of: FeedOf):
    line = progress(feed_of("running"), NOW, 100).plain
    assert line.count("━") > 2 * line.count("─") - 2
    assert "400/600   67 %   17 m 03 s gone   8 m 00 s left" in line


def test_a_phase_under_way_takes_the_place_of_the_progress(feed_of: FeedOf):
    line = progress(feed_of("starting"), NOW, 100).plain
    assert "loading the model   412/625 tensors   66 %" in line


def test_an_evaluation_shows_how_far_it_is_and_the_step_beside_it(tmp_path: Path):
    layout = record_run(tmp_path, "run")
    append(layout, Phase(name="evaluate", state="progress", done=12, total=40, unit="samples"))
    with live(layout):
        line = progress(Feed.of(layout), NOW, 100).plain
    assert "evaluating   12/40 samples   30 %   step 400/600" in line


def test_while_the_files_are_read_the_share_is_shown(tmp_path: Path):
    feed = Feed(record_run(tmp_path, "run"))
    assert "reading 0 %" in progress(feed, NOW, 80).plain


def test_the_pace_tells_speed_and_where_the_time_of_a_step_goes(feed_of: FeedOf):
    line = pace_line(feed_of("running").state, 118).plain
    assert line.startswith("2.40 s/step · 1.74 k tok/s · 41 % MFU   data ▏ 2 %")
    assert "forward+backward ███████▍ 93 %  optimizer ▍ 5 %" in line
    assert line.endswith("⚠ 1 alert !")


def test_what_is_not_known_is_a_dash(feed_of: FeedOf):
    assert pace_line(feed_of("starting").state, 80).plain == ("– s/step · – tok/s · – MFU")


@pytest.mark.parametrize(
    ("end", "reason", "remedy"),
    [
        ("failed", "✗ CUDA out of memory at train.jsonl:4117 [phase forward]", "r resume from"),
        ("crashed", "⚡ out of memory", "r resume from the checkpoint of step 400"),
        ("stalled", "… no progress for 400 s", "x stop it   4 read the stacks in the log"),
        ("stopped", "", "r resume from the checkpoint of step 400   e edit a copy"),
        ("finished", "", "✓ result in final/ (44 MB)   best validation loss 0.342"),
    ],
)
def test_trouble_says_why_and_which_key_helps(feed_of: FeedOf, end: End, reason: str, remedy: str):
    lines = [line.plain for line in trouble_lines(feed_of(end), PLAIN, 118)]
    assert lines[0].startswith(reason)
    assert lines[-1].startswith(remedy)
    assert "qvl resume" not in "".join(lines)


def test_a_run_that_goes_well_needs_no_more_lines(feed_of: FeedOf):
    assert trouble_lines(feed_of("running"), PLAIN, 118) == []


def test_a_checkpoint_that_could_not_be_written_is_said_while_the_run_goes_on(tmp_path: Path):
    layout = record_run(tmp_path, "run")
    append(layout, CheckpointFailed(step=400, reason="no space left on [disk]"))
    with live(layout):
        lines = trouble_lines(Feed.of(layout), PLAIN, 100)
    assert [it.plain for it in lines] == ["⚠ no checkpoint at step 400: no space left on [disk]"]
