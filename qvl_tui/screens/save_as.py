"""Save a draft under a name that a person gives."""

import asyncio
from typing import Any

from textual.app import App

from qvl_tui.draft import Draft, sorted_problems, yaml_of
from qvl_tui.saved import configurations_folder, problem_with_name, save_configuration
from qvl_tui.screens.confirm import ConfirmScreen
from qvl_tui.screens.prompt import PromptScreen
from trainer.config.errors import ConfigError


async def save_as(app: App[Any], draft: Draft) -> bool:
    """Ask for a name and save the draft; whether it is saved. Runs in a worker."""
    try:
        text = yaml_of(draft)
    except ConfigError as error:
        by_key, further = sorted_problems(error.problems)
        what = "\n".join([*(f"{key}: {it}" for key, it in by_key.items()), *further])
        app.notify(what, title="It cannot be saved yet", severity="error", markup=False)
        return False
    prompt = PromptScreen("Save this configuration as", draft.called, problem_with_name)
    name = await app.push_screen_wait(prompt)
    if not name or not await _may_write(app, name):
        return False
    try:
        path = await asyncio.to_thread(save_configuration, name, text)
    except OSError as error:
        app.notify(f"{name}: {error}", severity="error", markup=False)
        return False
    app.notify(f"saved as {path}", markup=False)
    return True


async def _may_write(app: App[Any], name: str) -> bool:
    if not (configurations_folder() / f"{name}.yaml").exists():
        return True
    question = ConfirmScreen(
        f"Write over {name}?", ["There is a configuration of that name."], "write over it"
    )
    return bool(await app.push_screen_wait(question))
