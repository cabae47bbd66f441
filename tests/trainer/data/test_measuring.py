"""What a record takes is known without decoding its pictures, and is what its sample takes."""

import base64
import io
import subprocess
import sys
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.trainer.data.conftest import Load
from trainer.config.reading import ColumnsConfig
from trainer.data.errors import RecordError, Source
from trainer.data.formats.read import parse_record
from trainer.data.formats.recognise import RecordFormat, common_format
from trainer.data.preprocessing import Preprocessing
from trainer.data.records import Record

WORDS = st.text("aä 图\n<|im_end|>{}", max_size=12) | st.sampled_from(["circle", "<image>", ""])


def picture(width: int, height: int, kind: str, orientation: int, kept: float) -> str:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).save(buffer, kind, exif=exif)
    data = buffer.getvalue()
    return base64.b64encode(data[: round(len(data) * kept)]).decode()


PICTURES = st.builds(
    picture,
    st.integers(1, 200),
    st.integers(1, 200),
    st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF"]),
    st.sampled_from([1, 6]),
    st.sampled_from([1.0, 1.0, 1.0, 1.0, 0.9]),
).map(lambda text: "data:;base64," + text)
ITEMS = st.builds(lambda it: {"type": "text", "text": it}, WORDS) | st.builds(
    lambda it: {"type": "image", "image": it}, PICTURES
)
BOXES = st.lists(st.integers(-2, 60), min_size=4, max_size=4)


@st.composite
def native(draw: st.DrawFn) -> dict[str, Any]:
    system = [{"role": "system", "content": draw(WORDS)}] if draw(st.booleans()) else []
    turns: list[Any] = []
    for _ in range(draw(st.integers(0, 1))):
        turns += [
            {"role": "user", "content": draw(WORDS)},
            {"role": "assistant", "content": draw(WORDS)},
        ]
    question = {"role": "user", "content": draw(st.lists(ITEMS, min_size=1, max_size=4))}
    thinking = {"thinking": draw(WORDS)} if draw(st.booleans()) else {}
    return {"messages": [*system, *turns, question], "response": draw(WORDS), **thinking}


@st.composite
def swift(draw: st.DrawFn) -> dict[str, Any]:
    question = {"role": "user", "content": "<image>Where is <ref-object>?"}
    answer = {"role": "assistant", "content": "At <bbox>."}
    objects = {"ref": ["it"], "bbox": [draw(BOXES)]}
    return {"messages": [question, answer], "images": [draw(PICTURES)], "objects": objects}


@st.composite
def dense(draw: st.DrawFn) -> dict[str, Any]:
    objects = [
        {"bbox_2d": draw(BOXES), "desc": draw(WORDS) or "x"} for _ in range(draw(st.integers(1, 3)))
    ]
    summary = {"summary": draw(WORDS)} if draw(st.booleans()) else {}
    return {"images": [draw(PICTURES)], "objects": objects, **summary}


PLAIN = st.builds(lambda a, b: {"prompt": a, "response": b}, WORDS, WORDS) | st.builds(
    lambda it: {"text": it}, WORDS
)


def opinion(preprocessing: Preprocessing, record: Record) -> tuple[tuple[int, int, int], str]:
    """Tokens, patches and target tokens of a record's sample, or what is said against it."""
    try:
        sample = preprocessing.encode(record)
    except RecordError as error:
        return (0, 0, 0), str(error)
    patches = 0 if sample.patches is None else len(sample.patches)
    return (len(sample.input_ids), patches, sample.target_tokens), ""


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("instruct", {"max_length": 120}),
        ("thinking", {"thinking": "include", "control_tokens": "escape"}),
        ("base", {"min_pixels": 4096, "max_pixels": 16_384}),
        ("qwen2_vl", {"max_source_pixels": 30_000, "dense": {"summary_ratio": 0.5}}),
    ],
)
@settings(max_examples=60)
@given(value=native() | swift() | dense() | PLAIN)
def test_a_record_measures_what_its_sample_takes_and_is_refused_alike(
    load: Load, name: str, options: dict[str, Any], value: dict[str, Any]
):
    preprocessing = load(name, **options)
    columns = ColumnsConfig()
    written = RecordFormat(common_format([value], columns), columns)
    try:
        record = parse_record(orjson.dumps(value), Source("/tmp/a.jsonl", 1, 0), written)
    except RecordError:
        return
    expected = opinion(preprocessing, record)
    try:
        measured = preprocessing.measuring().measure(record)
        found = ((measured.tokens, measured.patches, measured.target_tokens), "")
    except RecordError as error:
        found = ((0, 0, 0), str(error))
    if options.get("dense") and "summary" in found[1]:
        return  # the sample alone asks for the objects; a summary may be asked for as well
    assert found == expected


def test_measuring_loads_no_torch(load: Load, tmp_path: Any):
    import pickle

    (tmp_path / "measuring").write_bytes(pickle.dumps(load("instruct").measuring()))
    program = """
import pickle, sys
from pathlib import Path
from trainer.data.errors import Source
from trainer.data.records import PromptRecord
measuring = pickle.loads(Path(sys.argv[1]).read_bytes())
record = PromptRecord(source=Source("a", 1, 0), prompt="What?", response="A circle.")
print(measuring.measure(record).tokens > 5, "torch" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "measuring")], capture_output=True, text=True
    )
    assert done.stdout.split() == ["True", "False"], done.stderr
