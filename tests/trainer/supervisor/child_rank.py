"""A trainer process without a model: it speaks a rank's protocol and misbehaves as told.

Usage: child_rank.py RUN_DIR MODE[,MODE...], one mode per attempt, the last one for all later.
"""

import faulthandler
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import cast

from trainer.run.append import EventWriter
from trainer.run.commands import Command
from trainer.run.events import (
    AttemptStarted,
    CheckpointPublished,
    CommandDone,
    CommandName,
    Phase,
    Planned,
    Resumed,
    Step,
    TrainerEnded,
)
from trainer.run.layout import RunLayout
from trainer.run.state import RunState
from trainer.run.tail import EventTail
from trainer.train.requests import Requests

STEPS = 100_000


def say(text: str) -> None:
    sys.stderr.write(text + "\n")


class Child:
    def __init__(self, root: Path, modes: list[str]) -> None:
        self.layout = RunLayout(root)
        self.attempt = int(os.environ["QVL_ATTEMPT"])
        self.rank = int(os.environ["RANK"])
        os.fstat(int(os.environ["QVL_LOCK_FD"]))  # the lock came along
        self.mode, _, argument = modes[min(self.attempt, len(modes)) - 1].partition(":")
        self.limit = int(argument or STEPS)
        self.requests = Requests(self.layout, self.attempt, int(os.environ["QVL_SUPERVISOR_PID"]))
        state = RunState()
        for event in EventTail(self.layout.events).read(complete=True):
            state.apply(event)
        kept = state.kept_checkpoints
        self.step = kept[-1].step if kept else 0

    def main(self) -> int:
        if self.mode == "early":
            time.sleep(60)
        faulthandler.register(signal.SIGUSR2, all_threads=True)
        if self.rank > 0:
            return self.follow_rank_0()
        self.requests.install_signal_handlers()
        self.writer = EventWriter(self.layout.events, self.attempt)
        if self.mode == "bad":
            say("data.jsonl:3: no answer; add one")
            return 2
        if self.mode == "fail":
            say("RuntimeError: the dog ate it")
            return 1
        self.writer.write(AttemptStarted(pid=os.getpid()))
        self.writer.write(
            Planned(
                total_steps=self.limit,
                steps_per_epoch=10,
                records=10,
                validation_records=0,
                samples_per_step=1,
            )
        )
        self.writer.write(Resumed(step=self.step))
        self.writer.write(Phase(name="train", state="started"))
        self.requests.begin_training()
        return self.train()

    def follow_rank_0(self) -> int:
        """Wait as in a collective that never ends, unless SIGTERM comes."""
        time.sleep(60)
        return 1

    def train(self) -> int:
        while self.step < self.limit:
            time.sleep(0.03)
            self.step += 1
            self.write_step()
            self.requests.poll()
            if self.mode == "stubborn" and self.requests.stop == "stop":
                self.requests.heard.stop = self.requests.agreed.stop = None
            if self.requests.checkpoint:
                self.checkpoint("command")
                self.requests.done("checkpoint", self.say_done)
            if self.requests.stop:
                self.checkpoint("stop")
                self.requests.done("stop", self.say_done)
                return self.leave("stopped", 3)
        return self.reach_the_limit()

    def reach_the_limit(self) -> int:
        if self.mode in ("crash", "saved_crash"):
            if self.mode == "saved_crash":
                self.checkpoint("schedule")
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mode == "greedy":
            taken: list[bytearray] = []
            while True:
                taken.append(bytearray(b"1" * 2**24))
        if self.mode == "worker":
            worker = subprocess.Popen(["sleep", "300"])
            (self.layout.root / "worker.pid").write_text(str(worker.pid))
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mode == "hang":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                time.sleep(1)
        return self.leave("finished", 0)

    def leave(self, state: str, code: int) -> int:
        self.writer.write(TrainerEnded(state=state, step=self.step))  # type: ignore[arg-type]
        return code

    def write_step(self) -> None:
        self.writer.write(
            Step(
                step=self.step,
                epoch=self.step / 10,
                loss=1 / self.step,
                token_accuracy=0.5,
                entropy=1.0,
                gradient_norm=1.0,
                learning_rates={"language": 1e-4},
                target_tokens=10,
                tokens=20,
                padding_share=0.0,
                samples=1,
                seconds=0.03,
            )
        )

    def checkpoint(self, reason: str) -> None:
        path = f"checkpoints/step-{self.step:08d}"
        self.writer.write(
            CheckpointPublished(
                step=self.step,
                path=path,
                bytes=1,
                seconds=0.01,
                reason=reason,  # type: ignore[arg-type]
            )
        )

    def say_done(self, command: Command) -> None:
        self.writer.write(
            CommandDone(id=command.id, command=cast(CommandName, command.command), step=self.step)
        )


if __name__ == "__main__":
    sys.exit(Child(Path(sys.argv[1]), sys.argv[2].split(",")).main())
