"""Write records to measure with: a picture of noise, a question, an answer."""

import base64
import io
import json
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image

COARSE_PIXELS = 64  # the noise is drawn this coarse and enlarged, so JPEG has something to save
QUESTION = "What is this?"
WORDS = ("red", "circle", "blue", "square", "green", "triangle", "yellow")  # each is one token


def write_pictures(path: Path, *, records: int, pixels: int, answer_tokens: int) -> Path:
    """Write JSONL records of one square JPEG and an answer, and return the path.

    The same numbers give the same file.

    Args:
        path: The file.
        records: How many.
        pixels: A side of each picture.
        answer_tokens: Of the benchmark checkpoints, besides the one that ends a turn.

    """
    random = np.random.default_rng(0)
    with path.open("w", encoding="utf-8") as file:
        for number in range(records):
            file.write(json.dumps(_record(random, number, pixels, answer_tokens)) + "\n")
    return path


def _record(
    random: np.random.Generator, number: int, pixels: int, answer_tokens: int
) -> dict[str, object]:
    coarse = random.integers(0, 256, (COARSE_PIXELS, COARSE_PIXELS, 3), dtype=np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(coarse).resize((pixels, pixels)).save(encoded, "JPEG", quality=90)
    image = "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode()
    content = [{"type": "image", "image": image}, {"type": "text", "text": QUESTION}]
    words = islice(cycle(WORDS), number, number + answer_tokens - 1)
    answer = " ".join(("A", *words))
    return {"messages": [{"role": "user", "content": content}], "response": answer}
