"""Compile the layers of the language model with torch.compile."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch

from trainer.run.events import AnyEvent, Notice


def compile_layers(language_model: Any, notify: Callable[[AnyEvent], None]) -> None:
    """Let the layers run as compiled code, from their first call on.

    All layers share one graph for each of training, validation, and rows with and without a mask;
    lengths and numbers of samples are symbols in it, so that no batch is compiled for itself. The
    last layer stays as it is written: it computes only some rows, so it would need its own.
    """
    for layer in language_model.layers[:-1]:
        layer.compile(dynamic=True)
    message = "the language model's layers are compiled: the first step takes a minute or two more"
    notify(Notice(topic="compile", message=message))


def uncompiled() -> AbstractContextManager[Any]:
    """Run everything as it is written, as is wanted where shapes change with every call."""
    return torch.compiler.set_stance("force_eager")
