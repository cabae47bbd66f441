"""What is fuzzed: each reader of what comes from outside, with what it may raise."""

import io
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
from hypothesis import strategies as st
from PIL import Image

from tests.faults.fuzz.mutation import broken_bytes, broken_json
from tests.trainer.run.strategies import any_event
from trainer.config.errors import ConfigError, ModelMissing
from trainer.config.load import load_config
from trainer.config.model import ModelConfig
from trainer.config.reading import ColumnsConfig
from trainer.config.schema import DataConfig
from trainer.data.encoded import EncodedBytes, ImageError, ImagePolicy
from trainer.data.errors import DataError, RecordError, Source
from trainer.data.formats.read import parse_record
from trainer.data.formats.recognise import RecordFormat, common_format
from trainer.data.headers import size_by_header
from trainer.data.images import decode_image
from trainer.data.index import Dataset, index_file
from trainer.data.reading import Records
from trainer.data.rows.open import HubSplit, open_rows
from trainer.data.rows.records import parse_rows
from trainer.run.codec import encode
from trainer.run.layout import RunLayout
from trainer.run.reader import RunReader
from trainer.run.summary import summarise

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "tests/trainer/data/samples"
POLICY = ImagePolicy(max_source_pixels=2**21, allow_remote=False)
SOURCE = Source("train.jsonl", 1, 0)
LONG_AGO = (10**9, 10**9)  # an index waits for the clock where a file is new


@dataclass(frozen=True)
class Target:
    """A reader, and broken input for it."""

    inputs: st.SearchStrategy[bytes]
    read: Callable[[bytes, Path], None]  # of some bytes, with a folder for files


@contextmanager
def says_why(*allowed: type[Exception]) -> Generator[None]:
    """Take errors that a reader may raise, and that say something."""
    told = "nothing is wrong"
    try:
        yield
    except allowed as error:
        told = str(error)
    assert told


def read_records(content: bytes, folder: Path) -> None:
    """Index a file of records and read each; DataError alone is allowed."""
    path = folder / "train.jsonl"
    path.write_bytes(content)
    os.utime(path, LONG_AGO)
    options = DataConfig(train=(str(path),))
    shutil.rmtree(folder / "cache", ignore_errors=True)
    try:
        index = index_file(path, cache_dir=folder / "cache", max_array_bytes=2**24)
        records = Records.of(Dataset((index,)), options)
    except DataError:
        return
    for number in range(len(records)):
        with says_why(RecordError):
            records[number]


def encode_record() -> Callable[[bytes, Path], None]:
    """Return what turns a line of data into a sample, as data workers do."""
    # Their torch takes seconds to import, and no other reader needs it.
    from trainer.data.preprocessing import Preprocessing
    from trainer.demo.tiny import build_tiny_checkpoint

    with tempfile.TemporaryDirectory(prefix="qvl-fuzz-model-") as folder:
        model = build_tiny_checkpoint(Path(folder) / "model")
        options = DataConfig(train=("train.jsonl",))
        encoder = Preprocessing.load(ModelConfig(path=str(model)), options).encoder
    os.chdir(SAMPLES)  # for the pictures that are files

    def encode(content: bytes, _folder: Path) -> None:
        written = RecordFormat(common_format([orjson.loads(content)], ColumnsConfig()))
        with says_why(RecordError):
            encoder.encode(parse_record(content, SOURCE, written))

    return encode


def read_rows(suffix: str) -> Callable[[bytes, Path], None]:
    """Return what reads a table of records that is converted."""

    def read(content: bytes, folder: Path) -> None:
        path = folder / f"rows{suffix}"
        path.write_bytes(content)
        try:
            with open_rows(str(path), HubSplit(), 2**24) as rows:
                _written, found = parse_rows(rows.rows, "auto", ColumnsConfig())
                for _ in found:
                    pass
        except DataError:
            return

    return read


def read_image(content: bytes, _folder: Path) -> None:
    """Look at the header of a picture and decode it; ImageError alone is allowed."""
    with says_why(ImageError):
        size_by_header(EncodedBytes(content), POLICY)
    with says_why(ImageError):
        decode_image(content, POLICY)


