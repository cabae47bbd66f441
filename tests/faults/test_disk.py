"""Faults 7 and 9: a disk that is full, too small or read-only; on real ones of a few megabytes."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from tests.program import Program
from tests.training import Training
from trainer.run.codec import decode
from trainer.run.events import CheckpointFailed, CheckpointPublished, Step
from trainer.run.manifest import verify_checkpoint
from trainer.train import checkpoint


def fill(folder: Path) -> Path:
    """Write a file until nothing fits any more."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        for size in (2**20, 4096, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return path


def test_fault_07_a_disk_that_fills_up_in_the_middle_of_a_save_loses_nothing(
    disk: Callable[[str], Path],
    tiny_checkpoint: Path,
    shapes: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
):
    folder = disk("size=80m")
    trained = Training(folder, tiny_checkpoint, shapes)(
        "checkpoint.every_steps=2", "checkpoint.final_zip=false", "training.max_steps=8"
    )
    layout = trained.setup.run.layout
    require_space, saves = checkpoint._require_space, list[int]()

    def then_fill_up(where: Path, expected_bytes: int) -> None:
        saves.append(trained.progress.step)
        if trained.progress.step == 6:  # two steps were taken on a full disk
            assert [path.name for path in layout.checkpoints.iterdir()] == ["step-00000002"]
            assert verify_checkpoint(layout.checkpoint(2)).step == 2
            for line in layout.events.read_bytes().splitlines():
                orjson.loads(line)  # no line is torn
            assert trained.of(Step)[-1].step < 6
            (folder / "filler").unlink()
        require_space(where, expected_bytes)
        if trained.progress.step == 4:
            fill(folder)

    monkeypatch.setattr(checkpoint, "_require_space", then_fill_up)
    assert trained.go() == "finished"
    assert saves == [2, 4, 6, 8]
    assert [event.step for event in trained.of(CheckpointPublished)] == [2, 6, 8]
    (failed,) = trained.of(CheckpointFailed)
    assert failed.step == 4
    assert "No space left" in failed.reason
    assert [event.step for event in trained.of(Step)] == list(range(1, 9))
    seqs = [decode(line).seq for line in layout.events.read_bytes().splitlines()]
    assert seqs == list(range(len(seqs)))


@pytest.mark.parametrize(
    ("options", "says"),
    [("size=80m,ro", "it cannot be written"), ("size=3m", "but the run wants about")],
)
def test_fault_09_a_disk_that_cannot_hold_the_run_is_refused_before_the_model_is_loaded(
    disk: Callable[[str], Path],
    tiny_checkpoint: Path,
    shapes: tuple[Path, Path],
    tmp_path: Path,
    options: str,
    says: str,
):
    runs = disk(options)
    program = Program(
        tmp_path, [f"model.path={tiny_checkpoint}", f"data.train={shapes[0]}", "data.validation=[]"]
    )
    told = program.call(*program.train("--runs-dir", str(runs)), code=1)
    assert says in told
    assert list(runs.iterdir()) == []
    assert "Traceback" not in told
