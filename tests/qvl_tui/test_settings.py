import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qvl_tui.settings import Settings, load_settings, save_settings, settings_path

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "qvl" / "screen.json"


def test_without_a_file_everything_stands_at_its_default(path: Path):
    assert load_settings(path) == (Settings(), None)


def test_settings_come_back_as_they_were_saved(path: Path):
    settings = Settings(theme="qvl-light", pictures="off", smoothing=0.6, log_y_charts=["loss"])

    assert save_settings(settings, path) is None
    assert load_settings(path) == (settings, None)
    assert [entry.name for entry in path.parent.iterdir()] == ["screen.json"]


def test_they_lie_where_the_desktop_standard_says(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", "/somewhere")
    assert settings_path() == Path("/somewhere/qvl/screen.json")
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")  # the standard says: to be ignored
    monkeypatch.setenv("HOME", "/home/me")
    assert settings_path() == Path("/home/me/.config/qvl/screen.json")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"\xff\xfe", b'{"theme": "x"} more', b"null"]
)
def test_a_broken_file_is_set_aside_with_a_notice(path: Path, content: bytes):
    path.parent.mkdir()
    for number in (1, 2):
        path.write_bytes(content)

        settings, notice = load_settings(path)

        aside = path.with_name(f"screen.json.broken-{number}")
        assert settings == Settings()
        assert notice is not None
        assert str(aside) in notice
        assert aside.read_bytes() == content
        assert not path.exists()


def test_a_file_too_long_to_be_ours_is_not_read_whole(path: Path):
    path.parent.mkdir()
    path.write_bytes(b'{"theme": "' + b"x" * 2**21 + b'"}')

    assert "1,048,576" in (load_settings(path)[1] or "")


def test_wrong_values_stand_at_their_defaults_one_by_one_with_a_notice(path: Path):
    path.parent.mkdir()
    wrong = {
        "theme": 3,
        "pictures": 0,
        "smoothing": 7,
        "log_y_charts": ["loss", 1],
        "x_axis": "epoch",
    }
    path.write_bytes(orjson.dumps(wrong))

    settings, notice = load_settings(path)

    assert settings == Settings(x_axis="epoch")
    assert notice is not None
    for name in ("theme", "pictures", "smoothing", "log_y_charts"):
        assert name in notice
    assert "x_axis" not in notice


def test_a_whole_number_will_do_for_a_fraction(path: Path):
    path.parent.mkdir()
    path.write_bytes(b'{"smoothing": 0}')

    settings, notice = load_settings(path)

    assert (settings.smoothing, notice) == (0.0, None)
    assert isinstance(settings.smoothing, float)


def test_keys_of_another_version_are_kept(path: Path):
    path.parent.mkdir()
    path.write_bytes(b'{"from_the_future": [1], "theme": "qvl-light"}')
    settings, notice = load_settings(path)

    save_settings(settings, path)

    assert notice is None
    assert orjson.loads(path.read_bytes())["from_the_future"] == [1]


def test_a_folder_that_cannot_be_written_gives_a_notice_and_no_crash(tmp_path: Path):
    (tmp_path / "qvl").write_text("a file where the folder should be")
    path = tmp_path / "qvl" / "screen.json"

    complaint = save_settings(Settings(), path)

    assert complaint is not None
    assert str(path) in complaint
    assert load_settings(path)[0] == Settings()


def test_a_folder_in_place_of_the_file_is_no_crash(path: Path):
    path.mkdir(parents=True)

    assert load_settings(path)[0] == Settings()
    assert save_settings(Settings(), path) is not None
    assert list(path.parent.iterdir()) == [path], "no half-written file stays"


def test_a_file_kept_elsewhere_through_a_link_stays_linked(path: Path, tmp_path: Path):
    path.parent.mkdir()
    kept = tmp_path / "dotfiles.json"
    kept.write_text("{}")
    path.symlink_to(kept)

    save_settings(Settings(theme="qvl-light"), path)

    assert path.is_symlink()
    assert orjson.loads(kept.read_bytes())["theme"] == "qvl-light"


def test_two_screens_that_write_at_once_leave_the_settings_of_one(path: Path):
    ours, theirs = Settings(theme="a" * 5_000), Settings(theme="b" * 5_000)
    save_settings(ours, path)

    def write(settings: Settings) -> None:
        for _ in range(100):
            assert save_settings(settings, path) is None

    writers = [Thread(target=write, args=(settings,)) for settings in (ours, theirs)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        settings, notice = load_settings(path)
        assert notice is None
        assert settings in (ours, theirs)
    for writer in writers:
        writer.join()


@given(st.dictionaries(st.sampled_from(list(vars(Settings()))), JSON))
def test_whatever_a_file_holds_the_settings_have_the_types_they_should(
    tmp_path_factory: pytest.TempPathFactory, raw: dict[str, object]
):
    path = tmp_path_factory.mktemp("config") / "screen.json"
    path.write_bytes(orjson.dumps(raw))

    settings, _ = load_settings(path)

    for name, default in vars(Settings()).items():
        assert type(getattr(settings, name)) is type(default), name
    assert save_settings(settings, path) is None
    assert load_settings(path) == (settings, None)


def test_reading_settings_needs_no_heavy_import():
    code = "import sys, qvl_tui.settings; print(*{m.split('.')[0] for m in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    ).stdout.split()
    assert not {"pydantic", "textual", "numpy", "rich"} & set(loaded)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["folder", "pipe", "loop"])
def test_a_settings_file_that_is_none_is_told_and_never_a_crash(kind: str, path: Path):
    path.parent.mkdir()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path.name)
    settings, notice = load_settings(path)
    assert settings == Settings()
    assert "not read" in (notice or "")
    if kind == "folder":
        assert "not kept" in (save_settings(settings, path) or "")
    else:
        assert save_settings(settings, path) is None
        assert load_settings(path) == (settings, None)


def test_a_full_disk_is_told_when_settings_are_saved():
    complaint = save_settings(Settings(), Path("/dev/full/screen.json"))
    assert "not kept" in (complaint or "")
