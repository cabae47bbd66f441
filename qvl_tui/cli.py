"""The `qvl` script: with nothing behind it the screen, else a command."""

import gc
import os
import sys

# Over SSH every frame costs, and nothing here gets better by more of them.
os.environ.setdefault("TEXTUAL_FPS", "30")
os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")


def main() -> None:
    """Open the screen, or run a command; without a terminal, say which commands there are."""
    if sys.stdin.isatty() and sys.stdout.isatty() and _opened_at_once(sys.argv[1:]):
        return
    from qvl_tui.browse import browse
    from qvl_tui.watch import watch
    from trainer.cli.app import app
    from trainer.cli.app import main as run_command
    from trainer.cli.data.app import data

    app.command()(watch)
    data.command()(browse)
    run_command()


def _opened_at_once(arguments: list[str]) -> bool:
    """Show the screen for `qvl` and `qvl watch RUN`, without loading what the commands need.

    Returns whether it did; anything else, and a run that is not there, is left to the commands.
    """
    if arguments and (len(arguments) != 2 or arguments[0] != "watch"):
        return False
    gc.disable()  # nothing that is loaded here becomes garbage; the screen enables it
    from trainer.run.layout import RunLayout, runs_directory

    first = RunLayout(runs_directory(None) / arguments[1]) if arguments else None
    if first and not first.config.is_file():
        gc.enable()
        return False
    from qvl_tui.ahead import ReadAhead

    ahead = ReadAhead.of(first) if first else None  # it reads while the screen is loaded
    from qvl_tui.begin import show_screen

    show_screen(first, None, ahead)
    return True
