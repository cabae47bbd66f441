"""The screen does not keep what is no longer shown."""

import weakref
from pathlib import Path

from qvl_tui.desk import Desk
from qvl_tui.memory import COLLECT_SECONDS
from qvl_tui.screens.help import HelpScreen
from tests.qvl_tui.player import Player
from tests.qvl_tui.recorded import record_run
from tests.qvl_tui.recorded_events import NOW


def test_a_screen_that_was_closed_is_gone_before_long(tmp_path: Path):
    record_run(tmp_path, "shapes", steps=30, end="finished")
    with Player(Desk(tmp_path, now=lambda: NOW)) as player:
        player.press("question_mark")
        player.wait(0.5)
        assert isinstance(player.app.screen, HelpScreen)
        closed = weakref.ref(player.app.screen)
        lines = weakref.ref(player.app.screen._styles_cache)
        player.press("escape")
        player.wait(COLLECT_SECONDS + 1)
        assert closed() is None
        assert lines() is None
