"""What is read once the screen is gone."""

import stat
from pathlib import Path

from qvl_tui.last_words import fault_of_the_screen, runs_that_go_on
from tests.qvl_tui.recorded import live, record_run


def test_runs_that_go_on_are_named(tmp_path: Path):
    record_run(tmp_path, "old", end="finished")
    layout = record_run(tmp_path, "young")
    assert runs_that_go_on(tmp_path) == ""
    with live(layout):
        said = runs_that_go_on(tmp_path)
    assert said == "young goes on; `qvl` shows it again, `qvl stop young` stops it"


def test_a_fault_is_told_in_a_few_lines_and_its_traceback_kept(tmp_path: Path):
    said = fault_of_the_screen(_raised(), tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    assert said.splitlines()[0] == "the screen failed: ValueError: [red]"
    assert str(kept) in said
    assert "_raised" in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_fault_is_told_where_nothing_can_be_kept(tmp_path: Path):
    (tmp_path / "file").write_text("")
    assert "could not be kept" in fault_of_the_screen(_raised(), tmp_path / "file")


def _raised() -> ValueError:
    try:
        raise ValueError("\x1b[31m[red]")
    except ValueError as error:
        return error
