"""Run the command that a person wants run once the run is over."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import IO

from trainer.run.events import Exit, OnExitDone
from trainer.run.layout import RunLayout

LIMIT_SECONDS = 600.0
OUTPUT_BYTES = 2000


def run_on_exit(
    command: str,
    layout: RunLayout,
    end: Exit,
    interrupted: Callable[[], bool],
    limit_seconds: float = LIMIT_SECONDS,
) -> OnExitDone:
    """Run a shell command with QVL_RUN, QVL_STATE and QVL_CODE set; return how it went.

    `interrupted` is asked between waits and ends the command early when it says so.
    """
    told = {"QVL_RUN": str(layout.root), "QVL_STATE": end.state, "QVL_CODE": str(end.code)}
    # A file instead of a pipe: what the command leaves running must not keep us waiting.
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            shell=True,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=layout.root,
            env={**os.environ, **told},
            start_new_session=True,
        )
        code = _wait(process, time.monotonic() + limit_seconds, interrupted)
        return OnExitDone(code=code, output=_tail(output))


def _wait(
    process: subprocess.Popen[bytes], deadline: float, interrupted: Callable[[], bool]
) -> int | None:
    while time.monotonic() < deadline and not interrupted():
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return None


def _tail(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - OUTPUT_BYTES))
    return output.read().decode(errors="replace").strip()
