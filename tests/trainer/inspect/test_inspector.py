"""What is shown of a record is what is trained of it."""

import base64
import io
from pathlib import Path
from unicodedata import normalize

import numpy as np
import orjson
import pytest
from PIL import Image

from tests.trainer.inspect.conftest import Look
from trainer.data.batch import Batch
from trainer.data.images import decode_image
from trainer.data.samples import IGNORED, Sample
from trainer.data.worker import Request
from trainer.inspect.inspection import Inspection, read_inspection
from trainer.inspect.inspector import Inspector


def question(text: str, answer: str) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": text}], "response": answer}


def trained_sample(inspector: Inspector, record: int, epoch: int | None = 0) -> Sample:
    builder = inspector.opened.builder
    number = builder.splits["train"].grouping.sample_of(record, epoch)
    sample, _ = builder.sample(Request("train", (number,), epoch), number)
    assert sample is not None
    return sample


def told_kinds(seen: Inspection) -> list[str]:
    return [run.kind for run in seen.runs for _ in range(run.tokens)]


def told_ids(seen: Inspection) -> list[int]:
    return [
        it
        for run in seen.runs
        for it in (run.ids * run.tokens if run.image is not None else run.ids)
    ]


def opened_picture(data: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))).convert("RGB")


def test_the_kinds_that_are_told_are_the_labels_that_are_trained(
    look: Look, shapes: tuple[Path, Path]
):
    inspector = look(shapes[0])
    for record in range(4):
        seen, sample = inspector.inspect("train", record, 0), trained_sample(inspector, record)
        assert told_ids(seen) == sample.input_ids.tolist()
        kinds = np.array(told_kinds(seen))
        assert ((kinds == "trained") == (sample.labels != IGNORED)).all()
        assert ((kinds == "image") == (sample.mm_token_type_ids == 1)).all()
        assert seen.counts.trained == sample.target_tokens > 0
        assert seen.counts.tokens == len(sample.input_ids)
        assert seen.problem is None


def test_characters_that_take_several_tokens_are_told_once_and_whole(look: Look):
    answer = "字 \U0001f600 e\u0301 ünï"  # the model's tokenizer composes the accent
    inspector = look([question("Wie?", answer)])
    seen = inspector.inspect("train", 0, 0)
    (trained,) = [run for run in seen.runs if run.kind == "trained"]
    assert trained.text == f"{normalize('NFC', answer)}<|im_end|>"
    assert len(trained.ids) == len(trained.pieces)
    assert "" in trained.pieces  # a token in the middle of a character
    tokenizer = inspector.opened.encoder.backend_tokenizer
    whole = tokenizer.decode(
        trained_sample(inspector, 0).input_ids.tolist(), skip_special_tokens=False
    )
    assert "".join(run.text for run in seen.runs) == whole


