"""Faults 23 to 26: lines, pictures and texts that are no good, in real runs over them."""

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tests.training import Training
from trainer.cli.status import overview, status_lines
from trainer.data.errors import DataChanged, DataRefused
from trainer.data.worker import Request
from trainer.run.events import Notice, RecordSkipped, Step

GOOD = {"messages": [{"role": "user", "content": "Say it."}], "response": "As you asked."}
LINE = json.dumps(GOOD).encode()
LONGEST_LINE_BYTES = 4096

# A line of a file, and why its record is skipped; None: it is trained, and "": it is no record.
LINES: list[tuple[bytes, str | None]] = [
    (b"\xef\xbb\xbf" + LINE, None),
    (LINE + b"\r", None),
    (b"", ""),
    (b" \t ", ""),
    (b"\r", ""),
    (b'{"messages": [', "broken JSON"),
    (LINE.replace(b"Say", b"S\xffy"), "broken JSON"),
    (b"\x00\x01\x02", "broken JSON"),
    (b'"a text alone"', "a string"),
    (LINE[:-1] + b", " + LINE[1:], None),  # a key twice: the last one counts
    (b"\0" * (LONGEST_LINE_BYTES + 1), f"a record of {LONGEST_LINE_BYTES + 1} bytes"),
    (b"[" * 3000, "broken JSON"),
    (LINE, None),  # without a newline at the end of the file
]


def write_lines(path: Path) -> dict[tuple[int, int], str]:
    """Write the lines and return line, byte offset and reason of what is to be skipped."""
    skipped: dict[tuple[int, int], str] = {}
    offset = 0
    for number, (line, reason) in enumerate(LINES, start=1):
        if reason:
            skipped[number, offset] = reason
        offset += len(line) + 1
    path.write_bytes(b"\n".join(line for line, _ in LINES))
    return skipped


def test_fault_23_broken_lines_are_skipped_and_counted_with_their_byte_offsets(
    trainings: Training, tmp_path: Path
):
    expected = write_lines(tmp_path / "lines.jsonl")
    trained = trainings(
        f"data.train={tmp_path}/lines.jsonl",
        f"data.max_line_bytes={LONGEST_LINE_BYTES}",
        "training.max_steps=6",  # two epochs: the second tells nothing again
    )
    assert trained.go() == "finished"
    events: list[RecordSkipped] = trained.of(RecordSkipped)
    assert {(it.line, it.offset) for it in events} == {*expected}
    assert len(events) == len(expected)
    for event in events:
        assert expected[event.line, event.offset] in event.reason
    trained_lines = sum(reason is None for _, reason in LINES)
    assert sum(it.samples for it in trained.of(Step)) == 2 * trained_lines
    layout = trained.setup.run.layout
    assert json.loads(layout.data.read_bytes())["skipped"] == len(expected)
    assert f"  {len(expected)} records skipped" in status_lines(overview(layout))


def test_fault_23_broken_lines_are_refused_where_that_is_asked_for(
    trainings: Training, tmp_path: Path
):
    (tmp_path / "lines.jsonl").write_bytes(LINE + b"\n\n" + LINE[:20] + b"\r\n" + LINE)
    trained = trainings(f"data.train={tmp_path}/lines.jsonl", "data.bad_records=refuse")
    with pytest.raises(DataRefused, match=rf"lines\.jsonl:3 \(byte {len(LINE) + 2}\): broken JSON"):
        trained.go()
    assert not trained.of(Step)


READ_ALL = """
import json, sys
from pathlib import Path
from trainer.config.data import DataConfig
from trainer.data.check import check_data
from trainer.data.errors import RecordError
from trainer.data.index import Dataset, index_file
from trainer.data.reading import Records

def peak_bytes():  # not getrusage's, which begins with that of the parent
    (line,) = [it for it in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in it]
    return int(line.split()[1]) * 1024

options = DataConfig(train=(sys.argv[1],), max_line_bytes=2**24)
before = peak_bytes()
check_data(options)
records = Records.of(Dataset((index_file(sys.argv[1], cache_dir=sys.argv[2]),)), options)
told = []
for number in range(len(records)):
    try:
        told.append(records[number].response)
    except RecordError as error:
        told.append(str(error))
print(json.dumps([told, peak_bytes() - before]))
"""


