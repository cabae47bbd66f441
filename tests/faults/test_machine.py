"""Whatever is done to a run in whatever order, it stays what a model without files says it is."""

import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.faults import expected
from tests.faults.expected import ExpectedRun, Refused, TakenStep
from tests.faults.stepwise import Attempt, Ended, Standing
from tests.training import Training, events_of
from trainer.run.events import Evaluation, Resumed, Step
from trainer.run.layout import RunLayout
from trainer.run.manifest import MANIFEST_NAME, verify_checkpoint
from trainer.train.checkpoint import found_checkpoints

OPTIONS = (
    f"data.train_samples={expected.SAMPLES_PER_EPOCH}",
    "data.validation_samples=2",
    "batch.size=2",
    f"batch.accumulation={expected.SAMPLES_PER_STEP // 2}",
    f"training.max_steps={expected.TOTAL_STEPS}",
    f"checkpoint.every_steps={expected.SAVED_EVERY}",
    f"checkpoint.keep_last={expected.KEPT}",
    "checkpoint.keep_best=false",
    "checkpoint.final_zip=false",
    "evaluation.generated_samples=0",
    "model.vision_cache=memory",
)
SAVING_SECONDS = 0.2  # within which a kill meets a step and its checkpoint
SHARES = st.floats(0, 1, exclude_max=True)


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path: Path, share: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 1
    path.write_bytes(content)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\0")


def add_a_file(path: Path) -> None:
    path.with_name("further.bin").write_bytes(b"whatever")


def damages(share: float) -> list[Callable[[Path], None]]:
    """Return what can be done to a file of a checkpoint."""
    return [cut_in_half, partial(flip_a_bit, share=share), append, add_a_file, Path.unlink]


class Run(RuleBasedStateMachine):
    """One run: its processes, its files, and what must be true of it."""

    def __init__(self, folder: Path, training: Training, undisturbed: dict[int, TakenStep]) -> None:
        super().__init__()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.data = folder / "train.jsonl"
        self.content = training.shapes[0].read_bytes()
        self.data.write_bytes(self.content)
        self.training = Training(folder, training.checkpoint, (self.data, training.shapes[1]))
        self.layout = RunLayout(folder / "run")
        self.expected = ExpectedRun(undisturbed)
        self.attempt: Attempt | None = None
        self.number = 0

    # --- what is done ---------------------------------------------------------------------------

    def running(self) -> bool:
        return self.attempt is not None

    def has_steps_left(self) -> bool:
        return self.expected.step is not None and self.expected.step < expected.TOTAL_STEPS

    def resting_with_checkpoints(self) -> bool:
        return self.attempt is None and bool(self.expected.checkpoints)

    @precondition(lambda self: not self.running())
    @rule()
    def resume(self) -> None:
        must = self.expected.resume()
        self.number += 1
        self.attempt = Attempt(self.training, self.number, OPTIONS)
        report = self.attempt.report()
        if isinstance(must, Refused):
            assert isinstance(report, Ended), report
            assert report.how == must.error
            assert must.says in report.message
            self.attempt = None
            return
        counted = self.expected.taken(must)
        assert report == Standing(must, counted.samples, counted.target_tokens)
        if self.number > 1:
            told = events_of(self.layout, Resumed)[-1]
            name = self.layout.checkpoint(must).name if must else None
            assert (told.step, told.checkpoint) == (must, name)

    @precondition(lambda self: self.has_steps_left())
    @rule(save=st.booleans(), evaluate=st.booleans(), steps=st.integers(1, 3))
    def step(self, save: bool, evaluate: bool, steps: int) -> None:
        for further in range(steps):
            if self.has_steps_left():
                self.take_step(save=save and not further, evaluate=evaluate and not further)

    def take_step(self, *, save: bool, evaluate: bool) -> None:
        assert self.attempt is not None
        if save:
            self.attempt.ask("checkpoint")
        if evaluate:
            self.attempt.ask("evaluate")
        self.attempt.go_on()
        step = self.expected.take_step(save=save, evaluate=evaluate)
        must = self.expected.taken(step)
        report = self.attempt.report()
        assert report == Standing(step, must.samples, must.target_tokens, must.records)
        told = events_of(self.layout, Step)[-1]
        assert (told.step, told.loss, told.epoch) == (step, must.loss, must.epoch)
        assert [it.step for it in events_of(self.layout, Evaluation)] == self.expected.evaluated

    @precondition(lambda self: self.running())
    @rule()
    def stop(self) -> None:
        assert self.attempt is not None
        self.attempt.ask("stop")
        self.leave()

    @precondition(lambda self: self.running() and not self.has_steps_left())
    @rule()
    def finish(self) -> None:
        self.leave()

    def leave(self) -> None:
        assert self.attempt is not None
        self.attempt.go_on()
        assert self.attempt.report() == Ended(self.expected.leave())
        self.attempt = None

    @precondition(lambda self: self.running())
    @rule()
    def kill(self) -> None:
        assert self.attempt is not None
        self.attempt.kill()
        self.attempt = self.expected.step = None

    @precondition(lambda self: self.has_steps_left())
    @rule(share=SHARES)
    def kill_while_saving(self, share: float) -> None:
        assert self.attempt is not None
        self.attempt.ask("checkpoint")
        self.attempt.go_on()
        time.sleep(share * SAVING_SECONDS)
        self.attempt.kill()
        self.attempt = None
        self.expected.killed_while_saving({step for step, _ in found_checkpoints(self.layout)})

    @precondition(lambda self: bool(self.expected.checkpoints))
    @rule(newest=st.booleans(), file=SHARES, how=SHARES, where=SHARES)
    def corrupt_a_file(self, newest: bool, file: float, how: float, where: float) -> None:
        steps = sorted(self.expected.checkpoints)
        step = steps[-1 if newest else 0]
        folder = self.layout.checkpoint(step)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        path = files[int(file * len(files))]
        ways = damages(where)
        if path.name == MANIFEST_NAME:  # the others may leave a manifest that still holds
            ways = [cut_in_half, Path.unlink]
        ways[int(how * len(ways))](path)
        self.expected.checkpoints[step] = False

    @precondition(lambda self: not self.running() and self.number > 0)
    @rule(share=SHARES)
    def change_data(self, share: float) -> None:
        if self.layout.data.exists():  # an attempt has begun to train
            lines = self.content.splitlines(keepends=True)
            del lines[int(share * len(lines))]
            self.data.write_bytes(b"".join(lines))
            self.expected.data_changed = True

    @precondition(lambda self: self.expected.data_changed)
    @rule()
    def restore_data(self) -> None:
        self.data.write_bytes(self.content)
        self.expected.data_changed = False

    @precondition(lambda self: not self.running() and self.expected.set_aside)
    @rule()
    def remove_all_checkpoints(self) -> None:
        shutil.rmtree(self.layout.checkpoints)
        self.expected.checkpoints.clear()
        self.expected.set_aside = False

    # --- what is true at the end ----------------------------------------------------------------

    def teardown(self) -> None:
        if self.attempt is not None:
            self.attempt.kill()
        for step, holds in self.expected.checkpoints.items():
            folder = self.layout.checkpoint(step)
            assert holds is not damaged(folder), folder
        losses = {step: it.loss for step, it in self.expected.undisturbed.items()}
        if self.number:
            assert all(it.loss == losses[it.step] for it in events_of(self.layout, Step))


