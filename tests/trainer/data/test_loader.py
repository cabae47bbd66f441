"""Batches arrive in order and whole, from worker processes or without them."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from transformers import AutoModelForImageTextToText

from tests.trainer.data.acting import Acting
from tests.trainer.data.building import builder
from trainer.config.augmentation import AugmentationConfig
from trainer.data.batch import Batch
from trainer.data.errors import DataChanged, DataRefused, WorkerFailed
from trainer.data.joining import side_by_side
from trainer.data.loader import BatchPool, validation_batches, windows
from trainer.data.order import Plan
from trainer.data.preprocessing import Preprocessing
from trainer.data.worker import Request

Load = Callable[..., Preprocessing]


def pool(
    build: object, workers: int, timeout_seconds: float = 60, prefetch: int = 2**28
) -> BatchPool:
    return BatchPool(
        build,  # type: ignore[arg-type]
        workers=workers,
        prefetch_bytes=prefetch,
        timeout_seconds=timeout_seconds,
    )


def same(a: Batch, b: Batch) -> bool:
    def equal(x: object, y: object) -> bool:
        if isinstance(x, torch.Tensor) and isinstance(y, torch.Tensor):
            return x.dtype == y.dtype and torch.equal(x, y)
        return x == y

    return all(equal(value, vars(b)[name]) for name, value in vars(a).items())


def test_workers_build_the_very_batches_that_the_trainer_would(load: Load, data_file: Path):
    build = builder(load("instruct"), data_file)
    plan = Plan(12, 2, 2, 5, "ab" * 32)
    with pool(build, 0) as inline, pool(build, 2) as processes:
        expected = list(windows(inline, plan, range(1, 7)))
        found = list(windows(processes, plan, range(1, 7)))
        validation = list(validation_batches(processes, 12, 5))
        mapped = [Path(f"/proc/{pid}/maps").read_text() for pid in processes.pids]
    assert all("numpy" in maps and "torch" not in maps for maps in mapped)  # it takes 200 MB
    assert [window.index for window in found] == list(range(1, 7))
    assert [window.epoch for window in found] == [0, 0, 1, 1, 1, 2]
    for one, other in zip(found, expected, strict=True):
        assert one.target_tokens == other.target_tokens
        assert all(same(a, b) for a, b in zip(one.batches, other.batches, strict=True))
    assert [batch.samples + len(batch.skipped) for batch in validation] == [5, 5, 2]


def test_pictures_change_with_every_epoch_of_training_and_never_in_validation(
    load: Load, data_file: Path
):
    noise = AugmentationConfig.model_validate({"ops": [{"name": "noise", "params": {"prob": 1}}]})
    changing = builder(load("instruct", augmentation=noise), data_file)
    plain = builder(load("instruct"), data_file)(Request("train", (0, 3)))
    requests = [Request("train", (0, 3), epoch) for epoch in (0, 1)]
    first, second = (changing(request) for request in requests)
    assert first.patches is not None
    assert second.patches is not None
    assert not np.array_equal(first.patches, second.patches)
    with pool(changing, 1) as processes:
        again = list(processes.batches([requests[1], requests[0]]))
    assert again[1].patches is not None
    assert np.array_equal(again[1].patches.numpy(), first.patches)
    validated = changing(Request("validation", (0, 3)))
    assert plain.patches is not None
    assert validated.patches is not None
    assert np.array_equal(validated.patches, plain.patches)


def test_broken_records_leave_holes_with_their_places(load: Load, data_file: Path):
    build = builder(load("instruct"), data_file)
    with pool(build, 0) as inline:
        (window,) = windows(inline, Plan(12, 12, 1, 0, "ab" * 32), range(1))
    assert window.totals.samples == 10
    reasons = {skipped.source.line: skipped.reason for skipped in window.totals.skipped}
    assert set(reasons) == {5, 8}
    assert "broken JSON" in reasons[5]
    assert "no answer to train" in reasons[8]


@pytest.mark.parametrize("workers", [0, 1])
def test_records_to_be_refused_end_the_run_by_name(load: Load, data_file: Path, workers: int):
    build = builder(load("instruct", bad_records="refuse"), data_file)
    with pool(build, workers) as batches, pytest.raises(DataRefused, match=r"train\.jsonl:5 "):
        list(validation_batches(batches, 12, 4))


def test_over_long_records_are_refused_when_asked(load: Load, data_file: Path):
    build = builder(load("instruct", over_long="refuse", max_length=32), data_file)
    with pytest.raises(DataRefused, match=r"max_length is 32.*set data\.over_long=skip"):
        build(Request("train", (11,)))


def test_a_file_that_shrinks_during_the_run_ends_it_with_what_changed(load: Load, data_file: Path):
    build = builder(load("instruct"), data_file)
    with pool(build, 1) as batches:
        stream = validation_batches(batches, 12, 1)
        next(stream)
        os.truncate(data_file, 50)
        with pytest.raises(DataChanged, match=r"train\.jsonl: it had \d+ bytes"):
            list(stream)


@pytest.mark.parametrize(
    ("record", "how"),
    [
        (1000, "gave no answer for 1 s"),
        (1001, "ZeroDivisionError: a fault of ours"),
        (1002, "left with code 7"),
        (1003, "was killed by SIGKILL"),
    ],
)
def test_a_worker_that_fails_is_named_with_its_records(tmp_path: Path, record: int, how: str):
    requests = [Request("train", (number,)) for number in (0, 1, record, 3, 4)]
    with pool(Acting(tmp_path), 2, timeout_seconds=1) as batches:
        pids = batches.pids
        stream = batches.batches(requests)
        assert [batch.sources[0].line for batch in islice(stream, 2)] == [0, 1]
        with pytest.raises(WorkerFailed) as failed:
            list(stream)
    assert how in str(failed.value)
    assert f"data worker {0 if 'data worker 0' in str(failed.value) else 1} (pid " in str(
        failed.value
    )
    assert f"train {record}" in str(failed.value)
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_a_worker_killed_from_outside_is_noticed(tmp_path: Path):
    with pool(Acting(tmp_path), 1) as batches:
        stream = batches.batches([Request("train", (number,)) for number in range(2000, 2400)])
        next(stream)
        os.kill(batches.pids[0], signal.SIGKILL)
        with pytest.raises(WorkerFailed, match="was killed by SIGKILL"):
            list(stream)


def test_a_worker_stopped_in_its_tracks_is_noticed(tmp_path: Path):
    with pool(Acting(tmp_path), 1, timeout_seconds=1) as batches:
        stream = batches.batches([Request("train", (number,)) for number in range(2000, 2400)])
        next(stream)
        os.kill(batches.pids[0], signal.SIGSTOP)
        with pytest.raises(WorkerFailed, match="gave no answer for 1 s"):
            list(stream)


def test_workers_do_not_hear_the_signals_that_are_meant_for_the_trainer(tmp_path: Path):
    with pool(Acting(tmp_path), 2) as batches:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2) * 2:
            for pid in batches.pids:  # the first come while the processes start
                os.kill(pid, number)
            found = list(batches.batches([Request("train", (1,)), Request("train", (2,))]))
            assert len(found) == 2


def test_leaving_the_pool_early_leaves_no_process_and_does_not_wait(tmp_path: Path):
    with pool(Acting(tmp_path), 2) as batches:
        pids = batches.pids
        stream = batches.batches([Request("train", (number,)) for number in [0, 1000] * 9])
        next(stream)
        started = time.monotonic()
    assert time.monotonic() - started < 60
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_reading_ahead_is_bounded_in_bytes(tmp_path: Path):
    def started() -> int:
        return len(list(tmp_path.iterdir()))

    requests = [Request("train", (number,)) for number in range(40)]
    with pool(Acting(tmp_path), 2, prefetch=3 * 2**20 + 2**19) as batches:  # three batches of 1 MB
        stream = batches.batches(requests)
        for taken in range(1, 21):
            next(stream)
            time.sleep(0.05)
            assert started() <= max(4, taken + 3)
        assert started() >= 21
        assert len(list(stream)) == 20


def test_a_second_stream_runs_beside_the_first(tmp_path: Path):
    with pool(Acting(tmp_path), 2) as batches:
        train = batches.batches([Request("train", (number,)) for number in range(20)])
        assert next(train).sources[0].line == 0
        validation = list(
            batches.batches([Request("validation", (number,)) for number in range(5)])
        )
        assert [batch.sources[0].line for batch in validation] == [0, 1, 2, 3, 4]
        assert [batch.sources[0].line for batch in train] == list(range(1, 20))


SCRIPT = """
import sys, time
from pathlib import Path
from trainer.data.loader import BatchPool
from trainer.data.worker import Request