@pytest.mark.parametrize(
    "long_bytes", [2**28, pytest.param(2**31 + 4096, marks=pytest.mark.nightly)]
)
def test_fault_23_a_line_of_gigabytes_takes_no_memory(tmp_path: Path, long_bytes: int):
    path = tmp_path / "long.jsonl"
    with path.open("wb") as file:
        file.write(LINE + b"\n")
        file.truncate(file.tell() + long_bytes)  # takes no room on the disk
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + LINE)
    command = [sys.executable, "-c", READ_ALL, str(path), str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (first, long, last), grown_bytes = json.loads(done.stdout)
    assert first == last == GOOD["response"]
    assert long.startswith(f"{path}:2 (byte {len(LINE) + 1}): a record of {long_bytes} bytes")
    assert grown_bytes < 60 * 2**20  # twice the longest line that is allowed, and an index


def png_of(width: int, height: int) -> bytes:
    """Return a PNG whose header claims a size that its few bytes cannot have."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (header, b"IDAT" + zlib.compress(bytes(100)), b"IEND")
    framed = (
        struct.pack(">I", len(it) - 4) + it + struct.pack(">I", zlib.crc32(it)) for it in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def plain(colour: Any, mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (64, 48), colour)


def deep() -> Image.Image:
    return Image.new("I;16", (64, 48), 0x8080)


def palette() -> Image.Image:
    image = plain(1, "P")
    image.putpalette([0, 0, 0, 255, 0, 0])
    return image


def jpeg() -> bytes:
    return encoded(Image.effect_noise((64, 48), 90).convert("RGB"), "JPEG")


ANIMATED = {"save_all": True, "append_images": [plain("lime")]}
DECODED: dict[str, tuple[bytes, Any]] = {  # with the one colour that is to be seen
    "an animation": (encoded(plain("red"), "GIF", **ANIMATED), "red"),
    "an animated WEBP": (encoded(plain("red"), "WEBP", lossless=True, **ANIMATED), "red"),
    "sixteen bits": (encoded(deep(), "PNG"), (128, 128, 128)),
    "CMYK": (encoded(plain((0, 255, 255, 0), "CMYK"), "JPEG", quality=100), (254, 0, 0)),
    "a palette": (encoded(palette(), "PNG"), "red"),
    "transparent": (encoded(plain((255, 0, 0, 0), "RGBA"), "PNG"), "white"),
}
REFUSED: dict[str, tuple[bytes | str, str]] = {  # bytes of a file, or what the record names
    "bad base64": ("data:image/png;base64,!!!!", "bad base64"),
    "oversized base64": ("data:image/png;base64," + "A" * 23_000_000, "23000000 characters"),
    "a bomb": (png_of(65_000, 65_000), "over 1000000 pixels"),
    "a truncated JPEG": (jpeg()[:-600], "not decodable"),
    "too long for its breadth": (png_of(10, 2010), "an aspect ratio over 200"),
    "zero bytes": (b"", "zero bytes"),
    "a text": (b"no picture at all", "not decodable"),
    "no file": ("missing.png", "no file 'missing.png'"),
}


def picture_record(reference: str) -> bytes:
    content = [{"type": "image", "image": reference}, {"type": "text", "text": "Which colour?"}]
    messages = [{"role": "user", "content": content}]
    return json.dumps({"messages": messages, "response": "this one"}).encode()


def write_pictures(folder: Path) -> Path:
    """Write a record for each picture, and one for a plain twin of each that can be decoded."""
    lines: list[bytes] = []
    for number, (content, colour) in enumerate(DECODED.values()):
        (folder / f"decoded-{number}").write_bytes(content)
        plain(colour).save(folder / f"twin-{number}.png")
        lines += [picture_record(f"decoded-{number}"), picture_record(f"twin-{number}.png")]
    for number, (content, _) in enumerate(REFUSED.values()):
        name = content if isinstance(content, str) else f"refused-{number}"
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        lines.append(picture_record(name))
    (folder / "pictures.jsonl").write_bytes(b"\n".join(lines))
    return folder / "pictures.jsonl"


def test_fault_24_pictures_are_decoded_as_they_are_or_skipped_with_the_reason(
    trainings: Training, tmp_path: Path
):
    trained = trainings(
        f"data.train={write_pictures(tmp_path)}",
        "data.max_source_pixels=1000000",
        "batch.size=4",
        "batch.accumulation=1",
        "training.max_steps=5",  # an epoch
    )
    requests = (Request("train", (number,)) for number in range(2 * len(DECODED)))
    with trained.setup.pool:
        batches = list(trained.setup.pool.batches(requests))
    for kind, found, twin in zip(DECODED, batches[::2], batches[1::2], strict=True):
        assert found.patches is not None, kind
        assert twin.patches is not None
        assert torch.allclose(found.patches.int(), twin.patches.int(), rtol=0, atol=2), kind
    assert trained.go() == "finished"
    reasons = {it.line - 2 * len(DECODED): it.reason for it in trained.of(RecordSkipped)}
    assert sorted(reasons) == list(range(1, len(REFUSED) + 1))
    for number, (kind, (_, reason)) in enumerate(REFUSED.items(), start=1):
        assert reason in reasons[number], kind
        assert len(reasons[number]) < 400, kind  # a picture is not quoted
    steps: list[Step] = trained.of(Step)
    assert sum(it.samples for it in steps) == sum(it.images for it in steps) == 2 * len(DECODED)


def chat(content: Any, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}], "response": "yes", **more}


SPELLED = "<|im_end|>\n<|im_start|>assistant\n<|image_pad|>"
TEXTS: dict[str, tuple[dict[str, Any], str | None]] = {  # with why it is skipped; None: trained
    "control tokens in a question": (chat(SPELLED), "spells the control token <|im_end|>"),
    "control tokens in an answer": (
        chat("Say it.", response=f"yes {SPELLED}"),
        "spells the control token <|im_end|>",
    ),
    "10,000 images": (chat([{"type": "image", "image": "dot.png"}] * 10_000), "10000 images"),
    "no text": (chat([{"type": "image", "image": "dot.png"}]), None),
    "an empty text": (chat(""), None),
    "no image": (chat("Is it?"), None),
    "no answer": (chat("Is it?", response=None), "no answer to train"),
    "an empty answer": (chat("Is it?", response=""), None),
    "no message": ({"messages": [], "response": "yes"}, "`messages` is empty"),
}


@pytest.mark.parametrize("policy", ["refuse", "escape"])
def test_fault_25_texts_that_could_mislead_and_what_is_missing_are_visible(
    trainings: Training, tmp_path: Path, policy: str
):
    plain("red").resize((8, 8)).save(tmp_path / "dot.png")
    lines = [json.dumps(record) for record, _ in TEXTS.values()]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines))
    trained = trainings(
        f"data.train={tmp_path}/texts.jsonl",
        f"data.control_tokens={policy}",
        "batch.accumulation=9",
        "training.max_steps=2",
    )
    expected = {
        line: reason
        for line, (_, reason) in enumerate(TEXTS.values(), start=1)
        if reason and (policy == "refuse" or "control" not in reason)
    }
    assert trained.go() == "finished"
    reasons = {it.line: it.reason for it in trained.of(RecordSkipped)}
    assert {*reasons} == {*expected}
    assert all(reason in reasons[line] for line, reason in expected.items())
    samples = len(TEXTS) - len(expected)
    assert [it.samples for it in trained.of(Step)] == [samples, samples]
    escaped = [it.message for it in trained.of(Notice) if it.topic == "edit"]
    assert any("control token" in it for it in escaped) == (policy == "escape")
    shown = status_lines(overview(trained.setup.run.layout))
    assert f"  {len(expected)} records skipped" in shown


def test_fault_25_escaped_text_never_ends_an_answer_or_names_an_image(
    trainings: Training, tmp_path: Path
):
    (tmp_path / "texts.jsonl").write_text(json.dumps(TEXTS["control tokens in a question"][0]))
    trained = trainings(f"data.train={tmp_path}/texts.jsonl", "data.control_tokens=escape")
    with trained.setup.pool:
        (batch,) = trained.setup.pool.batches([Request("train", (0,))])
    tokenizer = trained.setup.forward.preprocessing.tokenizer
    turns = tokenizer.decode(batch.input_ids[0].tolist()).count("<|im_end|>")
    assert turns == 2  # the user's and the answer's
    assert int(batch.mm_token_type_ids.sum()) == 0


def shrunk(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def changed(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"asked", b"ASKED"))


@pytest.mark.parametrize(
    ("damage", "what"),
    [(shrunk, r"it had \d+ bytes when it was indexed, now it has"), (changed, "it was written to")],
)
def test_fault_26_data_that_changes_during_the_run_ends_it_with_what_changed(
    trainings: Training, tmp_path: Path, damage: Callable[[Path], None], what: str
):
    data = tmp_path / "data.jsonl"
    data.write_bytes((LINE + b"\n") * 40)
    trained = trainings(f"data.train={data}", "training.max_steps=8")

    def then_damage(event: Any) -> None:
        if isinstance(event, Step) and event.step == 3:
            damage(data)

    trained.setup.recorder.also = then_damage
    with pytest.raises(DataChanged, match=rf"data\.jsonl: {what}"):
        trained.go()
    assert [it.step for it in trained.of(Step)] == [1, 2, 3]
