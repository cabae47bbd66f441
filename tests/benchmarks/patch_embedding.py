"""Compare patches embedded by a product of matrices with the convolution they come as.

python -m tests.benchmarks.patch_embedding [--patches 4096] [--rounds 5] [--device cpu]

Widths are those of the 138 M model and of 2B; forward alone, and forward with both gradients,
alternating within one process. Printed: seconds of each and the median of convolution / product.
"""

import argparse
import time
from statistics import median

import torch
from torch import Tensor, nn

from trainer.demo.model_shapes import SHAPES, Size
from trainer.model.patches import PatchProjection

SIZES: tuple[Size, ...] = ("138m", "2b")
PATCH = (2, 16, 16)  # frames and pixels


def seconds_of(layer: nn.Module, patches: Tensor, *, backward: bool) -> float:
    """Return what one pass takes, the device's work included."""
    started = time.perf_counter()
    with torch.set_grad_enabled(backward):
        embedded = layer(patches)
    if backward:
        embedded.float().sum().backward()
    if patches.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def main() -> None:
    """Measure both widths in both precisions."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--patches", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    for size in SIZES:
        for dtype in (torch.float32, torch.bfloat16):
            convolution = nn.Conv3d(3, SHAPES[size].vision_hidden, PATCH, stride=PATCH)
            convolution = convolution.to(arguments.device, dtype)
            layers = (convolution, PatchProjection.of(convolution))
            patches = torch.randn(arguments.patches, 3, *PATCH).to(arguments.device, dtype)
            for backward in (False, True):
                for layer in layers:
                    seconds_of(layer, patches, backward=backward)
                pairs = [
                    [seconds_of(layer, patches, backward=backward) for layer in layers]
                    for _ in range(arguments.rounds)
                ]
                slow, fast = (median(column) for column in zip(*pairs, strict=True))
                what = "forward and backward" if backward else "forward"
                print(
                    f"{size} {str(dtype).removeprefix('torch.')} {what}: convolution {slow:.4f} s, "
                    f"product {fast:.4f} s, ratio {median(a / b for a, b in pairs):.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
