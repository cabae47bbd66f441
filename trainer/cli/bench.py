"""`qvl bench`: how fast training is on this machine, alone and against TRL."""

import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer

from trainer.bench.wanted import Peer, Wanted
from trainer.cli.options import AsJson
from trainer.cli.terminal import CommandFailed, complain, say, show_json
from trainer.demo.model_shapes import Size


def bench(  # noqa: PLR0913
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CONFIG] [KEY=VALUE]...",
            help="A YAML file or preset with model and data; options that win.",
        ),
    ] = None,
    vs: Annotated[
        list[str] | None,
        typer.Option(
            metavar="trl|trl-tuned",
            help="Also train with TRL, its defaults or set up alike; may be given twice.",
        ),
    ] = None,
    size: Annotated[
        Size | None, typer.Option(help="Without CONFIG: shape of the model; 138m by default.")
    ] = None,
    answer_tokens: Annotated[
        int | None,
        typer.Option(min=1, help="Without CONFIG: tokens of an answer; a tenth of a record's."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Measured steps of each turn.")] = 3,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of everybody.")] = 4,
    input_only: Annotated[
        bool, typer.Option("--input-only", help="Measure index, reader and loader, train nothing.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Measure the whole loop against its bare step, and against TRL, on the same records.

    They take turns in processes of their own. Without CONFIG a Qwen3-VL of random weights learns
    pictures of noise: of 512 pixels on a CPU in fp32, of 1,024 on a GPU in bf16; nothing is
    downloaded. Nothing is kept, either.
    """
    from trainer.cli.preflight import why_no_gpu

    source, overrides = split_arguments(what or [])
    peers = known_peers(vs or [])
    refuse_contradictions(source, size, answer_tokens, peers, input_only=input_only)
    wanted = Wanted(
        source=source,
        overrides=overrides,
        size=size or "138m",
        device="cpu" if why_no_gpu() else "cuda",
        peers=peers,
        steps=steps,
        rounds=rounds,
        answer_tokens=answer_tokens,
    )
    told = measured_in_a_temporary_folder(wanted, input_only=input_only)
    if json:
        show_json(told)
    else:
        from trainer.bench.words import report_lines

        say("\n".join(report_lines(told)))


def split_arguments(what: list[str]) -> tuple[str | None, list[str]]:
    """Return the configuration, which has no `=`, and the options."""
    if what and "=" not in what[0]:
        return what[0], what[1:]
    return None, what


def known_peers(names: list[str]) -> list[Peer]:
    """Return the peers, each once; raises CommandFailed for one that is not known."""
    for name in names:
        if name not in get_args(Peer):
            raise CommandFailed(f"--vs {name}: there is only {' and '.join(get_args(Peer))}", 2)
    return cast("list[Peer]", list(dict.fromkeys(names)))


def refuse_contradictions(
    source: str | None,
    size: Size | None,
    answer_tokens: int | None,
    peers: list[Peer],
    *,
    input_only: bool,
) -> None:
    """Raise CommandFailed for options that exclude each other, or lack a package."""
    if source and size:
        raise CommandFailed(f"--size builds a model, but {source} names one; leave out one", 2)
    if source and answer_tokens:
        raise CommandFailed(
            f"--answer-tokens makes records, but {source} names some; leave out one", 2
        )
    if peers and input_only:
        raise CommandFailed("--input-only trains nothing, so --vs has no meaning; leave out one", 2)
    if peers and find_spec("trl") is None:
        raise CommandFailed(
            f"--vs {peers[0]}: trl is not installed; install it with `pip install 'qvl[bench]'`"
        )


def measured_in_a_temporary_folder(wanted: Wanted, *, input_only: bool) -> dict[str, Any]:
    """Return the report; everything that was made on the way is gone."""
    from trainer.bench.configure import configure
    from trainer.bench.errors import BenchFailed
    from trainer.bench.files import BenchFiles
    from trainer.bench.measure import Measured, measure_input, measure_training
    from trainer.bench.report import report

    measured = Measured(wanted)
    with tempfile.TemporaryDirectory(prefix="qvl-bench-") as folder:
        files = BenchFiles(Path(folder))
        complain("making model and records ..." if wanted.source is None else "reading ...")
        try:
            configure(wanted, files)
            measure_input(files, measured)
            if not input_only:
                measure_training(wanted, files, measured, complain)
        except BenchFailed as error:
            raise CommandFailed(str(error), error.code) from error
    return report(measured)