def test_the_picture_the_model_sees_is_put_together_from_its_patches(
    look: Look, dense_file: Path, shapes: tuple[Path, Path]
):
    (image,) = look(shapes[0]).inspect("train", 0, 0).images
    assert image.stored is not None
    assert image.seen is not None
    # 96 x 96 pixels fit the grid: nothing is resized, so pixel is pixel
    assert image.visual_tokens == 9
    stored, seen = (opened_picture(it.data) for it in (image.stored, image.seen))
    assert (np.asarray(stored) == np.asarray(seen)).all()
    inspector = look(dense_file)
    (image,) = inspector.inspect("train", 0, 0).images
    assert image.seen is not None
    rule = inspector.opened.encoder.picture_rule
    assert (image.seen.height, image.seen.width) == rule.resized(320, 240)
    assert image.grid == (1, image.seen.height // rule.patch, image.seen.width // rule.patch)
    assert image.visual_tokens == rule.visual_tokens(320, 240)
    policy = inspector.opened.encoder.image_policy
    original = decode_image((dense_file.parent / "0.png").read_bytes(), policy)
    wanted = original.resize((image.seen.width, image.seen.height), Image.Resampling.BICUBIC)
    difference = np.abs(np.asarray(opened_picture(image.seen.data), int) - np.asarray(wanted, int))
    assert difference.mean() < 3  # JPEG between them


def test_a_record_that_is_too_long_is_told_so_and_its_last_tokens_are_cut(look: Look):
    inspector = look([question("long " * 60, "end")], "data.max_length=32")
    seen = inspector.inspect("train", 0, 0)
    assert seen.problem is not None
    assert "data.max_length is 32" in seen.problem
    assert not seen.refused
    assert seen.counts.cut == seen.counts.tokens - 32 > 0
    assert told_kinds(seen)[32:] == ["cut"] * seen.counts.cut
    assert "cut" not in told_kinds(seen)[:32]
    refusing = look([question("long " * 60, "end")], "data.max_length=32", "data.over_long=refuse")
    assert refusing.inspect("train", 0, 0).refused


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{broken", "broken JSON"),
        (b'{"oops": 1}', "only `oops`"),
        (orjson.dumps(question("a <|im_end|> b", "x")), "control token <|im_end|>"),
        (
            orjson.dumps(question("", "x") | {"messages": [{"role": "user", "content": [
                {"type": "image", "image": "gone.png"}]}]}),
            "image 1 of 1: no file 'gone.png'",
        ),
    ],
)  # fmt: skip
def test_a_record_that_is_skipped_is_told_with_the_reason_that_training_gives(
    line: bytes, words: str, look: Look
):
    inspector = look([question("good", "one"), line])
    seen = inspector.inspect("train", 1, 0)
    _, (hole,) = inspector.opened.builder.sample(Request("train", (1,), 0), 1)
    assert seen.problem is not None
    assert seen.problem == hole.reason
    assert words in seen.problem
    assert seen.runs == ()
    assert (seen.place.line, seen.place.offset) == (2, hole.source.offset)


def test_a_dense_record_is_shown_in_the_group_of_its_epoch(look: Look, dense_file: Path):
    inspector = look(dense_file, "data.dense.images_per_user_turn=2", "seed=5")
    groups = set()
    for epoch in range(6):
        seen = inspector.inspect("train", 0, epoch)
        assert seen.group is not None
        assert 1 in seen.group.records
        expected = [it for it in seen.group.records if it != 4]
        assert [image.record for image in seen.images] == expected
        sample = trained_sample(inspector, 0, epoch)
        assert told_ids(seen) == sample.input_ids.tolist()
        if 4 in seen.group.records:
            assert any("width and height are 201" in note for note in seen.notes)
        groups.add(seen.group.records)
    assert len(groups) > 1
    lost = inspector.inspect("train", 3, 0)
    assert lost.problem is not None
    assert "width and height are" in lost.problem


def test_objects_lie_where_they_are_marked_on_both_pictures(look: Look, dense_file: Path):
    (image,) = look(dense_file).inspect("train", 0, 0).images
    assert image.stored is not None
    assert image.seen is not None
    box, quad, line = image.stored.objects
    assert (box.kind, box.points, box.desc) == ("box", (40, 48, 160, 120), "red 0")
    assert (quad.kind, line.kind) == ("quad", "line")
    scale = (image.seen.width / 320, image.seen.height / 240)
    seen = image.seen.objects[0]
    assert seen.points == pytest.approx(
        (40 * scale[0], 48 * scale[1], 160 * scale[0], 120 * scale[1])
    )
    picture = np.asarray(opened_picture(image.seen.data), int)
    x1, y1, x2, y2 = (round(it) for it in seen.points)
    assert picture[y1 + 4 : y2 - 4, x1 + 4 : x2 - 4].mean(axis=(0, 1)) == pytest.approx(
        (254, 0, 0), abs=6
    )