def read_run(content: bytes, folder: Path) -> None:
    """Read a run whose files hold such lines, all of it and its ends; nothing may be raised."""
    layout = RunLayout(folder)
    for path in (layout.events, layout.monitor, layout.telemetry, layout.monitor_before):
        path.write_bytes(content)
    reader = RunReader(layout, past_samples=3)
    while not reader.caught_up:
        reader.apply(reader.read(max_bytes=700))
    layout.events.write_bytes(content[::-1])
    reader.apply(reader.read(complete=True))
    assert not summarise(layout).problem


def read_config(content: bytes, folder: Path) -> None:
    """Load a configuration; ConfigError and ModelMissing alone are allowed."""
    path = folder / "run.yaml"
    path.write_bytes(content)
    with says_why(ConfigError, ModelMissing):
        load_config(path)


def pictures() -> list[bytes]:
    """Return small valid pictures of every format and mode that is read."""
    whole = Image.effect_noise((40, 30), 60).convert("RGB")
    made: list[bytes] = []
    for kind, mode, options in (
        ("JPEG", "RGB", {"progressive": True}),
        ("JPEG", "CMYK", {}),
        ("JPEG", "L", {"exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"}),
        ("PNG", "RGBA", {}),
        ("PNG", "P", {}),
        ("PNG", "I;16", {}),
        ("WEBP", "RGB", {}),
        ("WEBP", "RGBA", {"lossless": True}),
        ("GIF", "P", {"save_all": True, "append_images": [whole.rotate(90)]}),
        ("BMP", "RGB", {}),
        ("TIFF", "RGB", {}),
        ("TIFF", "RGB", {"compression": "tiff_lzw"}),
        ("TIFF", "L", {"compression": "tiff_deflate"}),
        ("TIFF", "1", {"compression": "group4"}),
    ):
        buffer = io.BytesIO()
        (whole.convert("L").convert(mode) if mode == "I;16" else whole.convert(mode)).save(
            buffer, kind, **options
        )
        made.append(buffer.getvalue())
    return made


def record_lines() -> list[bytes]:
    """Return a valid record of every format that is told by its keys."""
    lines = [line for path in SAMPLES.glob("*.jsonl") for line in path.read_bytes().splitlines()]
    columns = (
        b'{"question": "What is it?", "answer": "Red.", "image": "red.png", "system": "Look."}'
    )
    return [*sorted(filter(None, lines)), columns]


def _files(*names: str) -> list[bytes]:
    return [(SAMPLES / name).read_bytes() for name in names]


def _either(samples: Sequence[bytes], lines: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    some = st.lists(broken_json(lines), min_size=1, max_size=4).map(b"\n".join)
    return broken_bytes(samples) | some


def _run_files() -> st.SearchStrategy[bytes]:
    whole = st.lists(any_event().map(encode), min_size=1, max_size=5)
    broken = whole.flatmap(lambda lines: broken_bytes([b"".join(lines)]))
    return broken | whole.flatmap(lambda lines: broken_json(lines[:1])).map(lambda it: it + b"\n")


def _configurations() -> list[bytes]:
    configs = [path.read_bytes() for path in sorted((ROOT / "configs").glob("*.yaml"))]
    return [*configs, b"extends: balanced\nmodel: {path: a/b}\ndata: {train: run.yaml}\n"]


def _record_files() -> list[bytes]:
    return _files("native.jsonl", "openai.jsonl", "swift.jsonl", "dense.jsonl", "llava.json")


TARGETS: dict[str, Callable[[], Target]] = {
    "records": lambda: Target(_either(_record_files(), record_lines()), read_records),
    "samples": lambda: Target(broken_json(record_lines()), encode_record()),
    "csv": lambda: Target(broken_bytes(_files("instruction.csv")), read_rows(".csv")),
    "parquet": lambda: Target(broken_bytes(_files("instruction.parquet")), read_rows(".parquet")),
    "images": lambda: Target(broken_bytes(pictures()), read_image),
    "events": lambda: Target(_run_files(), read_run),
    "config": lambda: Target(broken_bytes(_configurations()), read_config),
}
