"""Find the run that a person named."""

from difflib import get_close_matches
from pathlib import Path

from trainer.cli.terminal import CommandFailed
from trainer.run.layout import RunLayout, list_runs, runs_directory


def find_run(run: str, runs: Path | None) -> RunLayout:
    """Return the run that is meant by a name in the runs folder, or by a path.

    Raises:
        CommandFailed: There is none.

    """
    folder = runs_directory(runs)
    for root in (folder / run, Path(run).absolute()):
        if (root / "config.yaml").is_file():
            return RunLayout(root)
    known = [it.name for it in list_runs(folder)]
    close = get_close_matches(run, known, n=1)
    hint = f"did you mean {close[0]}?" if close else "see `qvl runs`, or give --runs-dir"
    raise CommandFailed(f"{run}: no such run in {folder}; {hint}")