def test_where_a_sample_is_trained_and_its_padding_are_those_of_the_plan(look: Look):
    records = [question("q" * (5 * number), "a") for number in range(1, 8)]
    inspector = look(records, "batch.size=2", "batch.accumulation=2")
    plan = inspector.opened.plan
    assert plan is not None
    for epoch in (0, 1):
        for record in range(7):
            seen = inspector.inspect("train", record, epoch)
            assert seen.batch is not None
            batches = plan.micro_batches(seen.batch.step - 1)
            samples = batches[seen.batch.micro_batch - 1]
            assert record in samples
            arrays = inspector.opened.builder(Request("train", samples, epoch))
            row = samples.index(record)
            assert seen.batch.padding == int((arrays.attention_mask[row] == 0).sum())
            assert plan.epoch_of(seen.batch.step - 1) == epoch


def test_a_packed_sample_has_no_padding_and_the_neighbours_of_its_row(look: Look):
    records = [question("q" * (5 * number), "a") for number in range(1, 8)]
    limits = ("batch.accumulation=4", "batch.packing=pack", "batch.tokens=90")
    inspector = look(records, *limits)
    layout, plan = inspector.opened.layout, inspector.opened.plan
    assert layout is not None
    assert plan is not None
    build = inspector.opened.builder
    for record in range(7):
        batch = inspector.inspect("train", record, 0).batch
        assert batch is not None
        assert batch.padding == 0
        samples = plan.samples_of(batch.step - 1)
        singles = [Batch.from_arrays(build(Request("train", (it,), 0))) for it in samples]
        row = layout.batches(singles)[batch.micro_batch - 1]
        assert record + 1 in [source.line for source in row.sources]
        assert batch.samples == row.samples


def test_an_inspection_comes_back_from_json_as_it_was(look: Look, dense_file: Path):
    seen = look(dense_file, "data.dense.images_per_user_turn=2").inspect("train", 1, 0)
    assert read_inspection(orjson.loads(orjson.dumps(seen.as_json()))) == seen


AUGMENTED = (
    'data.augmentation.ops=[{"name": "flip", "params": {"prob": 1.0}}, '
    '{"name": "crop", "params": {"prob": 0.8, "area": [0.4, 0.6], "min_coverage": 0.9}}]'
)


def test_what_augmentation_does_in_an_epoch_is_told_and_marks_follow(look: Look, dense_file: Path):
    inspector = look(dense_file, AUGMENTED)
    dropped = 0
    for epoch in range(8):
        seen = inspector.inspect("train", 0, epoch)
        (image,) = seen.images
        assert image.stored is not None
        assert image.seen is not None
        assert image.applied[0].startswith("flip")
        assert len(image.stored.objects) == 3
        assert len(image.seen.objects) + len(image.dropped) == 3
        dropped += len(image.dropped)
        sample = trained_sample(inspector, 0, epoch)
        assert told_ids(seen) == sample.input_ids.tolist()
        text = "".join(run.text for run in seen.runs)
        for marked in image.dropped:
            assert f'"{marked.desc}"' not in text
        picture = np.asarray(opened_picture(image.seen.data), int)
        for marked in image.seen.objects:
            assert f'"{marked.desc}"' in text
            if marked.kind == "box":
                x1, y1, x2, y2 = (round(it) for it in marked.points)
                inside = picture[y1 + 6 : y2 - 6, x1 + 6 : x2 - 6]
                assert inside.mean(axis=(0, 1)) == pytest.approx((254, 0, 0), abs=9)
    assert dropped


def test_what_validation_sees_is_never_augmented(
    look: Look, dense_file: Path, shapes: tuple[Path, Path]
):
    inspector = look(shapes[0], AUGMENTED, f"data.validation={dense_file}")
    seen = inspector.inspect("validation", 0, 3)
    assert seen.epoch is None
    assert seen.batch is None
    (image,) = seen.images
    assert (image.applied, image.dropped) == ((), ())
    flipped = inspector.inspect("train", 0, 3).images[0]
    assert flipped.applied[0].startswith("flip")
