from pathlib import Path

import pytest

from trainer.run.about import About, read_about, write_about
from trainer.run.layout import RunLayout
from trainer.run.lock import RunIsHeld, acquire_run_lock
from trainer.run.trash import trash_run


def test_what_is_noted_comes_back(tmp_path: Path):
    layout = RunLayout(tmp_path)
    assert read_about(layout) == About()
    write_about(layout, About("Formen, größer", "erste\nzweite"))
    assert read_about(layout) == About("Formen, größer", "erste\nzweite")
    assert [it.name for it in tmp_path.iterdir()] == ["about.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"title": 3, "note": null}'])
def test_a_damaged_file_notes_nothing(tmp_path: Path, content: bytes):
    layout = RunLayout(tmp_path)
    layout.about.write_bytes(content)
    assert read_about(layout) == About()


def test_a_name_that_would_not_fit_is_refused_and_one_in_the_file_is_cut(tmp_path: Path):
    with pytest.raises(ValueError, match="at most 100"):
        About(title="x" * 101)
    layout = RunLayout(tmp_path)
    layout.about.write_text('{"title": "' + "x" * 300 + '"}')
    assert len(read_about(layout).title) == 100


def test_lone_surrogates_from_a_terminal_do_no_harm(tmp_path: Path):
    layout = RunLayout(tmp_path)
    write_about(layout, About("a\udcffb"))
    assert read_about(layout).title == "a?b"


def test_a_deleted_run_lies_whole_in_the_trash_and_twice_the_same_name_fits(tmp_path: Path):
    for text in ("first", "second"):
        layout = RunLayout(tmp_path / "a")
        layout.root.mkdir()
        layout.config.write_text(text)
        target = trash_run(layout)
        assert not layout.root.exists()
        assert target.parent == tmp_path / ".trash"
        assert (target / "config.yaml").read_text() == text


def test_a_run_that_lives_cannot_be_deleted(tmp_path: Path):
    layout = RunLayout(tmp_path / "a")
    layout.root.mkdir()
    with acquire_run_lock(layout.root), pytest.raises(RunIsHeld):
        trash_run(layout)
    assert layout.root.exists()
