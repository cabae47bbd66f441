"""What the list says about runs, read again and again from their files."""

import os
from operator import is_
from pathlib import Path

import pytest
from rich.cells import cell_len

from qvl_tui.listing import Runs, disk_of
from qvl_tui.run_line import RunLine
from qvl_tui.widgets.run_details import details
from qvl_tui.widgets.runs_columns import (
    COLUMNS,
    ago,
    columns_that_fit,
    cut,
    going,
    row,
    shortened,
    sorted_lines,
    sparkline,
)
from tests.qvl_tui.recorded import NOW, live, record_run
from trainer.run.about import About, write_about
from trainer.run.layout import RunLayout


def lines_of(runs: Path) -> dict[str, RunLine]:
    return {line.layout.name: line for line in Runs(runs).read().lines}


@pytest.mark.parametrize(
    ("overrides", "method"),
    [
        ((), "LoRA r16 NF4"),
        (("model.quantization=none",), "LoRA r16 bf16"),
        (("tune.language=full", "model.quantization=none"), "full language bf16"),
        (("tune.language=frozen", "tune.aligner=full"), "full aligner NF4"),
    ],
)
def test_the_method_is_read_from_the_configuration(
    tmp_path: Path, overrides: tuple[str, ...], method: str
):
    record_run(tmp_path, "a", steps=3, end="finished", overrides=overrides)
    line = lines_of(tmp_path)["a"]
    assert (line.model, line.method) == ("2B-Instruct", method)
    assert line.facts(NOW)["tune.rank"] == 16
    assert line.facts(NOW)["optimizer.learning_rate"] == 2e-4


def test_an_unchanged_run_is_the_same_line_and_a_changed_one_is_another(tmp_path: Path):
    record_run(tmp_path, "a", steps=3, end="finished")
    runs = Runs(tmp_path)
    (first,) = runs.read().lines
    (second,) = runs.read().lines
    assert second is first
    write_about(first.layout, About("Best [yet]", "line\none"))
    (third,) = runs.read().lines
    assert (third.name, third.title, third.note) == ("Best [yet]", "Best [yet]", "line one")
    assert third.layout.name == "a"


def test_a_stalled_run_asks_to_be_stopped_and_a_failed_one_to_be_resumed(tmp_path: Path):
    record_run(tmp_path, "failed", steps=3, end="failed")
    killed = record_run(tmp_path, "killed", steps=3)
    lines = lines_of(tmp_path)
    assert (lines["failed"].remedy, lines["killed"].remedy) == ("r resume", "r resume")
    assert "qvl resume" not in lines["failed"].reason + lines["killed"].reason
    with live(killed):
        line = lines_of(tmp_path)["killed"]
        assert (line.state, line.reason, line.remedy) == ("running", "", "")


def test_the_lines_of_two_hundred_unchanged_runs_are_kept(tmp_path: Path):
    record_run(tmp_path, "r0", steps=3, end="finished")
    for number in range(1, 200):
        folder = tmp_path / f"r{number}"
        folder.mkdir()
        for file in (tmp_path / "r0").iterdir():
            if file.is_file():
                os.link(file, folder / file.name)
    runs = Runs(tmp_path)
    first = runs.read().lines
    assert len(first) == 200
    assert all(map(is_, runs.read().lines, first))


def test_the_size_of_a_run_counts_what_lies_in_it(tmp_path: Path):
    layout = record_run(tmp_path, "a", steps=250, end="finished")
    before = disk_of(layout)
    assert before.checkpoints == 2
    (layout.checkpoint(200) / "weights").write_bytes(b"x" * 5_000)
    assert disk_of(layout).bytes == before.bytes + 5_000
    assert disk_of(RunLayout(tmp_path / "gone")).bytes == 0


def test_words_are_kept_whole_where_they_can_be():
    assert shortened("out of memory", 13) == "out of memory"
    assert shortened("out of memory", 12) == "out of …"
    assert shortened("memory", 4) == "mem…"
    assert cut("中文的名字", 6) == "中文…"
    assert cut("abc", 0) == ""


def test_times_are_told_in_their_largest_unit():
    assert [ago(s) for s in (None, 5, 60, 7_199, 90_000)] == [
        "–",
        "just now",
        "1 m ago",
        "1 h ago",
        "1 d ago",
    ]
    assert [going(s) for s in (None, 5, 65, 3_720)] == ["–", "5 s", "1 m", "1 h 02 m"]


def test_a_trend_falls_as_the_loss_does():
    assert sparkline([8, 7, 6, 5, 4, 3, 2, 1], 8) == "█▇▆▅▄▃▂▁"
    assert sparkline([1, 1, 1], 8) == "▁▁▁"
    assert len(sparkline(list(range(64)), 10)) == 10
    assert sparkline([], 8) == ""


@pytest.mark.parametrize("end", ["running", "starting", "failed", "finished"])
def test_a_line_never_outgrows_its_width(tmp_path: Path, end: str):
    record_run(tmp_path, "a-rather-long-name-of-a-run-that-goes-on", steps=9, end=end)
    wide = record_run(tmp_path, "wide", steps=9, end="crashed")
    wide.root.rename(tmp_path / ("中文的名字" * 4))
    lines = list(lines_of(tmp_path).values())
    for width in range(40, 220, 7):
        columns = columns_that_fit(lines, width, NOW, "age")
        for line in lines:
            text = "".join(part for part, _ in row(line, columns, NOW, width))
            assert cell_len(text) <= width
            shown = details(line, None, NOW, width)
            assert width < 60 or all(part.cell_length <= width for part in shown)


def test_every_column_sorts_with_the_unknown_last_and_reverses(tmp_path: Path):
    record_run(tmp_path, "a", steps=3, end="finished")
    record_run(tmp_path, "b", steps=9, end="failed", evaluations=False)
    bare = tmp_path / "c"
    bare.mkdir()
    (bare / "config.yaml").write_text("seed: 1\n")
    lines = list(lines_of(tmp_path).values())
    for column in COLUMNS:
        if column.sort is None:
            continue
        up = sorted_lines(lines, column.key, NOW, reverse=False)
        down = sorted_lines(lines, column.key, NOW, reverse=True)
        unknown = [line for line in lines if column.sort(line, NOW) is None]
        assert set(map(id, up)) == set(map(id, down)) == set(map(id, lines))
        if unknown:
            tail = len(unknown)
            assert {line.layout for line in up[-tail:]} == {line.layout for line in unknown}
            assert up[-tail:] == down[-tail:]
