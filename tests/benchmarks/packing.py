"""Compare packed rows and grouped batches with padded ones on samples of very different length.

python -m tests.benchmarks.packing [--rounds 6] [--attention]

The same 138 M Qwen3-VL (real vocabulary, LoRA on the language model, fp32, CPU) is trained three
times in one process, step by step in turn, on the same 8 samples a step: texts whose lengths in
tokens spread 1:20, evenly by their logarithm, a fifth of them with a picture. Padded: 4 x 2, as
they are dealt. Packed and grouped: within as many tokens as 4 of the longest have. Printed: the
kind of attention, losses side by side, seconds by the clock and of the processor (where others run
beside, the second tell more), padding, and the ratios padded / other: the medians of the clock's,
and that of all processor time.

--attention compares, on one packed window, a call of sdpa for each sample with one mask of all
pairs: seconds of forward and backward in turn, and by how much either raises the resident peak of a
fresh process (Linux).
"""

import argparse
import json
import multiprocessing
import random
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch
from PIL import Image

from tests.benchmarks.head import held_bytes
from trainer.config.load import dump_config, load_config
from trainer.data.batch import Window
from trainer.demo.sizes import build_benchmark_checkpoint
from trainer.model.body import base_of
from trainer.model.segments import NAME, packed_attention
from trainer.run.append import EventWriter
from trainer.run.layout import RunLayout
from trainer.train.prepare import prepare
from trainer.train.recorder import Recorder
from trainer.train.requests import Requests
from trainer.train.setup import RunPaths, Setup
from trainer.train.window import accumulate_gradients, clip_gradients

SIZE, ACCUMULATION = 4, 2
WAYS = {"padded": "none", "packed": "pack", "grouped": "group"}
ATTENTION = {"a call for each sample": NAME, "a mask of all pairs": "sdpa"}
SHORTEST, LONGEST = 48, 960  # tokens of a sample
FRAME_TOKENS = 19  # of a sample without words
PICTURE_TOKENS = 66  # of 256 x 256 pixels between two marks
PICTURED_FROM = 150  # tokens; shorter samples have no room for a picture
WORDS = ("red", "blue", "circle", "square")  # a token each
ANSWER_WORDS = 10


