"""Show how cost grows with the records of a data set and with the size of pictures.

python -m tests.benchmarks.growth [--rounds 10] [--steps 10] [--svg docs/pictures/growth.svg]

The whole loop, workers and all, trains the tiny model on 250, 1,000 and 4,000 records of 256 pixels
a side, and on 250 records whose pictures have once, twice and four times as many pixels. Every case
is a process of its own; they take turns, in every other round from the last to the first. Printed:
samples a second, processor time of a sample with the workers' (which other programs change less),
and the peak memory of all processes; then how the last two differ from the first case of their row.
Times are compared within a round, where the machine is as busy for all, and the median of the
rounds counts. With `--svg` they are drawn.
"""

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from html import escape
from operator import truediv
from pathlib import Path
from statistics import median

from trainer.bench.configure import configure
from trainer.bench.files import BenchFiles
from trainer.bench.pictures import write_pictures
from trainer.bench.side import Side, Turn
from trainer.bench.wanted import Wanted
from trainer.demo.tiny import build_tiny_checkpoint

RECORDS = (250, 1_000, 4_000)
PIXELS = (256, 352, 512)  # a side: 64, 121 and 256 visual tokens
WORKERS = 2
ANSWER_TOKENS = 60
WIDTH, HEIGHT, LEFT, BOTTOM = 380, 240, 60, 40  # of a panel, in pixels


@dataclass(frozen=True)
class Case:
    """A data set."""

    records: int
    pixels: int

    @property
    def visual_tokens(self) -> int:
        """Visual tokens of a picture."""
        return (self.pixels // 32) ** 2


@dataclass(frozen=True)
class Found:
    """What training on a data set took."""

    case: Case
    samples_per_second: float
    by_round: tuple[float, ...]  # seconds of a processor for a sample
    peak_bytes: int

    @property
    def processor_seconds(self) -> float:
        """Seconds of a processor for a sample."""
        return median(self.by_round)

    def times(self, first: "Found") -> float:
        """Return how many times the processor time of another case it takes."""
        return median(map(truediv, self.by_round, first.by_round))


def begin(case: Case, checkpoint: Path, folder: Path, wanted_steps: tuple[int, int]) -> Side:
    """Start training on a data set; it waits for its turn."""
    folder.mkdir()
    data = write_pictures(
        folder / "data.jsonl", records=case.records, pixels=case.pixels, answer_tokens=ANSWER_TOKENS
    )
    options = [
        *(f"model.path={checkpoint}", f"data.train={data}", f"data.workers={WORKERS}"),
        *(f"data.cache_dir={folder / 'cache'}", "model.dtype=fp32", "model.quantization=none"),
        *("model.device=cpu", "optimizer.name=adamw", "batch.size=2", "batch.accumulation=2"),
    ]
    steps, rounds = wanted_steps
    wanted = Wanted(
        source="balanced",
        overrides=options,
        size="138m",
        device="cpu",
        peers=[],
        steps=steps,
        rounds=rounds,
    )
    configure(wanted, BenchFiles(folder))
    side = Side("qvl", folder)
    side.facts()
    return side


def measure(cases: list[Case], steps: int, rounds: int) -> list[Found]:
    """Let all cases train in turns and return what each took."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        checkpoint = build_tiny_checkpoint(folder / "model")
        sides = [
            stack.enter_context(
                closing(begin(case, checkpoint, folder / f"{number}", (steps, rounds)))
            )
            for number, case in enumerate(cases)
        ]
        turns = [_round(sides, steps + 1, number) for number in range(rounds)]
        by_case = zip(cases, zip(*turns, strict=True), strict=True)
        return [found(case, list(of)) for case, of in by_case]


def _round(sides: list[Side], steps: int, number: int) -> list[Turn]:
    """Let each side take a turn and return the turns in the order of sides."""
    places = list(range(len(sides)))[:: 1 if number % 2 == 0 else -1]
    turns = {place: sides[place].turn(steps) for place in places}
    return [turns[place] for place in range(len(sides))]


def found(case: Case, turns: list[Turn]) -> Found:
    """Return the medians over the turns; their first step does not count."""
    sums = [
        {name: sum(step[name] for step in turn.steps[1:]) for name in turn.steps[0]}
        for turn in turns
    ]
    peak = turns[-1].memory["with_children"]
    assert peak is not None
    return Found(
        case,
        median(one["samples"] / one["seconds"] for one in sums),
        tuple(one["processor_seconds"] / one["samples"] for one in sums),
        peak,
    )


def report(row: list[Found]) -> None:
    """Print a row of cases."""
    first = row[0]
    for it in row:
        print(
            f"{it.case.records:,} records of {it.case.visual_tokens} visual tokens: "
            f"{it.samples_per_second:.1f} samples/s, "
            f"{it.processor_seconds * 1e3:.1f} ms of a processor each, "
            f"{it.peak_bytes / 1e6:,.0f} MB; "
            f"{it.times(first):.3f} times the processor time, "
            f"{(it.peak_bytes - first.peak_bytes) / 1e6:+,.0f} MB",
            flush=True,
        )


def panel(title: str, points: Sequence[tuple[float, float]], left: float) -> str:
    """Return bars with their numbers, drawn `left` pixels from the picture's edge."""
    top = max(height for _, height in points)
    width = (WIDTH - LEFT) / len(points)
    parts = [f'<text x="{left + LEFT}" y="20" font-weight="bold">{escape(title)}</text>']
    for number, (name, height) in enumerate(points):
        tall = (HEIGHT - BOTTOM - 50) * height / top
        x, y = left + LEFT + number * width, HEIGHT - BOTTOM - tall
        middle = f'x="{x + width * 0.4:.1f}" text-anchor="middle"'
        parts += [
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width * 0.8:.1f}" height="{tall:.1f}"/>',
            f'<text {middle} y="{y - 6:.1f}">{height:,.0f}</text>',
            f'<text {middle} y="{HEIGHT - BOTTOM + 18}">{name:,g}</text>',
        ]
    return "".join(parts)


def picture(records: list[Found], pixels: list[Found]) -> str:
    """Return both rows as SVG."""
    panels = (
        (
            "processor ms of a sample, by records",
            [(it.case.records, it.processor_seconds * 1e3) for it in records],
        ),
        (
            "peak memory in MB, by records",
            [(it.case.records, it.peak_bytes / 1e6) for it in records],
        ),
        (
            "processor ms of a sample, by visual tokens",
            [(it.case.visual_tokens, it.processor_seconds * 1e3) for it in pixels],
        ),
    )
    drawn = "".join(
        panel(title, points, number * WIDTH) for number, (title, points) in enumerate(panels)
    )
    wide = WIDTH * len(panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{HEIGHT}" '
        f'viewBox="0 0 {wide} {HEIGHT}" font-family="sans-serif" font-size="12" fill="#0072b2">'
        f'<rect width="{wide}" height="{HEIGHT}" fill="#ffffff"/>{drawn}</svg>\n'
    )


def main() -> None:
    """Measure, print, and draw if asked."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--svg", type=Path, default=None)
    arguments = parser.parse_args()
    records = [Case(count, PIXELS[0]) for count in RECORDS]
    pixels = [Case(RECORDS[0], side) for side in PIXELS[1:]]
    measured = measure([*records, *pixels], arguments.steps, arguments.rounds)
    by_records, by_pixels = measured[: len(records)], [measured[0], *measured[len(records) :]]
    report(by_records)
    report(by_pixels)
    if arguments.svg:
        arguments.svg.write_text(picture(by_records, by_pixels))


if __name__ == "__main__":
    main()
