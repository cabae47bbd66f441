"""Draw and write the shapes data set: coloured figures, and questions answered in JSON."""

import base64
import io
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

Color = tuple[int, int, int]

COLORS: dict[str, Color] = {
    "red": (220, 40, 40),
    "green": (40, 170, 60),
    "blue": (50, 80, 220),
    "yellow": (235, 205, 40),
    "black": (25, 25, 25),
    "white": (245, 245, 245),
}
# Corners in units of the figure's size; the circle is drawn as its ellipse.
CORNERS: dict[str, tuple[tuple[float, float], ...]] = {
    "circle": (),
    "square": ((0, 0), (1, 0), (1, 1), (0, 1)),
    "triangle": ((0.5, 0), (1, 1), (0, 1)),
    "cross": (
        *((0.3, 0), (0.7, 0), (0.7, 0.3), (1, 0.3), (1, 0.7), (0.7, 0.7)),
        *((0.7, 1), (0.3, 1), (0.3, 0.7), (0, 0.7), (0, 0.3), (0.3, 0.3)),
    ),
}

GRID_UNITS = 100  # boxes lie on a grid of this step, in thousandths of the side
CELLS = 1000 // GRID_UNITS
FIGURE_CELLS = (6, 7, 8)
SIDE_PIXELS = 96
OVERSAMPLING = 4

TWO_PICTURES_SHARE = 0.08
TEXT_ONLY_SHARE = 0.02
THINKING_SHARE = 0.25

QUESTION = "Describe the figure as JSON."
NEXT_QUESTION = "And this one?"
TEXT_ANSWERS = {
    "Which colors are there?": {"colors": list(COLORS)},
    "Which shapes are there?": {"shapes": list(CORNERS)},
}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One coloured shape on a plain ground; left, top and size count cells of the grid."""

    color: str
    shape: str
    left: int
    top: int
    size: int
    ground: Color

    @property
    def box(self) -> list[int]:
        """Left, top, right and bottom in thousandths of the picture's side."""
        right, bottom = self.left + self.size, self.top + self.size
        return [GRID_UNITS * cell for cell in (self.left, self.top, right, bottom)]

    @property
    def answer(self) -> str:
        """The compact JSON a trained model gives."""
        return compact_json({"color": self.color, "shape": self.shape, "bbox_2d": self.box})

    @property
    def thinking(self) -> str:
        """The reasoning that leads to the answer."""
        corners = len(CORNERS[self.shape])
        return f"The figure is {self.color} and has {corners} corners, so it is a {self.shape}."


def write_shapes(folder: Path, *, train: int, validation: int, seed: int) -> tuple[Path, Path]:
    """The paths of train.jsonl and validation.jsonl, written with that many records each.

    The same seed gives the same records, and no picture occurs twice, in one file or in both.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    figures = _distinct_figures(rng)
    paths = folder / "train.jsonl", folder / "validation.jsonl"
    for path, count in zip(paths, (train, validation), strict=True):
        lines = (compact_json(_record(rng, figures)) for _ in range(count))
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return paths


def draw(figure: Figure) -> Image.Image:
    """The picture of a figure, SIDE_PIXELS square, with smooth edges."""
    side = SIDE_PIXELS * OVERSAMPLING
    image = Image.new("RGB", (side, side), figure.ground)
    pen, fill = ImageDraw.Draw(image), COLORS[figure.color]
    left, top = figure.left * side / CELLS, figure.top * side / CELLS
    size = figure.size * side / CELLS
    if corners := CORNERS[figure.shape]:
        pen.polygon([(left + x * size, top + y * size) for x, y in corners], fill=fill)
    else:
        pen.ellipse((left, top, left + size, top + size), fill=fill)
    return image.resize((SIDE_PIXELS, SIDE_PIXELS), Image.Resampling.BOX)


def compact_json(value: Any) -> str:
    """JSON on one line without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def example_texts() -> Iterator[str]:
    """Every kind of text the data set holds, for training a tokenizer."""
    for color in COLORS:
        for shape in CORNERS:
            figure = Figure(color=color, shape=shape, left=1, top=2, size=4, ground=(128, 128, 128))
            yield from (QUESTION, NEXT_QUESTION, figure.answer, figure.thinking)
    for question, answer in TEXT_ANSWERS.items():
        yield from (question, compact_json(answer))


def _distinct_figures(rng: random.Random) -> Iterator[Figure]:
    seen: set[Figure] = set()
    while True:
        size = rng.choice(FIGURE_CELLS)
        shade = rng.randint(110, 160)
        figure = Figure(
            color=rng.choice(list(COLORS)),
            shape=rng.choice(list(CORNERS)),
            left=rng.randint(0, CELLS - size),
            top=rng.randint(0, CELLS - size),
            size=size,
            ground=(shade, shade + rng.randint(-12, 12), shade + rng.randint(-12, 12)),
        )
        if figure not in seen:
            seen.add(figure)
            yield figure


def _record(rng: random.Random, figures: Iterator[Figure]) -> dict[str, Any]:
    kind = rng.random()
    if kind < TEXT_ONLY_SHARE:
        question, answer = rng.choice(list(TEXT_ANSWERS.items()))
        messages = [{"role": "user", "content": question}]
        return {"messages": messages, "response": compact_json(answer)}
    pictures = 2 if kind < TEXT_ONLY_SHARE + TWO_PICTURES_SHARE else 1
    shown = [next(figures) for _ in range(pictures)]
    record = {"messages": _turns(shown), "response": shown[-1].answer}
    if rng.random() < THINKING_SHARE:
        record["thinking"] = shown[-1].thinking
    return record


def _turns(shown: list[Figure]) -> list[dict[str, Any]]:
    """The conversation up to the last figure's answer: a turn of the user for each picture."""
    turns: list[dict[str, Any]] = []
    for figure in shown:
        image = {"type": "image", "image": _data_uri(draw(figure))}
        question = {"type": "text", "text": NEXT_QUESTION if turns else QUESTION}
        turns.append({"role": "user", "content": [image, question]})
        turns.append({"role": "assistant", "content": figure.answer})
    return turns[:-1]


def _data_uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
