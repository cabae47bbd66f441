"""What ranks tell each other, and what one of them alone does not ask."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.trainer_processes import Run
from trainer.supervisor.verdict import BAD_INPUT, OTHERS_LOST
from trainer.train import ranks as module
from trainer.train.ranks import Ranks, RanksLost
from trainer.train.window import Forward, Gradients, sum_over_ranks


@pytest.mark.slow
def test_bad_data_on_one_rank_ends_both_and_is_named(
    make_run: Callable[..., Run], shapes: tuple[Path, Path]
):
    records = shapes[0].read_text().splitlines()[:20]
    records[7] = "{broken"
    data = shapes[0].with_name("broken.jsonl")
    data.write_text("\n".join(records) + "\n")
    options = (f"data.train={data}", "data.bad_records=refuse", "training.ranks=2")
    run = make_run("refusing", "batch.size=2", "data.workers=0", *options)
    codes = [process.wait(timeout=200) for process in run.start_ranks()]
    console = run.layout.console.read_text()
    assert sorted(codes) == [BAD_INPUT, OTHERS_LOST], console
    assert "broken.jsonl:8" in console.splitlines()[-1]


def test_one_rank_sums_nothing_and_asks_nobody():
    ranks = Ranks()
    weight = nn.Parameter(torch.ones(2))
    weight.grad = torch.tensor([1.0, 2.0])
    ranks.sum([weight.grad])
    assert weight.grad.tolist() == [1.0, 2.0]
    assert ranks.gather("word") == ["word"]
    gradients = Gradients(3, {"loss": torch.tensor(1.0)})
    assert sum_over_ranks(Forward(nn.Module(), None, None, 0), ranks, gradients) is gradients  # pyright: ignore


@pytest.mark.parametrize("own", [torch.OutOfMemoryError, torch.AcceleratorError])
def test_an_error_of_the_own_device_is_not_taken_for_a_lost_rank(own: type[RuntimeError]):
    with pytest.raises(own, match="mine"), module._peers():
        raise own("mine")
    with pytest.raises(RanksLost, match=r"^Connection closed by peer$"), module._peers():
        raise RuntimeError("Connection closed by peer\nat line 7")
