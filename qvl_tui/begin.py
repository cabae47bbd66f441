"""Open the screen and leave it."""

from pathlib import Path

from qvl_tui.ahead import ReadAhead
from qvl_tui.app import QvlApp
from qvl_tui.desk import Desk
from qvl_tui.feed import Reader
from qvl_tui.messages import OpenData
from qvl_tui.settings import load_settings
from qvl_tui.widgets.pictures import prepare_pictures
from trainer.run.layout import RunLayout, runs_directory


def new_app(
    first: RunLayout | None,
    runs_dir: Path | None,
    ahead: ReadAhead | None = None,
    data: OpenData | None = None,
) -> QvlApp:
    """Return the app over a runs folder with this person's settings; `ahead` reads `first`."""
    settings, notice = load_settings()
    runs = first.root.parent if first else runs_directory(runs_dir)
    return QvlApp(Desk(runs, Reader(ahead), settings), first=first, data=data, notice=notice or "")


def show_screen(
    first: RunLayout | None,
    runs_dir: Path | None,
    ahead: ReadAhead | None = None,
    data: OpenData | None = None,
) -> None:
    """Show the screen until it is left, then say which runs go on."""
    app = new_app(first, runs_dir, ahead, data)
    prepare_pictures(app.desk.settings.pictures)
    last_words = app.run()
    if last_words:
        print(last_words)  # noqa: T201
    if app.return_code:
        raise SystemExit(app.return_code)
