"""Compare the forecast of memory with what a micro-batch really takes on the CPU.

`python -m tests.benchmarks.memory_forecast`: a 138 M Qwen3-VL with the real vocabulary; forward and
backward of its largest micro-batch, every allocation of torch counted. Compared are activations and
head: weights are held to the byte by a test, and the overhead is that of CUDA.
"""

import json
import tempfile
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch
from PIL import Image
from torch.profiler import ProfilerActivity, profile

from trainer.config.load import dump_config, load_config
from trainer.data.batch import Window
from trainer.data.worker import Request
from trainer.demo.sizes import build_benchmark_checkpoint
from trainer.forecast.checkpoint import find_checkpoint
from trainer.forecast.memory import Load, estimate_memory
from trainer.run.append import EventWriter
from trainer.run.layout import RunLayout
from trainer.train.prepare import prepare
from trainer.train.recorder import Recorder
from trainer.train.requests import Requests
from trainer.train.setup import RunPaths
from trainer.train.window import accumulate_gradients

MEGABYTE = 10**6


@dataclass(frozen=True)
class Case:
    """One way to train one record."""

    name: str
    question_words: int
    answer_words: int
    pixels: int  # along the edge of the picture
    options: tuple[str, ...] = ()


FULL = ("model.dtype=bf16", "tune.vision=full", "tune.aligner=full", "tune.language=full")
EVERY_OTHER = ("model.activation_checkpointing=true", "model.recompute_every=2")
CASES = (
    Case("long text, short answer", 400, 20, 64),
    Case("long text, long answer", 60, 300, 64),
    Case("large picture", 20, 20, 768),
    Case("large picture, vision too", 20, 20, 512, ("tune.vision=lora",)),
    Case("checkpointing", 400, 20, 64, ("model.activation_checkpointing=true",)),
    Case("checkpointing of every other layer", 400, 20, 64, EVERY_OTHER),
    Case("no dropout", 400, 20, 64, ("tune.dropout=0",)),
    Case("bf16", 400, 20, 64, ("model.dtype=bf16",)),
    Case("bf16, long answer", 60, 300, 64, ("model.dtype=bf16",)),
    Case("nf4", 400, 20, 64, ("model.dtype=bf16", "model.quantization=nf4")),
    Case("everything in full, bf16", 400, 20, 256, FULL),
)


def peak_bytes(work: profile) -> int:
    """The most that was allocated at once beyond what there was before."""
    events = work.profiler.kineto_results.events()  # pyright: ignore
    taken = (it for it in events if it.name() == "[memory]")
    sizes = [(it.start_ns(), it.nbytes()) for it in taken]  # pyright: ignore
    held = peak = 0
    for _, size in sorted(sizes, key=lambda it: it[0]):
        held += size
        peak = max(peak, held)
    return peak


def compare(case: Case, checkpoint: Path, folder: Path) -> None:
    """Train one record for half a step and print both numbers."""
    torch.set_num_threads(1)
    Image.effect_noise((case.pixels, case.pixels), 50).convert("RGB").save(folder / "a.png")
    content = [
        {"type": "image", "image": "a.png"},
        {"type": "text", "text": "circle " * case.question_words},
    ]
    record = {
        "messages": [{"role": "user", "content": content}],
        "response": "square " * case.answer_words,
    }
    (folder / "train.jsonl").write_text(json.dumps(record) + "\n")
    fixed = (
        *(f"model.path={checkpoint}", f"data.train={folder / 'train.jsonl'}", "data.workers=0"),
        *("model.dtype=fp32", "model.quantization=none", "model.device=cpu"),
        *(f"data.cache_dir={folder / 'cache'}", "optimizer.name=adamw", "batch.accumulation=1"),
    )
    config = load_config("balanced", [*fixed, *case.options])
    layout = RunLayout(folder / "run")
    layout.root.mkdir()
    layout.config.write_text(dump_config(config))
    recorder = Recorder(EventWriter(layout.events, 1))
    setup, _ = prepare(RunPaths(layout, 1, 0), config, recorder, Requests(layout, 1, 0))
    with setup.pool:
        (batch,) = setup.pool.batches([Request("train", (0,), 0)])
    window = Window.of(0, 0, [batch])
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as work:
        accumulate_gradients(setup.forward, window)
    grads = [it.grad for it in setup.model.parameters() if it.grad is not None]
    gradients = sum(it.numel() * it.element_size() for it in grads)
    measured = peak_bytes(work) - gradients
    shapes = find_checkpoint(config.model)
    assert shapes is not None
    patches = 0 if batch.patches is None else len(batch.patches)
    load = Load(tokens=batch.tokens, target_tokens=batch.target_tokens, patches=patches)
    memory = estimate_memory(config, shapes, load, gpu=False)
    told = memory.activations + memory.head
    print(
        f"{case.name}: {load.tokens} tokens, {load.target_tokens} trained, {patches} patches: "
        f"measured {measured / MEGABYTE:.0f} MB, forecast {told / MEGABYTE:.0f} MB "
        f"(activations {memory.activations / MEGABYTE:.0f}, head {memory.head / MEGABYTE:.0f}), "
        f"ratio {told / measured:.2f}",
        flush=True,
    )


def main() -> None:
    """Compare all cases."""
    with tempfile.TemporaryDirectory() as name:
        checkpoint = build_benchmark_checkpoint(Path(name) / "model")
        for number, case in enumerate(CASES):
            folder = Path(name) / str(number)
            folder.mkdir()
            # A process each: accelerate keeps the precision of the first run it sees.
            work = get_context("spawn").Process(target=compare, args=(case, checkpoint, folder))
            work.start()
            work.join()


if __name__ == "__main__":
    main()
