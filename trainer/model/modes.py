"""Put a model into evaluation and back, exactly as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

from bitsandbytes.nn.modules import Linear4bit
from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Switch dropout and activation checkpointing off inside the block.

    Generation with activation checkpointing loses its cache and gives other tokens. 4-bit
    layers keep their flag: they have no dropout, and in eval mode bitsandbytes repacks their
    weights in place on CPUs with AVX512-BF16.
    """
    modules = [
        (module, module.training, vars(module).get("gradient_checkpointing"))
        for module in model.modules()
    ]
    try:
        for module, _, checkpointing in modules:
            if not isinstance(module, Linear4bit):
                module.training = False
            if checkpointing:
                vars(module)["gradient_checkpointing"] = False
        yield
    finally:
        for module, training, checkpointing in modules:
            module.training = training
            if checkpointing:
                vars(module)["gradient_checkpointing"] = True
