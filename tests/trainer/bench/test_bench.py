"""`qvl bench` on the tiny model: everybody trains the same, and says what it took."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trainer.bench.errors import BenchFailed
from trainer.bench.rows import refuse_uneven_steps, the_conversation
from trainer.cli.bench import bench
from trainer.cli.terminal import CommandFailed
from trainer.config.load import load_config
from trainer.data.build import BatchBuilder, Split
from trainer.data.grouping import Grouping
from trainer.data.index import Dataset, index_file
from trainer.data.preprocessing import Preprocessing
from trainer.data.reading import Records
from trainer.supervisor.python import python_environment

ROUNDS, STEPS = 2, 1
STEPS_TAKEN = ROUNDS * (STEPS + 1)
SAMPLES_OF_A_STEP = 4


def run_bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, one thread for every process."""
    return subprocess.run(
        [sys.executable, "-m", "trainer.cli", "bench", *arguments],
        capture_output=True,
        text=True,
        env={**python_environment(), "OMP_NUM_THREADS": "1"},
        timeout=400,
    )


@pytest.fixture(scope="module")
def configuration(
    tiny_checkpoint: Path, shapes: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    return [
        *("balanced", f"model.path={tiny_checkpoint}", f"data.train={shapes[0]}"),
        *("model.device=cpu", "model.dtype=fp32", "model.quantization=none", "data.workers=1"),
        *("optimizer.name=adamw", "optimizer.learning_rate=1e-3", "schedule.warmup_steps=2"),
        *("batch.size=2", "batch.accumulation=2", "data.train_samples=8"),
        f"data.cache_dir={tmp_path_factory.mktemp('cache')}",
    ]


@pytest.fixture(scope="module")
def told(configuration: list[str]) -> dict[str, Any]:
    """The report of one measurement against TRL, which other tests look at."""
    pytest.importorskip("trl", reason="is compared with")
    done = run_bench(
        *configuration, "--vs", "trl", f"--steps={STEPS}", f"--rounds={ROUNDS}", "--json"
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_the_losses_of_everybody_are_the_same_at_every_step(told: dict[str, Any]):
    assert len(told["losses"]) == STEPS_TAKEN
    for losses in told["losses"]:
        assert losses["bare"] == pytest.approx(losses["qvl"], abs=1e-5)
        assert losses["trl"] == pytest.approx(losses["qvl"], abs=1e-5)
    first, last = told["losses"][0], told["losses"][-1]
    assert abs(first["qvl"] - last["qvl"]) > 1e-3  # the weights moved, and moved alike


@pytest.mark.slow
def test_rates_ratios_and_memory_are_told_for_everybody(told: dict[str, Any]):
    assert told["facts"]["steps_per_epoch"] == 2
    for side in told["sides"].values():
        assert side["all"]["steps"] == ROUNDS * STEPS
        assert side["first_epoch"]["steps"] == side["later_epochs"]["steps"] == STEPS
        rates = side["all"]
        seconds = rates["seconds_per_step"]
        assert rates["samples_per_second"] == pytest.approx(SAMPLES_OF_A_STEP / seconds)
        assert side["memory"]["process"] > 100e6
        assert side["memory"]["gpu"] is None
    ours, theirs = (told["sides"][role]["all"]["seconds_per_step"] for role in ("qvl", "trl"))
    assert told["ratios"]["trl"]["speed"] == pytest.approx(theirs / ours)
    assert len(told["ratios"]["bare"]["speed_by_round"]) == ROUNDS


@pytest.mark.slow
def test_the_ways_in_are_measured_alone(told: dict[str, Any]):
    assert told["input"]["index"]["bytes_per_second"] > 0
    assert told["input"]["reader"]["records_per_second"] > 0
    assert told["input"]["loader"]["samples_per_second"] > 0
    assert told["input"]["loader"]["workers"] == 1


def test_what_others_compute_otherwise_is_refused_before_anything_is_loaded(
    configuration: list[str],
):
    pytest.importorskip("trl", reason="is compared with")
    what = [*configuration, "model.quantization=nf4", "tune.aligner=full"]
    with pytest.raises(CommandFailed, match="nf4 and a part in full mode cannot be") as refused:
        bench(what, vs=["trl"], size=None, steps=1, rounds=1)
    assert refused.value.code == 2


@pytest.mark.parametrize(
    ("what", "options", "message"),
    [
        ([], {"vs": ["axolotl"]}, "--vs axolotl: there is only trl and trl-tuned"),
        (["balanced"], {"size": "2b"}, "--size builds a model, but balanced names one"),
        (["balanced"], {"answer_tokens": 9}, "--answer-tokens makes records, but balanced names"),
        ([], {"vs": ["trl"], "input_only": True}, "--input-only trains nothing, so --vs has no"),
    ],
)
def test_options_that_exclude_each_other_are_refused(
    what: list[str], options: dict[str, Any], message: str
):
    with pytest.raises(CommandFailed, match=message) as refused:
        bench(what, **{"vs": None, "size": None, "steps": 1, "rounds": 1, **options})
    assert refused.value.code == 2


def test_without_trl_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("trainer.cli.bench.find_spec", lambda _: None)
    with pytest.raises(CommandFailed, match=r"trl is not installed; .*pip install 'qvl\[bench\]'"):
        bench([], vs=["trl-tuned"], size=None, steps=1, rounds=1)


def test_an_epoch_that_ends_within_a_step_cannot_be_compared():
    refuse_uneven_steps([[0, 1, 2, 3], [2, 0, 3, 1]], 4)
    with pytest.raises(BenchFailed, match=r"step 2 has 1 samples, others 4; set data\.train_sam"):
        refuse_uneven_steps([[0, 1, 2, 3], [4], [2, 0, 3, 1]], 4)


def test_records_that_others_have_nothing_like_are_refused_with_their_place(
    tiny_checkpoint: Path, tmp_path: Path
):
    data = tmp_path / "train.jsonl"
    tool = {"type": "function", "function": {"name": "look", "parameters": {}}}
    messages = [{"role": "user", "content": "Look."}]
    data.write_text(json.dumps({"messages": messages, "response": "Yes.", "tools": [tool]}) + "\n")
    config = load_config("balanced", [f"model.path={tiny_checkpoint}", f"data.train={data}"])
    records = Records.of(Dataset((index_file(data, cache_dir=tmp_path),)), config.data)
    split = Split(records, Grouping.of(records, 0))
    builder = BatchBuilder(Preprocessing.load(config.model, config.data), {"train": split})
    with pytest.raises(BenchFailed, match=r"train.jsonl:1: only plain conversations") as refused:
        the_conversation(builder, 0)
    assert refused.value.code == 2