def damaged(folder: Path) -> bool:
    """Whether a checkpoint does not hold."""
    try:
        verify_checkpoint(folder)
    except ValueError:
        return True
    return False


@pytest.fixture(scope="module")
def training(
    tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path, shapes: tuple[Path, Path]
) -> Training:
    return Training(tmp_path_factory.mktemp("undisturbed"), tiny_checkpoint, shapes)


@pytest.fixture(scope="module")
def undisturbed(training: Training) -> dict[int, TakenStep]:
    """Every step of a run that nothing happens to."""
    attempt = Attempt(training, 1, OPTIONS)
    taken: dict[int, TakenStep] = {}
    while isinstance(standing := attempt.report(), Standing):
        if standing.step:
            told = events_of(RunLayout(training.folder / "run"), Step)[-1]
            assert told.epoch == pytest.approx(expected.epoch_at(standing.step))
            taken[standing.step] = TakenStep(
                loss=told.loss,
                epoch=told.epoch,
                records=standing.records,
                samples=standing.samples,
                target_tokens=standing.target_tokens,
            )
        attempt.go_on()
    assert standing == Ended("finished")
    return taken


def test_every_epoch_trains_every_record_once(undisturbed: dict[int, TakenStep]):
    assert sorted(undisturbed) == list(range(1, expected.TOTAL_STEPS + 1))
    expected.check_epochs(undisturbed)


FEW = settings(
    max_examples=5,
    stateful_step_count=14,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),  # every step of a failure is a real one: shrinking takes minutes
    suppress_health_check=(
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ),
)
MANY = settings(
    FEW,
    max_examples=300,
    stateful_step_count=40,
    derandomize=False,
    phases=(Phase.generate, Phase.shrink),
)


def hold(tmp_path: Path, training: Training, taken: dict[int, TakenStep], how: settings) -> None:
    machine = cast("type[Run]", partial(Run, tmp_path / "run", training, taken))
    run_state_machine_as_test(machine, settings=how)


def test_a_run_is_what_the_model_says(
    tmp_path: Path, training: Training, undisturbed: dict[int, TakenStep]
):
    hold(tmp_path, training, undisturbed, FEW)


@pytest.mark.nightly
@pytest.mark.timeout(7200)
def test_a_run_is_what_the_model_says_over_many_runs(
    tmp_path: Path, training: Training, undisturbed: dict[int, TakenStep]
):
    hold(tmp_path, training, undisturbed, MANY)
