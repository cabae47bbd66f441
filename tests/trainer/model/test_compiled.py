"""Compiled layers compute what they compute as they are written, whatever the batch looks like."""

import shutil
import sysconfig
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from torch._dynamo.utils import counters

from tests.trainer.model.running import FULL, forward_of, furthest, singles_of, trained
from trainer.data.batch import Batch
from trainer.data.joining import in_one_row, side_by_side
from trainer.model.compiled import uncompiled
from trainer.train.window import Forward

HAS_COMPILER = shutil.which("g++") and Path(sysconfig.get_path("include"), "Python.h").is_file()
pytestmark = [
    pytest.mark.skipif(not HAS_COMPILER, reason="needs g++ and the headers of Python"),
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.filterwarnings("default"),  # torch warns of its own tracing
]

COMPILED = "model.compile=language"
WITHOUT_CHANCE = "tune.dropout=0"


@pytest.fixture(autouse=True)
def nothing_is_compiled():
    """Forget what other tests compiled."""
    torch._dynamo.reset()
    counters.clear()


def forward(*options: str, checkpoint: Path, data: Path) -> Forward:
    AcceleratorState._reset_state(reset_partial_state=True)
    return forward_of(checkpoint, data, *options)


def graphs() -> int:
    return counters["stats"]["unique_graphs"]


def padded(forward: Forward, singles: list[Batch]) -> list[Batch]:
    """Two micro-batches of different sizes."""
    pad = forward.preprocessing.pad_id
    return [side_by_side(singles, pad), side_by_side(singles[:2], pad)]


def packed(forward: Forward, singles: list[Batch]) -> list[Batch]:
    """Two rows of different lengths."""
    merge = forward.preprocessing.picture_rule.merge
    return [in_one_row(singles, merge), in_one_row(singles[:2], merge)]


def check(checkpoint: Path, data: Path, *options: str, packing: bool = False) -> Forward:
    """Compare losses and gradients; return the compiled forward."""
    written = forward(*options, checkpoint=checkpoint, data=data)
    compiled = forward(*options, COMPILED, checkpoint=checkpoint, data=data)
    singles = singles_of(written.preprocessing, data)
    batches = (packed if packing else padded)(written, singles)
    assert not graphs()
    expected_loss, expected = trained(written, *batches)
    assert not graphs()
    loss, gradients = trained(compiled, *batches)
    made = graphs()
    assert made
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    assert furthest(gradients, expected) < 1e-4
    trained(compiled, *reversed(batches), *batches[:1])
    assert graphs() == made, "a batch was compiled for itself"
    return compiled


def test_compiled_layers_compute_the_same_and_are_compiled_once(
    tiny_checkpoint: Path, data_file: Path
):
    compiled = check(tiny_checkpoint, data_file, *FULL)
    made, single = graphs(), singles_of(compiled.preprocessing, data_file)[0]
    with torch.no_grad(), uncompiled():
        compiled.model(**compiled.inputs(single)[0])
    assert graphs() == made


@pytest.mark.nightly
def test_packed_rows_over_4_bit_layers_compile_around_their_attention(
    tiny_checkpoint: Path, data_file: Path
):
    check(tiny_checkpoint, data_file, "model.quantization=nf4", WITHOUT_CHANCE, packing=True)


@pytest.mark.nightly
def test_compiled_layers_can_be_computed_twice(tiny_checkpoint: Path, data_file: Path):
    check(tiny_checkpoint, data_file, WITHOUT_CHANCE, "model.activation_checkpointing=true")


@pytest.mark.nightly
def test_what_compiled_layers_draw_follows_the_step(tiny_checkpoint: Path, data_file: Path):
    compiled = forward("tune.dropout=0.5", COMPILED, checkpoint=tiny_checkpoint, data=data_file)
    single = singles_of(compiled.preprocessing, data_file)[0]
    first, again = (trained(compiled, single) for _ in range(2))
    assert first[0] == again[0]
    assert furthest(first[1], again[1]) == 0.0
    _, twice = trained(compiled, single, single)
    assert furthest(twice, first[1]) > 0.1, "both micro-batches dropped the same"
