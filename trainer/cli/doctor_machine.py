"""Check the machine: GPUs, disks, shared memory, terminal, logout, clock."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import trainer
from trainer.cli.check import GIB, Check
from trainer.supervisor.gpu import Gpus
from trainer.supervisor.logout import what_logout_does

SMALL_DISK_BYTES = 20 * GIB
TINY_DISK_BYTES = GIB


def check_gpus(gpus: Gpus) -> list[Check]:
    """Name every GPU by its UUID, or say why there is none."""
    if gpus.note:
        remedy = "nothing to do for CPU runs; for a GPU see `nvidia-smi` and CUDA_VISIBLE_DEVICES"
        return [Check("GPU", "warning", f"{gpus.note}; runs use the CPU", remedy)]
    return [
        Check(
            f"GPU {it.index}",
            "ok",
            f"{it.name}, {(it.memory_total_bytes or 0) / GIB:.1f} GiB, {it.uuid}",
        )
        for it in gpus.sample()
    ]


def check_shared_memory(path: Path = Path("/dev/shm")) -> Check:
    """Say how much shared memory there is; batches do not travel through it."""
    try:
        size = shutil.disk_usage(path).total
    except OSError as error:
        return Check(
            "shared memory", "warning", f"{path}: {error.strerror}", "nothing here needs it"
        )
    if size < GIB:
        message = f"{path} has {size / 2**20:.0f} MiB; batches go through pipes, so this is enough"
        return Check("shared memory", "ok", message)
    return Check("shared memory", "ok", f"{path} has {size / GIB:.1f} GiB")


def check_disk(name: str, folder: Path) -> Check:
    """Say how much room a folder's disk has and whether it can be written."""
    here = nearest_existing(folder)
    free = shutil.disk_usage(here).free
    message = f"{folder}: {free / GIB:.1f} GiB free"
    if not os.access(here, os.W_OK | os.X_OK):
        return Check(name, "bad", f"{folder}: {here} cannot be written", "choose another folder")
    if free < TINY_DISK_BYTES:
        return Check(name, "bad", message, "free some space or choose another disk")
    if free < SMALL_DISK_BYTES:
        return Check(name, "warning", message, "a model of 8 B needs 17 GB, a full save 50 GB more")
    return Check(name, "ok", message)


def nearest_existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(it for it in (folder, *folder.parents) if it.exists())


def check_disks(runs: Path) -> list[Check]:
    """Look at the disks of runs, indexes and downloaded models."""
    return [
        check_disk("runs folder", runs),
        check_disk("cache folder", Path("~/.cache/qvl").expanduser()),
        check_disk("model cache", hub_cache()),
    ]


def hub_cache() -> Path:
    """Return where the hub's client keeps downloaded models."""
    home = os.environ.get("HF_HOME") or Path("~/.cache/huggingface").expanduser()
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").absolute()


def check_terminal() -> list[Check]:
    """Say what the terminal can show."""
    if not sys.stdout.isatty():
        return [Check("terminal", "ok", "not a terminal here; nothing to check")]
    columns, lines = shutil.get_terminal_size()
    term, colours = os.environ.get("TERM", ""), os.environ.get("COLORTERM", "")
    size = f"{columns} x {lines}, TERM={term or 'unset'}, COLORTERM={colours or 'unset'}"
    checks = [Check("terminal", "ok", size)]
    if columns < 80 or lines < 24:
        checks[0] = Check("terminal", "warning", size, "make it at least 80 x 24")
    elif term in ("", "dumb"):
        checks[0] = Check("terminal", "bad", size, "export TERM=xterm-256color")
    elif colours not in ("truecolor", "24bit"):
        checks[0] = Check("terminal", "ok", f"{size}; 256 colours are enough")
    return [*checks, check_encoding(sys.stdout.encoding), *check_tmux()]


def check_encoding(encoding: str) -> Check:
    """Say whether the terminal is told to show UTF-8."""
    if encoding.lower().replace("-", "") == "utf8":
        return Check("encoding", "ok", "UTF-8")
    return Check("encoding", "bad", encoding, "export LANG=C.UTF-8")


def check_tmux() -> list[Check]:
    """Say which tmux is in between, if any."""
    if "TMUX" not in os.environ or shutil.which("tmux") is None:
        return []
    done = subprocess.run(["tmux", "-V"], capture_output=True, text=True, timeout=5, check=False)
    return [Check("tmux", "ok", f"{done.stdout.strip()}; flicker-free from 3.7")]


def check_logout() -> Check:
    """Say whether a run lives on after logout."""
    logout = what_logout_does()
    if logout.fate == "dies":
        return Check("logout", "bad", f"a run dies at logout: {logout.reason}", logout.remedy)
    if logout.remedy:
        return Check("logout", "warning", logout.reason, logout.remedy)
    return Check("logout", "ok", f"a run survives logout: {logout.reason}")


def check_clock(now: float | None = None) -> Check:
    """Say whether the clock is behind the files of this program."""
    newest = max(it.stat().st_mtime for it in Path(trainer.__file__).parent.rglob("*.py"))
    behind = newest - (time.time() if now is None else now)
    if behind > 60:
        message = f"the clock is {behind / 3600:.1f} h behind this program's own files"
        return Check("clock", "warning", message, "set it: times of events will be wrong")
    return Check("clock", "ok", time.strftime("%Y-%m-%d %H:%M:%S %Z"))
