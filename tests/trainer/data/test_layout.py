"""A step's samples are the same however they are laid into micro-batches."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.trainer.data.building import builder
from trainer.config.model import ModelConfig
from trainer.config.schema import BatchConfig, DataConfig, RunConfig
from trainer.data.batch import Batch, Window
from trainer.data.build import BatchBuilder
from trainer.data.joining import in_one_row
from trainer.data.layout import Layout
from trainer.data.loader import BatchPool, Share, validation_batches, windows
from trainer.data.order import Plan
from trainer.data.packing import Size
from trainer.data.preprocessing import Preprocessing
from trainer.data.samples import IGNORED
from trainer.data.worker import Request

Load = Callable[..., Preprocessing]
PLAN = Plan(12, 2, 3, 5, "ab" * 32)
PACKED, GROUPED = (Layout(packed, Size(160, 200), 0, 2) for packed in (True, False))


@pytest.fixture
def build(data_file: Path, load: Load) -> BatchBuilder:
    return builder(load("instruct"), data_file)


def pool_of(build: BatchBuilder, workers: int = 0) -> BatchPool:
    return BatchPool(build, workers=workers, prefetch_bytes=2**28, timeout_seconds=60)


def samples(batches: tuple[Batch, ...] | list[Batch]) -> Iterator[tuple[object, ...]]:
    """Yield tokens, targets, picture grids and source of each sample, without padding."""
    for batch in batches:
        ends = np.cumsum((0, *batch.lengths)).tolist()
        grids = iter([] if batch.image_grid_thw is None else batch.image_grid_thw.tolist())
        for row, (source, (start, end)) in enumerate(
            zip(batch.sources, pairwise(ends), strict=True)
        ):
            piece = (0, slice(start, end)) if batch.packed else (row, slice(0, end - start))
            ids, labels = (tensor[piece].tolist() for tensor in (batch.input_ids, batch.labels))
            kinds = [0, *batch.mm_token_type_ids[piece].tolist()]
            pictures = sum(kinds[place - 1 : place + 1] == [0, 1] for place in range(1, len(kinds)))
            yield source.line, ids, labels[1:], [next(grids) for _ in range(pictures)]


def in_order(window: Window) -> list[tuple[object, ...]]:
    return sorted(samples(window.batches), key=str)


@pytest.mark.parametrize("layout", [PACKED, GROUPED], ids=["packed", "grouped"])
def test_a_window_holds_the_same_samples_however_it_is_laid_out(
    build: BatchBuilder, layout: Layout
):
    with pool_of(build) as pool:
        plain = list(windows(pool, PLAN, range(4)))
        laid = list(windows(pool, PLAN, range(4), layout=layout))
    assert any(len(window.batches) > 1 for window in laid)
    assert any(batch.samples > 1 for window in laid for batch in window.batches)
    for window, expected in zip(laid, plain, strict=True):
        assert in_order(window) == in_order(expected)
        assert (window.index, window.epoch) == (expected.index, expected.epoch)
        assert window.target_tokens == expected.target_tokens
        assert window.totals.tokens == expected.totals.tokens
        assert set(window.totals.skipped) == set(expected.totals.skipped)
        assert window.totals.images == expected.totals.images
        assert window.totals.positions == window.totals.tokens or not layout.packed
        for batch in window.batches:
            assert batch.packed is layout.packed
            assert batch.samples == 1 or Size(batch.positions, batch.patch_count).fits(layout.limit)


def test_windows_are_the_same_from_any_start_and_with_workers(build: BatchBuilder):
    with pool_of(build) as inline, pool_of(build, 1) as processes:
        whole = list(windows(inline, PLAN, range(6), layout=PACKED))
        later = list(windows(processes, PLAN, range(2, 6), layout=PACKED))
    for found, expected in zip(later, whole[2:], strict=True):
        assert len(found.batches) == len(expected.batches)
        for one, other in zip(found.batches, expected.batches, strict=True):
            assert torch.equal(one.input_ids, other.input_ids)
            assert one.position_ids is not None
            assert other.position_ids is not None
            assert torch.equal(one.position_ids, other.position_ids)
            assert one.sources == other.sources


def test_ranks_lay_out_their_own_parts_of_the_same_window(build: BatchBuilder):
    with pool_of(build) as pool:
        plain = list(windows(pool, PLAN, range(4)))
        parts = [list(windows(pool, PLAN, range(4), Share(rank, 4), PACKED)) for rank in range(4)]
    for expected, *mine in zip(plain, *parts, strict=True):
        together = [it for window in mine for it in samples(window.batches)]
        assert sorted(together, key=str) == in_order(expected)
        numbers = [number for window in mine for number in window.numbers]
        assert len(set(numbers)) == len(numbers)
        assert [len(window.numbers) for window in mine] == [len(it.batches) for it in mine]


def test_validation_is_laid_out_as_training_is(build: BatchBuilder):
    with pool_of(build) as pool:
        plain = list(validation_batches(pool, 12, 5))
        laid = list(validation_batches(pool, 12, 5, layout=PACKED))
        shares = [list(validation_batches(pool, 12, 5, Share(it, 2), PACKED)) for it in (0, 1)]
    taken = [[it.samples + len(it.skipped) for it in share] for share in shares]
    assert taken == [[5, 2], [5]]
    assert sorted(samples(laid), key=str) == sorted(samples(plain), key=str)
    assert sum(len(batch.skipped) for batch in laid) == 2
    assert all(batch.positions == batch.tokens for batch in laid)


def test_a_window_of_holes_alone_says_what_was_skipped(build: BatchBuilder):
    with pool_of(build) as pool:
        holes = list(pool.batches(Request("train", (number,), 0) for number in (4, 7)))
    (batch,) = PACKED.batches(holes)
    assert (batch.samples, batch.target_tokens) == (0, 0)
    assert [it.source.line for it in batch.skipped] == [5, 8]


def test_the_first_token_of_a_sample_is_no_target_of_the_one_before(build: BatchBuilder):
    with pool_of(build) as pool:
        singles = list(pool.batches(Request("train", (number,), 0) for number in (1, 2)))
    answered = [replace(it, labels=it.input_ids.clone()) for it in singles]
    row = in_one_row(answered, 2)
    assert row.target_tokens == sum(it.target_tokens for it in answered)
    assert row.labels[0, row.lengths[0]] == IGNORED
    assert (answered[1].labels != IGNORED).all()  # what was given is left as it was


def run_config(**batch: object) -> RunConfig:
    return RunConfig(
        model=ModelConfig(path="x"),
        data=DataConfig(train=("x",), max_length=512),
        batch=BatchConfig.model_validate(batch),
    )


def test_without_limits_a_micro_batch_takes_what_its_size_may_take(load: Load):
    preprocessing = load("instruct")
    layout = Layout.of(run_config(packing="pack", size=3), preprocessing)
    assert layout is not None
    assert layout.limit == Size(3 * 512, 3 * 512 * 4)
    given = Layout.of(run_config(packing="group", tokens=700, patches=900), preprocessing)
    assert given is not None
    assert given.limit == Size(700, 900)
    assert not given.packed
    assert Layout.of(run_config(), preprocessing) is None
