"""Refuse what cannot work before anything is made or loaded: data, GPU, disk."""

import contextlib
import os
import shutil
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from trainer.cli.terminal import CommandFailed
from trainer.config.schema import RunConfig
from trainer.data.check import check_data
from trainer.run.disk import most_checkpoints
from trainer.run.layout import RunLayout, checkpoint_step
from trainer.run.manifest import DamagedCheckpoint, read_manifest
from trainer.supervisor.gpu import Gpus, visible_from_environment
from trainer.words.numbers import size

EVENT_BYTES = 32 * 2**20  # for the events, telemetry and console of a run
ADAPTER_SHARE = 0.1  # of the model's files: adapter and its optimizer state
FULL_SHARE = 6.0  # fp32 weights and two fp32 moments for every 2 bytes of bf16
CHECKPOINTS = 2  # one more is written before an old one goes


def check_before_start(config: RunConfig, layout: RunLayout) -> None:
    """Raise CommandFailed, or DataError, for a run that could not begin on this machine."""
    check_data(config.data)
    check_trackers(config)
    check_gpu(config)
    check_compiler(config)
    check_disk(layout.root.parent, bytes_wanted(config, layout))


def check_trackers(config: RunConfig) -> None:
    """Refuse trackers whose package is not installed: they would be left out without a word."""
    for name in config.training.log_with:
        if find_spec(name) is None:
            raise CommandFailed(
                f"training.log_with: {name} is not installed; install it with "
                f"`pip install 'qvl[{name}]'` or leave it out"
            )


def check_gpu(config: RunConfig) -> None:
    """Refuse options that need a GPU where there is none."""
    model = config.model
    wants = {
        "model.device=cuda": model.device,
        "model.attention=flash_attention_2": model.attention,
        "model.vision_attention=flash_attention_2": model.vision_attention,
    }
    named = [option for option, value in wants.items() if option.endswith(f"={value}")]
    if not named:
        return
    why = why_no_gpu()
    if why:
        options = " and ".join(named)
        remedy = "set model.device and the attention to auto to train on the CPU"
        raise CommandFailed(f"{options} needs a GPU: {why}; {remedy}, or see `qvl doctor`")


def check_compiler(config: RunConfig) -> None:
    """Refuse to compile where there is nothing to compile with: the first step would fail."""
    if config.model.compile == "off":
        return
    compiler = os.environ.get("CXX", "g++")
    header = Path(sysconfig.get_path("include")) / "Python.h"
    missing = [] if shutil.which(compiler) else [f"no C++ compiler {compiler}"]
    missing += [] if header.is_file() else [f"no {header}"]
    if missing:
        raise CommandFailed(
            f"model.compile={config.model.compile}: there is {' and '.join(missing)}; install a "
            "C++ compiler and Python's headers (`apt install g++ python3-dev`), or set "
            "model.compile=off"
        )


def why_no_gpu() -> str:
    """Return why no GPU can be used; empty: there is one."""
    gpus = Gpus(visible_from_environment())
    note = gpus.note
    gpus.close()
    driver_is_there = any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()
    hidden = visible_from_environment() in ("", "-1")
    # Some containers have the device and CUDA, but not the library that we would ask.
    return note if note and (hidden or not driver_is_there) else ""


def check_disk(runs: Path, wanted: int) -> None:
    """Refuse a runs folder that cannot be written, or has less room than is wanted."""
    folder = next(it for it in (runs, *runs.parents) if it.exists())
    if not folder.is_dir():
        raise CommandFailed(f"{folder}: it is a file; choose another folder with --runs-dir")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CommandFailed(f"{folder}: it cannot be written; choose another with --runs-dir")
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise CommandFailed(
            f"{folder}: {size(free)} free, but the run wants about {size(wanted)}; "
            "make room, or choose another disk with --runs-dir"
        )


def bytes_wanted(config: RunConfig, layout: RunLayout | None = None) -> int:
    """Return what the run still writes: its events, and the checkpoints that lie there at once.

    Their size is measured where the run has some; before that it is a rough guess, and only two
    are counted.
    """
    measured = checkpoint_bytes(layout) if layout is not None else []
    if measured:
        keep = config.checkpoint
        most = most_checkpoints(keep.keep_last, keep_best=keep.keep_best)
        return EVENT_BYTES + max(most - len(measured), 1) * max(measured)
    weights = sum(it.stat().st_size for it in Path(config.model.path).glob("*.safetensors"))
    modes = {config.tune.vision, config.tune.aligner, config.tune.language}
    share = FULL_SHARE if "full" in modes else ADAPTER_SHARE
    return EVENT_BYTES + round(CHECKPOINTS * share * weights)


def checkpoint_bytes(layout: RunLayout) -> list[int]:
    """Return the size of every checkpoint of a run whose manifest can be read."""
    sizes: list[int] = []
    for folder in layout.checkpoints.glob("step-*"):
        if checkpoint_step(folder) is not None:
            with contextlib.suppress(DamagedCheckpoint):
                sizes.append(read_manifest(folder).total_bytes)
    return sizes
