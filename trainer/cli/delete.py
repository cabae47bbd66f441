"""`qvl delete`: put a run into the trash."""

from shlex import quote

from trainer.cli.lookup import find_run
from trainer.cli.options import AsJson, RunName, RunsDir
from trainer.cli.terminal import say, show_json
from trainer.run.trash import trash_run


def delete(run: RunName, runs_dir: RunsDir = None, json: AsJson = False) -> None:
    """Move a run that does not live to the folder .trash, from where it can be brought back."""
    layout = find_run(run, runs_dir)
    target = trash_run(layout)
    restore = f"mv {quote(str(target))} {quote(str(layout.root))}"
    if json:
        show_json({"name": layout.name, "path": str(target), "restore": restore})
    else:
        say(f"{layout.name} is deleted; to bring it back: {restore}")
        say(f"to free the disk: rm -r {quote(str(target))}")
