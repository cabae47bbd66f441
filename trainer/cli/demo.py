"""`qvl demo`: a tiny Qwen3-VL learns shapes from nothing, and shows what it learned."""

from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from trainer.cli.manner import Manner
from trainer.cli.options import RunsDir
from trainer.cli.terminal import CommandFailed, complain, say
from trainer.run.layout import RunLayout, runs_directory

TRAIN_RECORDS = 2000
VALIDATION_RECORDS = 200
ASKED_RECORDS = 100
SHOWN_RECORDS = 8
WANTED_SHARE = 0.9


def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo's model and data are made.")] = Path(
        "demo"
    ),
    runs_dir: RunsDir = None,
) -> None:
    """Train a tiny Qwen3-VL on drawn shapes and show its answers to pictures it has not seen.

    Needs no GPU and downloads nothing. Every invocation is a run of its own.
    """
    from trainer.cli.begin import begin_run

    layout = RunLayout(_free_name(runs_directory(runs_dir)))
    options = [*_make_inputs(folder), f"name={layout.name}"]
    manner = Manner(detach=False, foreground=False, events=None, json=False)
    code = begin_run("demo", options, runs_dir, manner)
    if code == 0:
        _show_answers(layout)
    raise typer.Exit(code)


def _free_name(runs: Path) -> Path:
    """Return the first of demo, demo-2, demo-3, ... that is not there yet."""
    names = (f"demo-{number}" if number > 1 else "demo" for number in count(1))
    return next(runs / name for name in names if not (runs / name).exists())


def _make_inputs(folder: Path) -> list[str]:
    """Make checkpoint and data, and return the options that name them."""
    complain(f"making a tiny Qwen3-VL and {TRAIN_RECORDS:,} records in {folder}/ ...")
    from trainer.demo.shapes import write_shapes
    from trainer.demo.tiny import build_tiny_checkpoint

    folder = folder.absolute()
    model = build_tiny_checkpoint(folder / "tiny-qwen3-vl-instruct")
    train, validation = write_shapes(
        folder, train=TRAIN_RECORDS, validation=VALIDATION_RECORDS, seed=0
    )
    return [f"model.path={model}", f"data.train={train}", f"data.validation={validation}"]


def _show_answers(layout: RunLayout) -> None:
    """Ask about held-out pictures and print the answers beside the truth.

    Raises:
        CommandFailed: The model did not learn colour and shape.

    """
    complain(f"asking the trained model about {ASKED_RECORDS} pictures it has not seen ...")
    from trainer.config.load import load_config
    from trainer.demo.answers import held_out_answers
    from trainer.demo.report import score_answers

    pairs: list[tuple[str, str]] = []
    for number, held_out in enumerate(
        held_out_answers(layout, load_config(layout.config), ASKED_RECORDS)
    ):
        pairs.append((held_out.answer, held_out.truth))
        if number < SHOWN_RECORDS:
            mark = "=" if held_out.answer == held_out.truth else "≠"
            say(f"truth {held_out.truth}\n    {mark} {held_out.answer}")
    score = score_answers(pairs)
    say(
        f"colour and shape right on {score.color_and_shape} of {score.total} held-out pictures, "
        f"box exactly right on {score.box}"
    )
    say(f"the run is in {layout.root}, its result in {layout.final}")
    if score.color_and_shape_share < WANTED_SHARE:
        raise CommandFailed(f"the model learned too little; see {layout.console}")
