from operator import is_
from pathlib import Path

import orjson
import pytest

from tests.trainer.run.building import evaluation, planned, step, supervisor
from trainer.run import summary
from trainer.run.about import About, write_about
from trainer.run.append import append_line
from trainer.run.codec import encode
from trainer.run.events import AnyEvent, Exit, Resumed
from trainer.run.layout import RunLayout, list_runs
from trainer.run.liveness import HEAD_BYTES, TAIL_BYTES
from trainer.run.lock import acquire_run_lock
from trainer.run.summary import LOSS_POINTS, RESULTS_NAME, Best, Summaries, summarise


def make_run(root: Path, *events: AnyEvent, ended: bool = True) -> RunLayout:
    root.mkdir(parents=True)
    layout = RunLayout(root)
    layout.config.write_text("{}\n")
    layout.events.write_bytes(b"".join(map(encode, events)))
    end = [Exit(state="finished", code=0, attempt=1, time=2000.0)] if ended else []
    layout.monitor.write_bytes(b"".join(map(encode, [supervisor(), *end])))
    return layout


def test_a_short_run_is_told_whole(tmp_path: Path):
    steps = [step(n, loss=1.0 / n) for n in range(1, 11)]
    layout = make_run(tmp_path / "a", planned(10), *steps, evaluation(10, loss=0.3, best=True))
    write_about(layout, About("A name", "a note"))
    told = summarise(layout)
    assert (told.status.state, told.state.step, told.started) == ("finished", 10, 1000.0)
    assert told.best == Best(0.3, 10)
    assert told.losses == tuple(1.0 / n for n in range(1, 11))
    assert (told.about.title, told.skipped, told.touched) == ("A name", 0, 2000.0)


@pytest.fixture(scope="module")
def long_run(tmp_path_factory: pytest.TempPathFactory) -> RunLayout:
    """Return a run whose middle is left out, with a resume in it."""
    before = [step(n, loss=8.0 if n > 1500 else 4.0) for n in range(1, 2001)]
    again = [step(n, attempt=2, loss=4.0 - n / 1000) for n in range(1001, 3001)]
    layout = make_run(
        tmp_path_factory.mktemp("runs") / "long",
        planned(3000),
        *before[:1000],
        evaluation(1000, loss=0.1, best=True),
        *before[1000:],
        Resumed(step=1000, attempt=2),
        *again,
        ended=False,
    )
    assert layout.events.stat().st_size > HEAD_BYTES + TAIL_BYTES
    results = {"eval_loss": 0.5, "best_step": 1000, "best_loss": 0.1}
    (layout.root / RESULTS_NAME).write_bytes(orjson.dumps(results))
    return layout


def test_the_losses_of_a_long_run_are_spread_over_all_of_it_without_what_a_resume_made_void(
    long_run: RunLayout,
):
    told = summarise(long_run)
    assert told.state.partial
    assert told.skipped is None
    assert LOSS_POINTS // 2 < len(told.losses) <= LOSS_POINTS
    assert told.losses[0] == 4.0
    assert told.losses[-1] == pytest.approx(1.0)
    assert max(told.losses) <= 4.0
    assert sorted(told.losses, reverse=True) == list(told.losses)


def test_the_best_validation_of_a_long_run_is_known_though_its_event_was_not_read(
    long_run: RunLayout,
):
    told = summarise(long_run)
    assert told.state.best_evaluation is None
    assert told.best == Best(0.1, 1000)


def test_the_best_validation_of_a_long_run_is_unknown_where_nothing_tells_it(long_run: RunLayout):
    (long_run.root / RESULTS_NAME).unlink()
    with long_run.events.open("ab") as file:
        file.write(encode(evaluation(2000, loss=0.9, best=True)))
    told = summarise(long_run)
    assert told.state.best_evaluation is not None
    assert told.best is None


def test_only_what_changed_is_read_again(tmp_path: Path):
    first, second = make_run(tmp_path / "a", step(1)), make_run(tmp_path / "b", step(1))
    runs = Summaries(tmp_path)
    before = runs.read()
    append_line(first.events, encode(step(2)))
    after = runs.read()
    assert [it.layout for it in after] == [first, second]
    assert after[0].state.step == 2
    assert after[1] is before[1]
    write_about(second, About("renamed"))
    assert runs.read()[1].about.title == "renamed"
    second.config.unlink()
    assert [it.layout for it in runs.read()] == [first]


def test_a_run_that_dies_without_a_word_is_noticed(tmp_path: Path):
    layout = make_run(tmp_path / "a", step(1, attempt=1), ended=False)
    runs = Summaries(tmp_path)
    with acquire_run_lock(layout.root):
        assert [it.status.state for it in runs.read()] == ["running"]
    assert [it.status.state for it in runs.read()] == ["crashed"]


def test_a_damaged_run_is_a_summary_that_says_so(tmp_path: Path):
    layout = make_run(tmp_path / "a")
    layout.events.unlink()
    layout.events.mkdir()
    make_run(tmp_path / "b", step(1)).owner.write_bytes(b"\xff{]")
    damaged, whole = Summaries(tmp_path).read()
    assert "its files cannot be read" in damaged.problem
    assert damaged.status.message == damaged.problem
    assert (whole.problem, whole.state.step) == ("", 1)


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff", b"[]", b'{"best_loss":"x","best_step":[]}', b'{"best_loss":1}']
)
def test_odd_results_of_validation_do_no_harm(tmp_path: Path, content: bytes):
    layout = make_run(tmp_path / "a", *[step(n) for n in range(1, 1500)])
    (layout.root / RESULTS_NAME).write_bytes(content)
    assert summarise(layout).best is None


def test_deleted_runs_are_not_listed(tmp_path: Path):
    make_run(tmp_path / ".trash" / "a-1")
    make_run(tmp_path / ".hidden")
    assert list_runs(tmp_path) == []


def test_the_files_of_runs_that_rest_are_not_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for n in range(20):
        make_run(tmp_path / f"run-{n}", step(1))
    runs = Summaries(tmp_path)
    first = runs.read()
    monkeypatch.setattr(summary, "quick_state", None)
    assert all(map(is_, runs.read(), first))
