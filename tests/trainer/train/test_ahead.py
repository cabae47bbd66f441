"""Micro-batches are brought to the device one ahead, and nothing of them changes."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainer.model.running import forward_of, furthest, singles_of, trained
from trainer.data.batch import Batch
from trainer.train import window
from trainer.train.ahead import copied_ahead

CPU = torch.device("cpu")
ON_HOST = {"labels", "image_grid_thw"}


@pytest.fixture
def batches(tiny_checkpoint: Path, shapes: tuple[Path, Path]) -> list[Batch]:
    forward = forward_of(tiny_checkpoint, shapes[0])
    return singles_of(forward.preprocessing, shapes[0])[:4]


def test_a_batch_goes_to_the_device_but_for_what_is_looked_up_on_the_host(batches: list[Batch]):
    kept = {b"key": torch.zeros(2, 3)}
    for batch in batches:
        there = Batch(**{**vars(batch), "features": kept}).on(torch.device("meta"))
        for name, value in vars(batch).items():
            if isinstance(value, torch.Tensor):
                assert getattr(there, name).is_meta == (name not in ON_HOST), name
                assert getattr(there, name).shape == value.shape
            elif name != "features":
                assert getattr(there, name) == value
        assert there.features[b"key"].is_meta
        assert there.target_tokens == batch.target_tokens
        assert there.grids == batch.grids


def test_without_a_gpu_batches_pass_through_one_by_one(batches: list[Batch]):
    asked: list[int] = []

    def source() -> Iterator[Batch]:
        for number, batch in enumerate(batches):
            asked.append(number)
            yield batch

    for number, batch in enumerate(copied_ahead(source(), CPU)):
        assert batch is batches[number]
        assert asked == list(range(number + 1))


@pytest.mark.gpu
@pytest.mark.slow
def test_on_a_gpu_copies_on_their_own_stream_give_the_same_gradients(
    tiny_checkpoint: Path, shapes: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
):
    options = ("model.device=cuda", "tune.dropout=0", "tune.vision=lora")
    forward = forward_of(tiny_checkpoint, shapes[0], *options)
    singles = singles_of(forward.preprocessing, shapes[0])[:16]
    seen: list[Any] = []

    def as_they_are(them: Iterable[Batch], _device: torch.device) -> Iterable[Batch]:
        seen.append(len(seen))
        return them

    with monkeypatch.context() as patch:
        patch.setattr(window, "copied_ahead", as_they_are)
        expected, gradients = trained(forward, *singles)
    assert seen
    for _ in range(10):  # a race would not show every time
        loss, found = trained(forward, *singles)
        assert loss == pytest.approx(expected, rel=1e-5)
        assert furthest(found, gradients) < 1e-4
