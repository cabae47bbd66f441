"""MFU and the summary at the end are made of what the steps say."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.trainer.model.building import load
from trainer.data.batch import Batch, Window
from trainer.data.errors import Source
from trainer.model.flops import training_cost
from trainer.run.events import Notice, Step
from trainer.train.efficiency import Efficiency, extent_of

CPU = torch.device("cpu")
PEAK = 1e12


def text_batch(*lengths: int) -> Batch:
    """Samples of text that all have labels, padded to the longest."""
    length = max(lengths)
    mask = torch.tensor([[int(place < own) for place in range(length)] for own in lengths])
    ids = torch.ones_like(mask)
    return Batch(
        input_ids=ids,
        attention_mask=mask,
        labels=torch.where(mask == 1, ids, -100),
        mm_token_type_ids=torch.zeros_like(ids),
        patches=None,
        image_grid_thw=None,
        sources=tuple(Source("a.jsonl", line, 0) for line, _ in enumerate(lengths, 1)),
        skipped=(),
    )


def step_of(window: Window) -> Step:
    return Step(
        step=1,
        epoch=0.0,
        loss=1.0,
        token_accuracy=None,
        entropy=None,
        gradient_norm=None,
        learning_rates={},
        target_tokens=window.target_tokens,
        tokens=window.totals.tokens,
        padding_share=0.0,
        samples=window.totals.samples,
        seconds=2.0,
        data_seconds=0.2,
        compute_seconds=1.5,
        optimizer_seconds=0.3,
    )


@pytest.fixture
def efficiency(tiny_checkpoint: Path) -> Efficiency:
    return replace(Efficiency.of(load(tiny_checkpoint), CPU, "fp32"), peak=PEAK)


def test_mfu_counts_neither_padding_nor_what_checkpointing_computes_again(
    efficiency: Efficiency, tiny_checkpoint: Path
):
    even = Window.of(0, 0, [text_batch(8), text_batch(4)])
    padded = Window.of(0, 0, [text_batch(8, 4)])
    saving = load(tiny_checkpoint, activation_checkpointing=True)
    again = replace(Efficiency.of(saving, CPU, "fp32"), peak=PEAK)
    mfu = efficiency.mfu(even, 2.0)
    assert efficiency.cost is not None
    assert mfu is not None
    flops = efficiency.cost.flops(extent_of(efficiency.cost, even.batches))
    assert mfu == pytest.approx(flops.model / 2.0 / PEAK)
    assert efficiency.mfu(padded, 2.0) == mfu
    assert again.mfu(even, 2.0) == mfu


def test_without_a_known_peak_there_is_no_mfu(tiny_checkpoint: Path):
    on_cpu = Efficiency.of(load(tiny_checkpoint), CPU, "fp32")
    assert on_cpu.mfu(Window.of(0, 0, [text_batch(8)]), 1.0) is None


def test_the_summary_names_every_share_of_the_time(efficiency: Efficiency):
    window = Window.of(0, 0, [text_batch(8, 4)])
    for _ in range(2):
        efficiency.add(window, step_of(window))
    text = efficiency.summary()
    assert "1 samples/s, 6 tokens/s" in text
    assert "75.0% forward and backward, 15.0% optimizer, 10.0% waiting for data" in text
    assert "padding 25.0%" in text
    mfu = efficiency.mfu(window, 2.0)
    assert mfu is not None
    assert f"MFU {mfu:.1%}" in text
    assert "with padding and recomputation" in text


def test_a_model_of_unknown_layers_says_that_its_operations_are_not_counted(
    efficiency: Efficiency,
):
    unknown = replace(efficiency, cost=None)
    window = Window.of(0, 0, [text_batch(8)])
    unknown.add(window, step_of(window))
    assert unknown.mfu(window, 1.0) is None
    assert "operations not counted" in unknown.summary()


def test_a_batch_that_is_not_trained_on_costs_nothing(tiny_checkpoint: Path):
    cost = training_cost(load(tiny_checkpoint))
    assert cost is not None
    batch = text_batch(8)
    without = replace(batch, labels=torch.full_like(batch.labels, -100))
    assert extent_of(cost, [without]).tokens == 0


def test_a_run_ends_with_where_its_time_went_and_its_times_add_up(make_run: Callable):
    run = make_run("ends", "training.max_steps=2", "evaluation.at_end=false", "data.workers=0")
    run.finish()
    for step in run.of(Step):
        parts = step.data_seconds + step.compute_seconds + step.optimizer_seconds
        assert parts == pytest.approx(step.seconds)
        assert step.mfu is None  # no peak is known for a CPU
    (notice,) = (it for it in run.of(Notice) if it.topic == "efficiency")
    assert "forward and backward" in notice.message
    assert "TFLOP/s" in notice.message
