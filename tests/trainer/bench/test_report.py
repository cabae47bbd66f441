"""What a measurement says follows from the steps that count."""

from typing import Any

import pytest

from trainer.bench.measure import Measured
from trainer.bench.report import report
from trainer.bench.side import Turn
from trainer.bench.wanted import Wanted
from trainer.bench.words import report_lines

GIB = 2**30


def turn(*seconds: float, loss: float | None = 2.0, gpu: int | None = None) -> Turn:
    """A turn of steps that took so long, of 4 samples each."""
    step = {"loss": loss, "target_tokens": 40, "tokens": 400, "samples": 4}
    memory = {"process": GIB, "with_children": 2 * GIB, "gpu": gpu}
    return Turn(
        [{**step, "seconds": taken, "processor_seconds": 2 * taken} for taken in seconds], memory
    )


@pytest.fixture
def measured() -> Measured:
    """Two turns of two measured steps each; the first epoch has three steps."""
    wanted = Wanted(
        source=None, overrides=[], size="138m", device="cpu", peers=["trl"], steps=2, rounds=2
    )
    facts = {"device": "CPU", "threads": 2, "records": 12, "steps_per_epoch": 3}
    return Measured(
        wanted,
        facts={**facts, "parameters": 138_000_000},
        turns={
            "qvl": [turn(9.0, 1.0, 1.0), turn(9.0, 0.5, 0.5)],
            "bare": [turn(9.0, 1.0, 1.0), turn(9.0, 0.5, 0.5)],
            "trl": [turn(9.0, 4.0, 4.0), turn(9.0, 4.0, 4.0, loss=2.25)],
        },
    )


def test_the_first_step_of_a_turn_does_not_count(measured: Measured):
    ours = report(measured)["sides"]["qvl"]
    assert ours["all"]["steps"] == 4
    assert ours["all"]["seconds_per_step"] == 0.75
    assert ours["all"]["samples_per_second"] == 16 / 3.0
    assert ours["all"]["target_tokens_per_second"] == 160 / 3.0
    assert ours["all"]["processor_seconds_per_sample"] == 6.0 / 16


def test_epochs_and_rounds_have_ratios_of_their_own(measured: Measured):
    ratios = report(measured)["ratios"]["trl"]
    assert ratios["speed"] == pytest.approx(16 / 3)
    assert (ratios["speed_first_epoch"], ratios["speed_later_epochs"]) == (4.0, 8.0)
    assert ratios["speed_by_round"] == [4.0, 8.0]
    assert ratios["processor_time"] == pytest.approx(16 / 3)
    assert ratios["processor_time_first_epoch"] == 4.0
    assert ratios["processor_time_later_epochs"] == 8.0


def test_the_largest_difference_of_losses_counts_unmeasured_steps_too(measured: Measured):
    assert report(measured)["ratios"]["trl"]["largest_loss_difference"] == 0.25
    measured.turns["trl"][0] = turn(9.0, 4.0, 4.0, loss=None)
    assert report(measured)["ratios"]["trl"]["largest_loss_difference"] is None


def test_the_memory_of_a_gpu_counts_where_there_is_one(measured: Measured):
    measured.turns["qvl"][-1] = turn(9.0, 0.5, 0.5, gpu=3 * GIB)
    told = report(measured)
    assert told["ratios"]["trl"]["memory"] == 1.5
    assert "3.2 GB" in report_lines(told)[2]


def test_everything_is_told_in_lines(measured: Measured):
    measured.input = {
        "index": {"bytes_per_second": 1.4e9, "records_per_second": 9000.0},
        "reader": {"records_per_second": 25000.0},
        "loader": {"samples_per_second": 120.0, "workers": 2},
    }
    text = "\n".join(report_lines(report(measured)))
    assert "138 M parameters on CPU, 2 threads, 12 records, labels on 10.0% of their tokens" in text
    assert "qvl is 5.33 times as fast as TRL, its defaults: 4.00 in the first epoch, 8.00" in text
    assert "by processor time 5.33 times: 4.00 in the first epoch, 8.00 in later ones" in text
    assert "largest difference of the losses 0.250" in text
    assert "6             2.000000  2.000000  2.250000" in text
    assert "index alone 1.4 GB/s" in text
    assert "loader alone 120 samples/s with 2 workers" in text


def test_only_the_ways_in_can_be_told():
    wanted = Wanted(
        source=None, overrides=[], size="138m", device="cpu", peers=[], steps=1, rounds=1
    )
    told: dict[str, Any] = report(Measured(wanted))
    assert told == {"input": None}
    assert report_lines(told) == []
