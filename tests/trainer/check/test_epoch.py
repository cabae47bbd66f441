"""The check knows the groups of the first epoch, and how far augmentation enlarges pictures."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.trainer.data.augment.patches import options, surely
from trainer.check import checking
from trainer.check.checking import Checked, Manner, check_records
from trainer.check.report import report
from trainer.config.load import load_config
from trainer.config.schema import RunConfig
from trainer.data.augment.augment import augment
from trainer.data.augment.draws import Key
from trainer.data.augment.reach import is_known, largest_sizes
from trainer.data.build import BatchBuilder, Split
from trainer.data.grouping import Grouping
from trainer.data.measuring import Measuring
from trainer.data.preprocessing import Preprocessing
from trainer.data.worker import Request
from trainer.words.check import check_lines

Config = Callable[..., RunConfig]
HERE = Manner(keep_every=True, workers=0)


@pytest.fixture(autouse=True)
def tokenizers_in_this_process(monkeypatch: pytest.MonkeyPatch):
    def load(config: RunConfig, *, decode: bool) -> Measuring:
        return Preprocessing.load(config.model, config.data).measuring(decode=decode)

    monkeypatch.setattr(checking, "measuring_of", load)


@pytest.fixture
def config(tmp_path: Path, tiny_checkpoint: Path) -> Config:
    """Configure a run of 21 dense records of one to seven objects, and five conversations."""
    Image.new("RGB", (64, 64), "red").save(tmp_path / "a.png")
    box = {"bbox_2d": [1, 2, 30, 40], "desc": "a red thing"}
    dense = [
        {"image": "a.png", "objects": [box] * (1 + number % 7), "summary": f"things: {number}"}
        for number in range(21)
    ]
    chats = [{"prompt": f"{number}?", "response": "yes"} for number in range(5)]
    for name, records in (("dense", dense), ("chats", chats)):
        lines = (json.dumps(it) for it in records)
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")

    def make(*given: str) -> RunConfig:
        files = json.dumps([f"{tmp_path}/dense.jsonl", f"{tmp_path}/chats.jsonl"])
        fixed = (f"model.path={tiny_checkpoint}", f"data.train={files}")
        return load_config("balanced", [*fixed, f"data.cache_dir={tmp_path}/cache", *given])

    return make


def trained(config: RunConfig, checked: Checked) -> tuple[list[int], list[int]]:
    """Tokens of the groups that training makes in its first epoch, and lines that it skips."""
    records = checked.tallies["train"].records
    grouping = Grouping.of(records, config.seed)
    preprocessing = Preprocessing.load(config.model, config.data)
    builder = BatchBuilder(preprocessing, {"train": Split(records, grouping)})
    lengths: list[int] = []
    lines: list[int] = []
    for number in range(5, len(grouping)):
        sample, holes = builder.sample(Request("train", (number,), 0), number)
        lengths += [0 if sample is None else len(sample.input_ids)]
        lines += [hole.source.line for hole in holes]
    return lengths, sorted(lines)


def too_long(checked: Checked) -> list[int]:
    every = checked.tallies["train"].every or ()
    return sorted(it.line for it in every if it.remark.kind == "a group that is too long")


def test_groups_are_told_with_their_lengths(config: Config):
    made = config("data.dense.images_per_user_turn=4")
    checked = check_records(made, HERE)
    assert checked.groups is not None
    lengths, _ = trained(made, checked)
    assert checked.groups.tokens.tolist() == pytest.approx(lengths, rel=0.03)
    told = report(checked, None)["groups"]
    assert (told["groups"], told["records_each"], told["over_long"]) == (6, 4, 0)
    assert "✓ 6 questions about up to 4 records in the first epoch" in "\n".join(
        check_lines(report(checked, None))
    )


def test_exactly_the_groups_that_training_skips_are_errors(config: Config):
    plain = config("data.dense.images_per_user_turn=4")
    lengths, _ = trained(plain, check_records(plain, HERE))
    limit = sorted(set(lengths))[-3]
    over = sum(length > limit for length in lengths)
    made = config("data.dense.images_per_user_turn=4", f"data.max_length={limit}")
    checked = check_records(made, HERE)
    _, skipped = trained(made, checked)
    assert len(skipped) > over > 0
    assert too_long(checked) == skipped
    assert checked.groups is not None
    assert checked.groups.over_long == over
    assert checked.errors == len(skipped)


def test_groups_that_are_asked_for_summaries_are_measured_as_such(config: Config):
    given = ("data.dense.images_per_user_turn=4", "data.dense.summary_ratio=0.5")
    plain = config(*given)
    checked = check_records(plain, HERE)
    lengths, _ = trained(plain, checked)
    limit = max(lengths) - 1
    made = config(*given, f"data.max_length={limit}")
    checked = check_records(made, HERE)
    assert too_long(checked) == trained(made, checked)[1]
    assert checked.groups is not None
    assert 0 < checked.groups.summaries < 6


def test_records_alone_have_no_groups(config: Config):
    checked = check_records(config(), HERE)
    assert (checked.groups, checked.enlarged) == (None, None)


def test_augmentation_that_may_make_records_too_long_is_told(config: Config):
    ops = "data.augmentation.ops=[{name: resize, params: {factor: [1, 4]}}]"
    given = (ops, "data.min_pixels=1024")
    checked = check_records(config(*given), HERE)
    columns = checked.tallies["train"].columns
    assert checked.enlarged is not None
    dense = columns["images"] > 0
    assert (columns["patches"][dense] == 16).all()
    assert (checked.enlarged.patches[dense] == 256).all()  # four times as wide and as high
    more = checked.enlarged.tokens - columns["tokens"]
    assert (more[dense] == (256 - 16) // 4).all()
    assert (more[~dense] == 0).all()
    longest = int(columns["tokens"].max())
    close = check_records(config(*given, f"data.max_length={longest}"), HERE)
    assert close.errors == 0
    assert close.enlarged is not None
    assert close.enlarged.over_long > 0
    text = "\n".join(check_lines(report(close, None)))
    assert f"⚠ {close.enlarged.over_long} of them may get too long" in text


def test_pixel_limits_bound_what_augmentation_does(config: Config):
    ops = "data.augmentation.ops=[{name: expand, params: {factor: 10}}]"
    checked = check_records(config(ops, "data.min_pixels=1024", "data.max_pixels=16384"), HERE)
    assert checked.enlarged is not None
    assert checked.enlarged.patches.max() == 64


GROWING: list[dict[str, Any]] = [
    surely("resize", factor=[0.5, 2.5]),
    surely("expand", factor=[1, 2]),
    surely("pad", multiple=48),
    surely("rotate", degrees=[-50, 120]),
    surely("shear", x_degrees=[-30, 50], y_degrees=[-40, 10]),
    surely("rotate", degrees=[-10, 10], grow=False),
    surely("crop", area=[0.3, 1]),
    surely("flip"),
]


@given(
    ops=st.lists(st.sampled_from(GROWING), min_size=1, max_size=3),
    size=st.tuples(st.integers(5, 90), st.integers(5, 90)),
    sample=st.integers(0, 99),
    max_pixels=st.sampled_from([4_096, 2**24]),
)
def test_no_canvas_is_larger_than_is_told(
    ops: list[dict[str, Any]], size: tuple[int, int], sample: int, max_pixels: int
):
    settings = options(*ops, max_pixels=max_pixels)
    made = augment(Image.new("RGB", size), (), settings, Key(1, 0, sample, 0)).image.size
    (bound,) = largest_sizes(np.array([size]), settings)
    area = made[0] * made[1]
    assert area <= (bound[0] + len(ops)) * (bound[1] + len(ops))  # each canvas is rounded up


def test_what_functions_of_ones_own_do_is_not_known():
    own = {"name": "tests.trainer.data.augment.test_augment:anything", "params": {}}
    assert is_known(options(surely("flip")))
    assert not is_known(options(own))
