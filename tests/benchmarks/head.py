"""Compare the chunked head with all logits at once, in time and in memory.

python -m tests.benchmarks.head [--rows 64 512 2048] [--rounds 5] [--dtype fp32]

Both work out loss, accuracy, entropy and gradients of rows of hidden states against the real
vocabulary, at the width of the 138 M model, frozen head and trained head. Clocks alternate within
one process; memory is the rise of the resident peak (Linux) in a process of its own, with the
gradients.
Printed: seconds and MB of each, and the median of the ratios plain / chunked.
"""

import argparse
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor
from torch.nn import functional

from trainer.demo.model_shapes import REAL_VOCABULARY, SHAPES
from trainer.objectives.head import head_sums

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
Case = tuple[int, bool, str]  # rows, whether the head is trained, dtype


def plain(hidden: Tensor, weight: Tensor, wanted: Tensor) -> Tensor:
    """Return the loss of all logits at once, after its metrics."""
    logits = functional.linear(hidden, weight).float()  # (rows, vocabulary)
    loss = functional.cross_entropy(logits, wanted, reduction="sum")
    with torch.no_grad():
        log_probabilities = functional.log_softmax(logits, dim=-1)
        (log_probabilities.exp() * log_probabilities).sum()
        (logits.argmax(dim=-1) == wanted).sum()
    return loss


def chunked(hidden: Tensor, weight: Tensor, wanted: Tensor) -> Tensor:
    """Return the loss as the trainer works it out."""
    return head_sums(hidden, weight, wanted).loss


WAYS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"plain": plain, "chunked": chunked}


def tensors(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    """Return random hidden states, head and wanted tokens."""
    rows, trained, dtype = case
    torch.manual_seed(0)
    width = SHAPES["138m"].hidden
    hidden = torch.randn(rows, width).to(DTYPES[dtype]).requires_grad_()
    weight = (torch.randn(REAL_VOCABULARY, width) * 0.02).to(DTYPES[dtype])
    return hidden, weight.requires_grad_(trained), torch.randint(REAL_VOCABULARY, (rows,))


def run(way: str, hidden: Tensor, weight: Tensor, wanted: Tensor) -> float:
    """Return the seconds of one forward and backward."""
    started = time.perf_counter()
    (WAYS[way](hidden, weight, wanted) / len(wanted)).backward()
    seconds = time.perf_counter() - started
    hidden.grad = weight.grad = None
    return seconds


def held_bytes(what: str) -> int:
    """Return the memory this process holds (VmRSS), or the most it held since a reset (VmHWM)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) * 1024
    raise ValueError(f"/proc/self/status has no {what}")


def memory(way: str, case: Case, answer: "multiprocessing.Queue[int]") -> None:
    """Answer by how much one forward and backward raise what is held."""
    run(way, *tensors((1, *case[1:])))  # what libraries take once
    given = tensors(case)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = held_bytes("VmRSS")
    run(way, *given)
    answer.put(held_bytes("VmHWM") - before)


def measured_memory(way: str, case: Case) -> int:
    """Return the rise of the peak in a fresh process."""
    context = multiprocessing.get_context("spawn")
    answer: multiprocessing.Queue[int] = context.Queue()
    process = context.Process(target=memory, args=(way, case, answer))
    process.start()
    rise = answer.get()
    process.join()
    return rise


def main() -> None:
    """Measure every case and print a line for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="*", default=[64, 512, 2048])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dtype", choices=DTYPES, default="fp32")
    arguments = parser.parse_args()
    for trained in (False, True):
        for rows in arguments.rows:
            report((rows, trained, arguments.dtype), arguments.rounds)


def report(case: Case, rounds: int) -> None:
    """Measure and print one case."""
    given = tensors(case)
    for way in WAYS:
        run(way, *given)
    seconds = [{way: run(way, *given) for way in WAYS} for _ in range(rounds)]
    ratio = median(one["plain"] / one["chunked"] for one in seconds)
    del given
    rise = {way: measured_memory(way, case) / 1e6 for way in WAYS}
    rows, trained, dtype = case
    times = ", ".join(f"{way} {median(one[way] for one in seconds):.3f} s" for way in WAYS)
    held = ", ".join(f"{way} {rise[way]:,.0f} MB" for way in WAYS)
    print(
        f"{rows} rows, head {'trained' if trained else 'frozen'}, {dtype}: {times}, "
        f"ratio {ratio:.2f}; {held}, ratio {rise['plain'] / max(rise['chunked'], 1e-9):.1f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
