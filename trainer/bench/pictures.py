"""Write records to measure with: a picture of noise, a question, an answer."""

import base64
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

COARSE_PIXELS = 64  # the noise is drawn this coarse and enlarged, so JPEG has something to save
QUESTION = "What is this?"
ANSWER = "A red circle and a blue square, number {}. "
ANSWER_REPEATS = 3  # about 60 tokens of the benchmark checkpoints


def write_pictures(path: Path, *, records: int, pixels: int) -> Path:
    """Write JSONL records of one square JPEG, `pixels` a side, and return the path.

    The same numbers give the same file.
    """
    random = np.random.default_rng(0)
    with path.open("w", encoding="utf-8") as file:
        for number in range(records):
            file.write(json.dumps(_record(random, number, pixels)) + "\n")
    return path


def _record(random: np.random.Generator, number: int, pixels: int) -> dict[str, object]:
    coarse = random.integers(0, 256, (COARSE_PIXELS, COARSE_PIXELS, 3), dtype=np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(coarse).resize((pixels, pixels)).save(encoded, "JPEG", quality=90)
    image = "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode()
    content = [{"type": "image", "image": image}, {"type": "text", "text": QUESTION}]
    answer = ANSWER.format(number) * ANSWER_REPEATS
    return {"messages": [{"role": "user", "content": content}], "response": answer}
