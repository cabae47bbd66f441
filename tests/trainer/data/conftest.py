"""Records, pictures and preprocessing for the tests of the data."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from PIL import Image

from trainer.config.model import ModelConfig
from trainer.config.schema import DataConfig
from trainer.data.preprocessing import Preprocessing
from trainer.demo.tiny import build_tiny_checkpoint


@pytest.fixture(scope="session")
def base_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_checkpoint(tmp_path_factory.mktemp("base") / "model", template="base")


@pytest.fixture(scope="session")
def older_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("older") / "model"
    return build_tiny_checkpoint(folder, family="qwen2_vl")


@pytest.fixture(scope="session")
def checkpoints(
    tiny_checkpoint: Path, thinking_checkpoint: Path, base_checkpoint: Path, older_checkpoint: Path
) -> dict[str, Path]:
    return {
        "instruct": tiny_checkpoint,
        "thinking": thinking_checkpoint,
        "base": base_checkpoint,
        "qwen2_vl": older_checkpoint,
    }


Load = Callable[..., Preprocessing]


@pytest.fixture(scope="session")
def load(checkpoints: dict[str, Path]) -> Load:
    """Loads the preprocessing of a tiny checkpoint under given data options."""
    made: dict[str, Preprocessing] = {}

    def preprocessing(name: str = "instruct", **options: Any) -> Preprocessing:
        key = f"{name} {sorted(options.items())}"
        if key not in made:
            data = DataConfig(train=("train.jsonl",), **options)
            made[key] = Preprocessing.load(ModelConfig(path=str(checkpoints[name])), data)
        return made[key]

    return preprocessing


@pytest.fixture(scope="session")
def picture() -> Callable[..., Image.Image]:
    """Makes a picture of noise."""

    def make(width: int = 64, height: int = 64, mode: str = "RGB", seed: int = 0) -> Image.Image:
        noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
        return Image.fromarray(noise).convert(mode)

    return make


@pytest.fixture(scope="session")
def encoded() -> Callable[..., bytes]:
    """Encodes a picture."""

    def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    return encode


@pytest.fixture(scope="session")
def data_uri(encoded: Callable[..., bytes]) -> Callable[..., str]:
    """Encodes a picture as a data URI."""

    def uri(image: Image.Image, kind: str = "PNG") -> str:
        data = base64.b64encode(encoded(image, kind)).decode()
        return f"data:image/{kind.lower()};base64,{data}"

    return uri


@pytest.fixture
def write_jsonl(tmp_path: Path) -> Callable[..., Path]:
    """Writes records as a JSONL file."""

    def write(records: list[Any], name: str = "train.jsonl") -> Path:
        path = tmp_path / name
        path.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
        return path

    return write


@pytest.fixture
def data_file(
    tmp_path: Path, picture: Callable[..., Image.Image], data_uri: Callable[..., str]
) -> Path:
    """Twelve records, of which some have pictures and two are broken."""
    lines = []
    for number in range(12):
        content: list[dict[str, str]] = [{"type": "text", "text": f"Number {number}?"}]
        if number % 3 == 0:
            uri = data_uri(picture(64 + 32 * (number % 2), 64, seed=number))
            content.insert(0, {"type": "image", "image": uri})
        messages = [{"role": "user", "content": content}]
        lines.append(orjson.dumps({"messages": messages, "response": f"\n{number} " * number}))
    lines[4] = b"{broken"
    lines[7] = orjson.dumps({"messages": [{"role": "user", "content": "no answer"}]})
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"\n".join(lines))
    return path
