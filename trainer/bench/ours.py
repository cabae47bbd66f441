"""Train with the whole loop, in turns: `qvl train` without its supervisor."""

from itertools import chain
from typing import Any

from trainer.bench.files import BenchFiles
from trainer.bench.turns import StepDone, Turns
from trainer.config.load import load_config
from trainer.model.weights import is_adapter, save_weights
from trainer.run.append import EventWriter
from trainer.run.events import AnyEvent, Step
from trainer.run.layout import RunLayout
from trainer.train.loop import train
from trainer.train.prepare import prepare
from trainer.train.progress import Progress
from trainer.train.recorder import Recorder
from trainer.train.requests import Requests
from trainer.train.setup import RunPaths, Setup


def train_whole_loop(files: BenchFiles, turns: Turns) -> None:
    """Train as `python -m trainer` does, until there are no more turns.

    Before the first one, what others need to do the same work is written down: the drawn
    adapter, and which samples make which step.
    """
    setup, progress, requests = prepared(files, "qvl")
    write_what_others_need(files, setup)
    with setup.pool:
        setup.recorder.also = lambda event: _note(turns, event)
        turns.report(**facts(setup))
        turns.wait()
        train(setup, progress, requests)


def prepared(files: BenchFiles, role: str) -> tuple[Setup, Progress, Requests]:
    """Return everything that training needs, as the trainer prepares it."""
    layout = RunLayout(files.run(role))
    layout.root.mkdir()
    layout.config.write_text(files.config.read_text())
    requests = Requests(layout, attempt=1, parent=0)
    recorder = Recorder(EventWriter(layout.events, 1))
    run = RunPaths(layout, attempt=1, supervisor_pid=0)
    return (*prepare(run, load_config(layout.config), recorder, requests), requests)


def write_what_others_need(files: BenchFiles, setup: Setup) -> None:
    """Write the adapter and the order of samples."""
    if is_adapter(setup.model):
        written = save_weights(setup.model, files.root)
        assert written == files.adapter, written
    windows = map(setup.plan.micro_batches, range(setup.total_steps))
    files.write_windows([list(chain.from_iterable(window)) for window in windows])


def facts(setup: Setup) -> dict[str, Any]:
    """Return what a reader of the numbers wants to know about the machine and the data."""
    import torch

    device = setup.accelerator.device
    on_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else "CPU",
        "threads": torch.get_num_threads(),
        "records": len(setup.train_data),
        "steps_per_epoch": setup.plan.steps_per_epoch,
        "parameters": sum(weight.numel() for weight in setup.model.parameters()),
    }


def _note(turns: Turns, event: AnyEvent) -> None:
    """Note a step; what the loop still does after its event falls into the next one."""
    if isinstance(event, Step):
        done = StepDone(
            loss=event.loss,
            target_tokens=event.target_tokens,
            tokens=event.tokens,
            samples=event.samples,
        )
        if turns.step(done):
            turns.wait()