def write_records(path: Path, count: int) -> None:
    """Write records from SHORTEST to LONGEST tokens, each the same ratio above the one before."""
    draw = random.Random(0)
    growth = LONGEST / SHORTEST
    lengths = [round(SHORTEST * growth ** (it / (count - 1))) for it in range(count)]
    draw.shuffle(lengths)
    roomy = [number for number, tokens in enumerate(lengths) if tokens >= PICTURED_FROM]
    pictured = set(roomy[: count // 5])
    lines: list[str] = []
    for number, tokens in enumerate(lengths):
        words = tokens - FRAME_TOKENS - ANSWER_WORDS
        content: list[dict[str, str]] = []
        if number in pictured:
            words -= PICTURE_TOKENS
            name = f"{number}.png"
            Image.new("RGB", (256, 256), (draw.randrange(256), 90, 90)).save(path.parent / name)
            content.append({"type": "image", "image": name})
        content.append({"type": "text", "text": " ".join(draw.choices(WORDS, k=words))})
        answer = " ".join(draw.choices(WORDS, k=ANSWER_WORDS))
        messages = [{"role": "user", "content": content}]
        lines.append(json.dumps({"messages": messages, "response": answer}))
    path.write_text("\n".join(lines) + "\n")


def setup_of(folder: Path, way: str, tokens: int | None) -> Setup:
    """Return a run over the records in `folder` whose samples are laid out in one way."""
    packing = WAYS[way]
    limits = () if packing == "none" else (f"batch.tokens={tokens}",)
    config = load_config(
        "balanced",
        [
            *(f"model.path={folder / 'model'}", "model.dtype=fp32", "model.quantization=none"),
            *(f"data.train={folder / 'train.jsonl'}", f"data.cache_dir={folder / 'cache'}"),
            *("data.workers=0", "data.max_length=2048", "data.min_pixels=65536"),
            *(f"batch.size={SIZE}", f"batch.accumulation={ACCUMULATION}"),
            *(f"batch.packing={packing}", *limits),
            *("optimizer.name=adamw", "tune.dropout=0", "schedule.warmup_steps=2"),
            *("training.max_steps=1000", "checkpoint.every_steps=100000"),
        ],
    )
    layout = RunLayout(folder / way)
    layout.root.mkdir()
    layout.config.write_text(dump_config(config))
    run = RunPaths(layout, attempt=1, supervisor_pid=0)
    recorder = Recorder(EventWriter(layout.events, 1))
    return prepare(run, config, recorder, Requests(layout, 1, 0))[0]


class Taken(NamedTuple):
    """One optimizer step."""

    seconds: float
    cpu_seconds: float
    loss: float


def step(setup: Setup, window: Window) -> Taken:
    """Return what one optimizer step took."""
    started, cpu = time.perf_counter(), time.process_time()
    gradients = accumulate_gradients(setup.forward, window)
    gradients = clip_gradients(setup.forward, gradients, 1.0)
    loss = gradients.mean("loss")
    setup.optimizer.step()
    setup.optimizer.zero_grad(set_to_none=True)
    assert loss is not None
    return Taken(time.perf_counter() - started, time.process_time() - cpu, loss)


def prepared(folder: Path, records: int) -> int:
    """Write model and records; return the tokens that a micro-batch of the longest has."""
    build_benchmark_checkpoint(folder / "model")
    write_records(folder / "train.jsonl", records)
    setup = setup_of(folder, "padded", None)
    steps = setup.plan.steps_per_epoch
    with setup.pool:
        windows = [window for window, _ in zip(setup.windows(0), range(steps), strict=False)]
    lengths = [length for window in windows for it in window.batches for length in it.lengths]
    spread = max(lengths) / min(lengths)
    print(f"{len(lengths)} samples of {min(lengths)} to {max(lengths)} tokens, 1:{spread:.1f}")
    assert spread >= LONGEST / SHORTEST, "the records do not spread as far as they should"
    (folder / "padded").rename(folder / "looked-at")
    return SIZE * max(lengths)


def compare(folder: Path, rounds: int) -> None:
    """Train in turn and print every step and the ratios."""
    tokens = prepared(folder, (rounds + 1) * SIZE * ACCUMULATION)
    setups = {way: setup_of(folder, way, tokens) for way in WAYS}
    coming = {way: setup.windows(0) for way, setup in setups.items()}
    for way, setup in setups.items():
        print(f"{way}: attention {attention_of(setup)}")
    rows: list[dict[str, Taken]] = []
    held = {way: [0, 0] for way in WAYS}
    for number in range(rounds + 1):
        windows = {way: next(coming[way]) for way in WAYS}
        turns = list(WAYS) if number % 2 else list(reversed(WAYS))
        taken = {way: step(setups[way], windows[way]) for way in turns}
        forwards = {way: len(windows[way].batches) for way in WAYS}
        print(json.dumps({"forwards": forwards, **{way: taken[way] for way in WAYS}}), flush=True)
        for way in WAYS:
            assert abs(taken[way].loss / taken["padded"].loss - 1) < 1e-5, way
            held[way][0] += windows[way].totals.tokens
            held[way][1] += windows[way].totals.positions
        rows += [taken] if number else []  # the first one warms up
    for way in WAYS:
        padding = 1 - held[way][0] / held[way][1]
        clock = median(row["padded"].seconds / row[way].seconds for row in rows)
        sums = {it: sum(row[it].cpu_seconds for row in rows) for it in WAYS}
        cpu = sums["padded"] / sums[way]
        print(
            f"{way}: padding {padding:.1%}, padded / {way} {clock:.2f} by the clock, {cpu:.2f} cpu"
        )


def attention_of(setup: Setup) -> str:
    """Return how the model attends."""
    if setup.layout is None or not setup.layout.packed:
        return "sdpa, padding behind each sample"
    return packed_attention(setup.model, torch.float32, setup.accelerator.device)


def one_window(folder: Path) -> tuple[Setup, Window]:
    """Return a packed window in one row."""
    setup = setup_of(folder, "packed", 10**6)
    window = next(setup.windows(0))
    assert len(window.batches) == 1
    return setup, window


def attend(setup: Setup, window: Window, attention: str) -> float:
    """Return the seconds of forward and backward with one kind of attention."""
    base_of(setup.model).config.text_config._attn_implementation = attention
    started = time.perf_counter()
    accumulate_gradients(setup.forward, window)
    seconds = time.perf_counter() - started
    setup.optimizer.zero_grad(set_to_none=True)
    return seconds


def memory(folder: Path, attention: str, answer: "multiprocessing.Queue[int]") -> None:
    """Answer by how much forward and backward raise what is held."""
    setup, window = one_window(folder)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = held_bytes("VmRSS")
    attend(setup, window, attention)
    answer.put(held_bytes("VmHWM") - before)


def compare_attention(folder: Path, rounds: int) -> None:
    """Time both kinds of attention in turn and measure their memory."""
    prepared(folder, 2 * SIZE * ACCUMULATION)
    setup, window = one_window(folder)
    for attention in ATTENTION.values():
        attend(setup, window, attention)
    rows = [
        {way: attend(setup, window, it) for way, it in ATTENTION.items()} for _ in range(rounds)
    ]
    (folder / "packed").rename(folder / "timed")
    del setup
    context = multiprocessing.get_context("spawn")
    for way, attention in ATTENTION.items():
        answer: multiprocessing.Queue[int] = context.Queue()
        process = context.Process(target=memory, args=(folder, attention, answer))
        process.start()
        rise = answer.get()
        process.join()
        (folder / "packed").rename(folder / attention)
        seconds = median(row[way] for row in rows)
        print(f"{way}: {seconds:.3f} s, {rise / 1e6:,.0f} MB, {window.totals.tokens} tokens")
    one, other = ATTENTION
    print(f"ratio {median(row[other] / row[one] for row in rows):.2f}")


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--attention", action="store_true")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        chosen = compare_attention if arguments.attention else compare
        chosen(Path(folder), arguments.rounds)


if __name__ == "__main__":
    main()
