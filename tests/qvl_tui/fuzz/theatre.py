"""Play scenes one after the other in an app over three runs."""

import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest
from textual.screen import ModalScreen

from qvl_tui.app import QvlApp
from qvl_tui.desk import Desk
from qvl_tui.messages import OpenCompare, OpenNewRun, OpenRun
from qvl_tui.screens.stop import StopScreen
from tests.qvl_tui.fuzz.commands import Commands
from tests.qvl_tui.fuzz.scenes import Place, Scene, Write
from tests.qvl_tui.player import MOMENT_SECONDS, Player
from tests.qvl_tui.recorded import live, record_run
from tests.qvl_tui.recorded_events import NOW
from trainer.run.layout import RunLayout

SCENES_PER_APP = 100
TOLD_SCENES = 5  # before the one that failed
NAMES = {"running": "lives", "finished": "[bold]ended", "crashed": "has \x1b[2J crashed"}


class Theatre:
    """An app that is opened anew, over runs of its own, every SCENES_PER_APP scenes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = ExitStack()
        self._player: Player | None = None
        self._played: list[Scene] = []  # in this app
        self._houses = 0

    def play(self, scene: Scene) -> None:
        """Play a scene; what it raises says what was played before."""
        if self._player is None or self._player.left or len(self._played) >= SCENES_PER_APP:
            self.close()
            self._player = self._begin()
        try:
            self._act(self._player, scene)
        except BaseException as error:
            for before in self._played[-TOLD_SCENES:]:
                error.add_note(f"played before in this app: {before}")
            self.close()
            raise
        self._played.append(scene)

    def close(self) -> None:
        """End the app."""
        self._player = None
        self._played = []
        self._open.close()

    def _begin(self) -> Player:
        self._houses += 1
        runs = self._folder / f"runs-{self._houses}"
        self._layouts = [
            called(name, record_run(runs, end, steps=30, end=end)) for end, name in NAMES.items()
        ]
        self._commands = Commands(runs)
        patch = self._open.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("qvl_tui.actions.asyncio.create_subprocess_exec", self._commands.start)
        self._open.callback(shutil.rmtree, runs)
        self._open.enter_context(live(self._layouts[0]))
        self._open.callback(do, Write(0, "owner", "gone", ()), self._layouts[0])
        return self._open.enter_context(Player(Desk(runs, now=lambda: NOW)))

    def _act(self, player: Player, scene: Scene) -> None:
        self._commands.answer = scene.answer
        if scene.place:
            go_to(player, scene.place, self._layouts)
        if scene.size:
            player.resize(*scene.size)
        for write in scene.writes:
            do(write, self._layouts[write.run])
        player.wait(scene.seconds)
        player.press(*scene.keys)
        if scene.pasted is not None:
            player.paste(scene.pasted)
        player.wait(MOMENT_SECONDS)
        player.look()


def go_to(player: Player, place: Place, layouts: list[RunLayout]) -> None:
    """Open a screen; what asks for something goes first, as nobody can open it twice over."""
    app = player.app
    player.call(lambda: close_dialogs(app))
    match place:
        case "runs":
            player.call(app._back_to_runs)
        case "run":
            player.post(OpenRun(layouts[0]))
        case "compare":
            player.call(app._back_to_runs)
            player.post(OpenCompare(layouts))
        case "new":
            player.post(OpenNewRun(layouts[1].config))
        case "help":
            player.call(app.action_help)
        case "palette":
            player.call(app.action_command_palette)
        case "stop":
            player.call(lambda: show_stop(app, layouts[0]))
    player.wait(0.3)


def called(name: str, layout: RunLayout) -> RunLayout:
    """Give the folder of a run any name."""
    return RunLayout(layout.root.rename(layout.root.with_name(name)))


def close_dialogs(app: QvlApp) -> None:
    """Go back to a screen that stands on its own."""
    while isinstance(app.screen, ModalScreen):
        app.pop_screen()


def show_stop(app: QvlApp, layout: RunLayout) -> None:
    """Ask whether a run is to be stopped."""
    reader = app.desk.reader
    app.push_screen(StopScreen(app.desk, reader.open(layout)), lambda _: reader.close(layout))


def do(write: Write, layout: RunLayout) -> None:
    """Do to a file of a run what a write says; whatever stood in its place goes first."""
    path: Path = getattr(layout, write.file)
    if write.how in ("anew", "gone", "folder", "nowhere") or not path.is_file():
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
    match write.how:
        case "more" | "anew":
            with path.open("ab") as file:
                file.writelines(write.lines)
        case "half" if path.is_file():
            with path.open("rb+") as file:
                file.truncate(path.stat().st_size // 2)
        case "folder":
            path.mkdir()
        case "nowhere":
            path.symlink_to(layout.root / "nowhere")
        case _:
            pass
