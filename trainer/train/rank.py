"""One trainer process: set up, train, say how it ended."""

import faulthandler
import os
import signal
import traceback
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers.utils.logging import disable_progress_bar

from trainer.config.load import ConfigError, load_config
from trainer.config.schema import RunConfig
from trainer.data.errors import DataError, WorkerFailed
from trainer.model.errors import ModelError
from trainer.model.trainability import NotTrainable
from trainer.run.append import EventWriter
from trainer.run.events import AttemptStarted, Notice, TrainerEnded
from trainer.run.layout import RunLayout
from trainer.run.lock import adopt_run_lock
from trainer.supervisor.verdict import BAD_INPUT, FAILED, FINISHED, OTHERS_LOST, STOPPED
from trainer.train.disk_words import disk_words
from trainer.train.loop import train
from trainer.train.out_of_memory import why_out_of_memory
from trainer.train.prepare import prepare, thread_count
from trainer.train.ranks import Ranks, RanksLost
from trainer.train.recorder import Recorder, tell
from trainer.train.rehearsal import rehearse_largest_batch
from trainer.train.requests import Requests, StoppedBeforeTraining
from trainer.train.resume import CheckpointRefused, earlier_threads
from trainer.train.save import RanksApart
from trainer.train.setup import RunPaths, Setup
from trainer.train.skipped import write_data_record
from trainer.train.step import Diverged
from trainer.train.trackers import start_trackers, track
from trainer.train.versions import device_names, package_versions

EXPECTED = (
    DataError,
    ConfigError,
    ModelError,
    NotTrainable,
    WorkerFailed,
    Diverged,
    RanksApart,
    CheckpointRefused,
)
GPU_LOST = (
    "the GPU failed, so what it held was not saved; look at `dmesg` and `nvidia-smi`, then resume "
    "from the last checkpoint, on another machine if it fails again"
)


@dataclass
class Ending:
    """How the process ended."""

    code: int
    message: str = ""


def main(run_directory: Path) -> int:
    """Train the run in `run_directory` and return the exit code."""
    faulthandler.enable()
    disable_progress_bar()
    faulthandler.register(signal.SIGUSR2, all_threads=True)
    run = RunPaths.from_environment(RunLayout(run_directory))
    if "QVL_LOCK_FD" in os.environ:
        adopt_run_lock(int(os.environ["QVL_LOCK_FD"]))  # held until this process ends
    requests = Requests(
        run.layout, run.attempt, run.supervisor_pid, reads_commands=run.writes_events
    )
    requests.install_signal_handlers()
    writer = EventWriter(run.layout.events, run.attempt) if run.writes_events else None
    recorder = Recorder(writer)
    ending = ended(run, recorder, requests)
    state = {FINISHED: "finished", STOPPED: "stopped"}.get(ending.code, "failed")
    if ending.message:
        tell(ending.message)
    recorder.write(TrainerEnded(state=state, step=recorder.step, message=ending.message))  # pyright: ignore
    recorder.close()
    Ranks.leave()
    return ending.code


def ended(run: RunPaths, recorder: Recorder, requests: Requests) -> Ending:
    """Return how preparing and training ended."""
    stopped = Ending(STOPPED, "stopped before training began; nothing of this attempt is lost")
    try:
        return run_to_the_end(run, recorder, requests)
    except StoppedBeforeTraining:
        return stopped
    except RanksLost:
        was_asked_to = requests.heard.stop and not requests.training
        return stopped if was_asked_to else Ending(OTHERS_LOST)  # why, is the other's to say
    except OSError as error:
        return Ending(FAILED, disk_words(error))
    except EXPECTED as error:
        bad_input = isinstance(error, DataError | ConfigError | CheckpointRefused)
        return Ending(BAD_INPUT if bad_input else FAILED, str(error))
    except torch.OutOfMemoryError as error:
        tell(traceback.format_exc())
        return Ending(FAILED, why_out_of_memory(error))
    except torch.AcceleratorError as error:
        tell(traceback.format_exc())
        return Ending(FAILED, f"{GPU_LOST} ({first_line(error)})")
    except Exception as error:  # noqa: BLE001
        tell(traceback.format_exc())
        return Ending(FAILED, f"{type(error).__name__}: {first_line(error)}")


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text."""
    return str(error).partition("\n")[0]


def run_to_the_end(run: RunPaths, recorder: Recorder, requests: Requests) -> Ending:
    """Prepare and train."""
    config = load_config(run.layout.config)
    recorder.write(started(config, thread_count(config, earlier_threads(run.layout))))
    torch.autograd.set_detect_anomaly(config.training.debug)
    setup, progress = prepare(run, config, recorder, requests)
    with setup.pool:
        keep_data_record(setup)
        start_trackers(setup.accelerator, config)
        recorder.also = lambda event: track(setup.accelerator, event)
        if config.batch.largest_first:
            rehearse_largest_batch(setup)
        requests.begin_training()
        outcome = train(setup, progress, requests)
        if summary := setup.efficiency.summary():
            recorder.write(Notice(topic="efficiency", message=summary, step=progress.step))
        if (vision := setup.forward.vision) is not None:
            vision.close()
        keep_data_record(setup)
        setup.ranks.gather(None)  # the first one may still be saving
        setup.accelerator.end_training()
    return Ending(FINISHED if outcome == "finished" else STOPPED)


def keep_data_record(setup: Setup) -> None:
    """Write data.json, once for all ranks."""
    if setup.ranks.is_first:
        write_data_record(setup)


def started(config: RunConfig, threads: int) -> AttemptStarted:
    """Return the first event of an attempt."""
    return AttemptStarted(
        config=config.model_dump(mode="json"),
        versions=package_versions(),
        devices=device_names(config.model.device),
        ranks=int(os.environ.get("WORLD_SIZE", "1")),
        threads=threads,
        pid=os.getpid(),
    )
