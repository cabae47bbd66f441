"""Questions about groups of marked pictures, and what happens to a group with a hole."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from PIL import Image

from tests.trainer.data import building
from tests.trainer.data.conftest import Load
from trainer.data.batch import Batch
from trainer.data.build import BatchBuilder
from trainer.data.loader import BatchPool, windows
from trainer.data.order import Plan
from trainer.data.preprocessing import Preprocessing
from trainer.data.samples import IGNORED, BatchArrays
from trainer.data.worker import Request

Make = Callable[..., BatchArrays]


@pytest.fixture
def pictured(tmp_path: Path, picture: Callable[..., Image.Image]) -> Path:
    for number in range(5):
        picture(64, 32, seed=number).save(tmp_path / f"{number}.png")
    return tmp_path


def record(number: int, **changed: Any) -> dict[str, Any]:
    box = {"bbox_2d": [0, 0, 6.4 * (number + 1), 32], "desc": f"物/{number}"}
    whole = {"images": [f"{number}.png"], "objects": [box], "width": 64, "height": 32}
    return {**whole, "summary": f"总{number}", **changed}


def builder(folder: Path, preprocessing: Preprocessing, values: list[Any]) -> BatchBuilder:
    path = folder / "train.jsonl"
    lines = [it if isinstance(it, bytes) else orjson.dumps(it) for it in values]
    path.write_bytes(b"\n".join(lines))
    return building.builder(preprocessing, path, seed=7)


def answers(build: BatchBuilder, arrays: BatchArrays) -> list[Any]:
    tokenizer = build.encoder.backend_tokenizer
    trained = [row[row != IGNORED].tolist() for row in arrays.labels]
    rows = [tokenizer.decode(ids, skip_special_tokens=False) for ids in trained]
    return [json.loads(row.removesuffix("<|im_end|>")) for row in rows]


def test_a_group_is_one_question_about_all_its_pictures(pictured: Path, load: Load):
    preprocessing = load(dense={"images_per_user_turn": 2, "system": "看图"})
    build = builder(pictured, preprocessing, [record(number) for number in range(5)])
    arrays = build(Request("validation", (0, 1, 2)))
    assert answers(build, arrays)[1:] == [
        {
            "图片_1": [{"bbox_2d": [0, 0, 300, 1000], "desc": "物/2"}],
            "图片_2": [{"bbox_2d": [0, 0, 400, 1000], "desc": "物/3"}],
        },
        {"图片_1": [{"bbox_2d": [0, 0, 500, 1000], "desc": "物/4"}]},
    ]
    assert [source.line for source in arrays.sources] == [1, 2, 3, 4, 5]
    batch = Batch.from_arrays(arrays)
    assert (batch.samples, batch.images) == (3, 5)
    ids = arrays.input_ids[0][arrays.attention_mask[0] == 1]
    text = str(preprocessing.tokenizer.decode(ids)).replace("<|image_pad|>", "")
    image = "<|vision_start|><|vision_end|>"
    assert f"system\n看图<|im_end|>\n<|im_start|>user\n{image}{image}请描述" in text


def test_an_epoch_asks_about_every_picture_once_in_other_groups_each_time(
    pictured: Path, load: Load
):
    preprocessing = load(dense={"images_per_user_turn": 2})
    build = builder(pictured, preprocessing, [record(number) for number in range(5)])
    made = [build(Request("train", (0, 1, 2), epoch)) for epoch in (0, 1, 0)]
    lines = [[source.line for source in arrays.sources] for arrays in made]
    assert [sorted(each) for each in lines] == [[1, 2, 3, 4, 5]] * 3
    assert lines[0] == lines[2] != lines[1]
    assert answers(build, made[0]) == answers(build, made[2])


def test_summaries_have_the_same_keys_and_their_own_question(pictured: Path, load: Load):
    options = {"images_per_user_turn": 2, "summary_ratio": 1, "picture_key": "p{n}"}
    preprocessing = load(dense={**options, "summary_prompt": "总结"})
    build = builder(pictured, preprocessing, [record(number) for number in range(2)])
    arrays = build(Request("validation", (0,)))
    assert answers(build, arrays) == [{"p1": "总0", "p2": "总1"}]
    assert "总结<|im_end|>" in preprocessing.tokenizer.decode(arrays.input_ids[0])


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (b"{broken", "broken JSON"),
        (record(1, images=["none.png"]), "no file 'none.png'"),
        (record(1, width=32, height=64), "width and height are 32 x 64, the picture has 64 x 32"),
        (record(1, objects=[{"bbox_2d": [0, 0, 640, 3], "desc": "x"}]), r"object 0 \(x\): coord"),
        (record(1, summary=None), "no `summary`, which its question asks for"),
    ],
)
def test_a_group_goes_without_a_record_that_cannot_be_used(
    pictured: Path, load: Load, broken: Any, why: str
):
    ratio = 1 if "summary" in why else 0
    preprocessing = load(dense={"images_per_user_turn": 3, "summary_ratio": ratio})
    build = builder(pictured, preprocessing, [record(0), broken, record(2)])
    arrays = build(Request("validation", (0,)))
    ((skipped, reason),) = [(it.source.line, it.reason) for it in arrays.skipped]
    assert skipped == 2
    assert re.search(why, reason)
    assert sorted(source.line for source in arrays.sources) == [1, 3]
    assert list(answers(build, arrays)[0]) == ["图片_1", "图片_2"]


def test_a_group_that_is_too_long_leaves_a_hole_for_each_of_its_records(pictured: Path, load: Load):
    preprocessing = load(max_length=80, dense={"images_per_user_turn": 3})
    build = builder(pictured, preprocessing, [record(number) for number in range(3)])
    arrays = build(Request("train", (0,)))
    assert [it.source.line for it in arrays.skipped] == [1, 2, 3]
    assert all(it.reason.startswith("3 records together: ") for it in arrays.skipped)
    assert Batch.from_arrays(arrays).samples == 0


def test_records_that_are_not_dense_are_not_grouped(pictured: Path, load: Load):
    preprocessing = load(dense={"images_per_user_turn": 2})
    chat = {"messages": [{"role": "user", "content": "q"}], "response": "[1]"}
    build = builder(pictured, preprocessing, [chat, chat, chat])
    assert answers(build, build(Request("train", (0, 1, 2), 0))) == [[1], [1], [1]]


@pytest.mark.parametrize("start", range(1, 6))
def test_groups_go_on_from_any_step_as_they_would_have(pictured: Path, load: Load, start: int):
    preprocessing = load(dense={"images_per_user_turn": 2, "summary_ratio": 0.5})
    build = builder(pictured, preprocessing, [record(number) for number in range(5)])
    plan = Plan(len(build.splits["train"].grouping), 1, 2, 7, "5f" * 32)

    def batches(first: int) -> list[tuple[tuple[int, ...], list[int]]]:
        with BatchPool(build, workers=0, prefetch_bytes=1, timeout_seconds=60) as pool:
            made = [it for window in windows(pool, plan, range(first, 6)) for it in window.batches]
        lines = [tuple(source.line for source in batch.sources) for batch in made]
        return list(zip(lines, [batch.labels.flatten().tolist() for batch in made], strict=True))

    whole = batches(0)
    assert batches(start) == whole[-len(batches(start)) :]
    assert len({lines for lines, _ in whole}) > 3
