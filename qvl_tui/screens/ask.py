"""Run a `qvl` command beside the screen and say how it went."""

from typing import Any

from textual.app import App

from qvl_tui.actions import run_qvl
from qvl_tui.desk import Desk
from trainer.run.text import sanitise

DONE_CHARACTERS = 200


def ask(app: App[Any], desk: Desk, done: str, *arguments: str) -> None:
    """Run a command in a worker of the app, so that it outlives the screen that asked.

    `done` is said once the command did it; what it complains about is shown as it is.
    """
    app.run_worker(_ask(app, desk, done, arguments), group="commands", exit_on_error=False)


async def _ask(app: App[Any], desk: Desk, done: str, arguments: tuple[str, ...]) -> None:
    done = sanitise(done, DONE_CHARACTERS)
    try:
        outcome = await run_qvl(*arguments, runs=desk.runs)
    except OSError as error:
        app.notify(f"qvl {arguments[0]}: {error}", severity="error", markup=False)
        return
    if outcome.done:
        app.notify(f"{done}\n{outcome.message}".strip(), markup=False)
    else:
        complaint = outcome.message or f"qvl {arguments[0]} ended with {outcome.code}"
        app.notify(complaint, severity="error", markup=False, timeout=15)
