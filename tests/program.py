"""The `qvl` script as a person would call it, with what it left in its run directory."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.ending import end_all_on
from trainer.run.layout import RunLayout
from trainer.run.tail import EventTail

QVL = (sys.executable, "-c", "from qvl_tui.cli import main; main()")


class Program:
    """Calls the script as a person would."""

    def __init__(self, folder: Path, inputs: list[str]) -> None:
        self.folder = folder
        self.inputs = inputs
        self.layout = RunLayout(folder / "runs" / "real")
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        environment.pop("QVL_RUNS", None)
        process = subprocess.Popen(
            [*QVL, *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.started.append(process)
        return process

    def clean_up(self) -> None:
        """End what a failed test has left running."""
        end_all_on(self.layout.root)
        for process in self.started:
            process.kill()
            process.communicate()

    def call(self, *arguments: str, code: int = 0) -> str:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=300)
        assert process.returncode == code, (arguments, out.decode(), err.decode())
        return out.decode() + err.decode()

    def train(self, *arguments: str) -> tuple[str, ...]:
        return ("train", "balanced", *self.inputs, "--name", "real", *arguments)

    def events(self, kind: type) -> list:
        found = []
        for path in (self.layout.events, self.layout.monitor):
            tail = EventTail(path)
            found += [event for event in tail.read() if isinstance(event, kind)]
        return found

    def wait_for(self, what: Callable[[], object], seconds: float = 180) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, f"see {self.layout.console}"
            time.sleep(0.05)

    def state(self) -> str:
        return json.loads(self.call("status", "real", "--json"))["state"]