class Slow:
    def __call__(self, request):
        print("building", flush=True)
        time.sleep(3600)

    def describe(self, request):
        return ""


if __name__ == "__main__":
    with BatchPool(Slow(), workers=2, prefetch_bytes=1, timeout_seconds=3600) as pool:
        print(*pool.pids, flush=True)
        next(pool.batches([Request("train", (0,)), Request("train", (1,))]))
"""


def test_workers_die_with_their_parent_even_in_the_middle_of_a_batch(tmp_path: Path):
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        assert parent.stdout.readline() == "building\n"
        parent.kill()
        parent.wait()
        deadline = time.monotonic() + 10
        while any(_runs(pid) for pid in workers) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(_runs(pid) for pid in workers)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("joined", [False, True])
def test_workers_work_out_the_positions_that_the_model_would(
    load: Load, data_file: Path, tiny_checkpoint: Path, joined: bool
):
    preprocessing = load("instruct")
    build = builder(preprocessing, data_file)
    if joined:
        singles = [Batch.from_arrays(build(Request("train", (it,)))) for it in (0, 1, 3)]
        batch = side_by_side(singles, preprocessing.pad_id)
    else:
        batch = Batch.from_arrays(build(Request("train", (0, 1, 3))))
    model: Any = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint).model
    expected, _ = model.get_rope_index(
        batch.input_ids,
        batch.mm_token_type_ids,
        image_grid_thw=batch.image_grid_thw,
        attention_mask=batch.attention_mask,
    )
    assert batch.rope is not None
    assert batch.rope.is_contiguous()
    assert torch.equal(batch.rope, expected)
    assert Batch.from_arrays(build(Request("train", (1, 2)))).rope is None
