"""One process of a measurement: `python -m trainer.bench ROLE FOLDER`."""

import sys
from pathlib import Path

from trainer.bench.errors import BenchFailed
from trainer.bench.files import BenchFiles
from trainer.bench.turns import NoMoreTurns, Turns
from trainer.config.errors import ConfigError
from trainer.data.errors import DataError
from trainer.model.errors import ModelError


def play(role: str, files: BenchFiles, turns: Turns) -> None:
    """Do the work of a role; what it needs is only imported there."""
    if role == "qvl":
        from trainer.bench.ours import train_whole_loop

        train_whole_loop(files, turns)
    elif role == "bare":
        from trainer.bench.bare import train_bare_steps

        train_bare_steps(files, turns)
    elif role == "input":
        from trainer.bench.parts import measure_input

        measure_input(files, turns)
    else:
        from trainer.bench.trl_side import train_with_trl

        train_with_trl(files, turns, tuned=role == "trl-tuned")


def main(role: str, folder: str) -> None:
    """Play a role; what is wrong with configuration, data or model is reported.

    Anything else is a traceback on standard error. A run that ends by itself has taken all its
    steps, so it has no more turns either.
    """
    turns = Turns.of_this_process()
    try:
        play(role, BenchFiles(Path(folder)), turns)
    except NoMoreTurns:
        pass
    except BenchFailed as error:
        turns.report(failed=str(error), code=error.code)
    except (ConfigError, DataError) as error:
        turns.report(failed=str(error), code=2)
    except ModelError as error:
        turns.report(failed=str(error), code=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
