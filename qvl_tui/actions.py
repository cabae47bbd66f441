"""Do what a `qvl` command does, by running it."""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from trainer.run.text import sanitise

MESSAGE_CHARACTERS = 4_000


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    value: Any  # what it wrote to standard output as JSON; None: nothing
    message: str  # what it wrote to standard error, fit to be shown

    @property
    def done(self) -> bool:
        """Whether it did what was asked."""
        return self.code == 0


async def run_qvl(
    *arguments: str, runs: Path, environment: Mapping[str, str] | None = None
) -> Outcome:
    """Run a `qvl` command on the runs folder and return how it ended.

    `environment` is what it finds there besides ours, such as CUDA_VISIBLE_DEVICES.

    The command is another process in a session of its own: what it starts outlives the screen.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "trainer.cli",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {}), "QVL_RUNS": str(runs)},
        start_new_session=True,
    )
    output, complaints = await process.communicate()
    text = sanitise(complaints.decode(errors="replace"), MESSAGE_CHARACTERS, keep_newlines=True)
    return Outcome(process.returncode or 0, _parsed(output), text.strip())


def _parsed(output: bytes) -> Any:
    try:
        return orjson.loads(output)
    except orjson.JSONDecodeError:
        return None
