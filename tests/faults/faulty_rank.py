"""Trainer processes with one fault of their own, done to them where it happens.

Each function stands for `python -m trainer`: it takes the run's folder and returns the exit code.
Usage as a script, for a supervisor to start: faulty_rank.py RUN_DIR FUNCTION.
"""

import ctypes
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import torch

from trainer.data.build import BatchBuilder
from trainer.data.samples import BatchArrays
from trainer.data.worker import Request
from trainer.run.layout import RunLayout
from trainer.run.lock import acquire_run_lock
from trainer.supervisor.supervise import supervise
from trainer.train import loop, prepare, rank

HOURS = 3600.0
MADE = 6  # batches before the data is stuck


def say(text: str) -> None:
    """Write a line into console.log, where the test waits for it."""
    os.write(2, f"{text}\n".encode())


def sigterm_in_backward(root: Path) -> int:
    """Get SIGTERM in the middle of the backward of step 2."""
    prepared = rank.prepare

    def hooked(*arguments: Any) -> Any:
        setup, progress = prepared(*arguments)
        weight = next(it for it in setup.model.parameters() if it.requires_grad)
        backwards: list[int] = []

        def terminate(gradient: torch.Tensor) -> torch.Tensor:
            backwards.append(progress.step + 1)
            if backwards.count(2) == 1:  # of the first micro-batch
                backwards.append(2)
                os.kill(os.getpid(), signal.SIGTERM)
            return gradient

        weight.register_hook(terminate)
        return setup, progress

    rank.prepare = hooked
    return rank.main(root)


def _with_slow_save(root: Path, seconds: float) -> int:
    """Flush files of the checkpoint of step 4 slowly."""
    fsync = os.fsync

    def slow(descriptor: int) -> None:
        if "/tmp-4-" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            say("saving step 4")
            _sleep(seconds)
        fsync(descriptor)

    os.fsync = slow
    return rank.main(root)


def slow_save(root: Path) -> int:
    """Take a third of a second for every file of the checkpoint of step 4."""
    return _with_slow_save(root, 0.3)


def endless_save(root: Path) -> int:
    """Wait for the disk for hours in the checkpoint of step 4."""
    return _with_slow_save(root, HOURS)


def _sleep(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.05)


_built = Counter[str]()  # batches of each split, by this process


class Stuck(BatchBuilder):
    """Builds a few batches of a split, then never one again."""

    split: ClassVar[str]

    def __call__(self, request: Request) -> BatchArrays:
        _built[request.split] += 1
        if request.split == self.split and _built[self.split] > MADE:
            say("stuck")
            _sleep(HOURS)
        return super().__call__(request)


class StuckInTraining(Stuck):
    """Hangs over the second window of training."""

    split = "train"


class StuckInValidation(Stuck):
    """Hangs over the seventh batch of validation."""

    split = "validation"


def stuck_in_training(root: Path) -> int:
    """Never get the second window."""
    prepare.BatchBuilder = StuckInTraining
    return rank.main(root)


def stuck_in_validation(root: Path) -> int:
    """Never get to the end of the first validation."""
    prepare.BatchBuilder = StuckInValidation
    return rank.main(root)


def endless_step(root: Path) -> int:
    """Wait in step 3 as for a device that is gone: in C, deaf to what Python does about signals."""
    take_step = loop.take_step

    def take(setup: Any, progress: Any, *others: Any) -> None:
        if progress.step == 2:
            mutex = ctypes.create_string_buffer(64)  # zeros are a mutex that is free
            for _ in range(2):  # the second time it is not, and nobody will let go of it
                ctypes.PyDLL(None).pthread_mutex_lock(mutex)
        take_step(setup, progress, *others)

    loop.take_step = take
    return rank.main(root)


def supervised(fault: str, root: Path) -> int:
    """Supervise a run whose trainer is started with one of these faults."""
    command = [sys.executable, "-P", __file__, str(root), fault]
    return supervise(RunLayout(root), acquire_run_lock(root), command=command)


if __name__ == "__main__":
    sys.exit(globals()[sys.argv[2]](Path(sys.argv[1])))
