"""Publish a checkpoint and die before each of its calls, one after the other.

Usage: crashing_publisher.py FOLDER. For call K of the system calls that change the disk, a forked
child publishes step 10 beside step 5 in FOLDER/K and kills itself right before that call. What it
had written and not yet flushed is then cut in half, as a power cut may leave it. It tells one JSON
line for each call: its number, and whether the child got to the end.
"""

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from trainer.run.layout import RunLayout
from trainer.run.manifest import Manifest
from trainer.train.checkpoint import publish_checkpoint

CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir")
CONTENT = 3000


def manifest(step: int) -> Manifest:
    """Return the origin of a checkpoint of this step."""
    return Manifest(step=step, attempt=1, data_sha256="d", versions={"torch": "2"}, files={})


def write(folder: Path) -> None:
    """Write what a checkpoint holds: files at the top and in a folder."""
    (folder / "adapter").mkdir()
    for name in ("adapter/weights.safetensors", "optimizer.safetensors", "state.json"):
        (folder / name).write_bytes(name.encode() * CONTENT)


class Crash:
    """Counts the calls that change the disk and dies before one of them."""

    def __init__(self, at: int, log: int) -> None:
        self.at = at
        self.calls = 0
        self.log = log
        self.fsync = os.fsync
        os.fsync = self.sync
        sys.addaudithook(self.before)

    def before(self, event: str, arguments: tuple[Any, ...]) -> None:
        """See a call of the interpreter before it happens."""
        if event == "open" and isinstance(arguments[0], str | Path):
            if arguments[2] & (os.O_WRONLY | os.O_RDWR):
                self.count()
                self.tell("written", arguments[0])
        elif event in CHANGES:
            self.count()
            if event == "os.rename":
                self.tell("renamed", arguments[0], arguments[1])

    def sync(self, descriptor: int) -> None:
        """Stand before the real call."""
        self.count()
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        self.fsync(descriptor)
        self.tell("flushed", path)

    def count(self) -> None:
        """Die when it is time."""
        if self.calls == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.calls += 1

    def tell(self, *words: str | Path) -> None:
        """Let the parent know what happened, through a pipe that survives."""
        os.write(self.log, (json.dumps([os.fspath(it) for it in words]) + "\n").encode())


def crash_at(call: int, folder: Path) -> bool:
    """Publish until the call, lose what was not flushed; return whether it came to the end."""
    layout = RunLayout(folder)
    folder.mkdir()
    publish_checkpoint(layout, manifest(5), write, 0)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        os._exit(publish_and_crash(call, writing, layout))
    os.close(writing)
    with os.fdopen(reading) as log:
        lose_unflushed([json.loads(line) for line in log])
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), f"call {call}: the child failed by itself"
    return status == 0


def publish_and_crash(call: int, log: int, layout: RunLayout) -> int:
    """Return 0 if nothing killed this process on the way, 1 after an error."""
    crash = Crash(call, log)
    try:
        publish_checkpoint(layout, manifest(10), write, 0)
    except Exception:  # noqa: BLE001
        crash.at = -1
        traceback.print_exc()
        return 1
    return 0


def lose_unflushed(happened: list[list[str]]) -> None:
    """Cut every file in half that was written and not flushed."""
    unflushed: set[str] = set()
    for what, *paths in happened:
        if what == "written":
            unflushed.add(paths[0])
        elif what == "flushed":
            unflushed.discard(paths[0])
        else:
            source, target = paths
            unflushed = {
                target + it[len(source) :] if (it + "/").startswith(source + "/") else it
                for it in unflushed
            }
    for path in unflushed:
        if Path(path).exists():
            os.truncate(path, Path(path).stat().st_size // 2)


def main() -> None:
    """Die at every call until one publishing gets through."""
    root = Path(sys.argv[1])
    for call in range(1000):
        done = crash_at(call, root / str(call))
        sys.stdout.write(json.dumps({"call": call, "done": done}) + "\n")
        if done:
            return


if __name__ == "__main__":
    main()
