"""Run what lies behind the last layer's attention only where its result is used.

B samples, T tokens, R rows of the B * T that are used, H hidden

The head runs on the rows whose next token has a label. Up to the last layer every row is needed,
because later ones attend to it; behind that attention each row is by itself.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

BEHIND_ATTENTION = ("self_attn.o_proj", "mlp")


class NeededRows:
    """Leaves out, of the products behind a layer's attention, the rows that nobody asks for.

    What is left out counts as zero, so those rows of the layer's result mean nothing. Rows count
    for the forward they are given with, and for what its backward computes again.
    """

    def __init__(self, layer: nn.Module) -> None:
        """Hook into the last layer of a language model."""
        self._coming: Tensor | None = None  # for the next forward
        self._rows: Tensor | None = None  # int64 (R,); None: all
        self._shape: tuple[int, ...] = ()  # (B, T)
        layer.register_forward_pre_hook(self._begin)
        for name in BEHIND_ATTENTION:
            module = layer.get_submodule(name)
            module.register_forward_pre_hook(self._select)
            module.register_forward_hook(self._spread)

    @contextmanager
    def only(self, rows: Tensor) -> Generator[None]:
        """Let the forward inside compute these rows, int64 (R,), of the flattened B * T."""
        self._coming = rows
        try:
            yield
        finally:
            self._coming = None

    def _begin(self, _layer: nn.Module, _inputs: Any) -> None:
        self._rows = self._coming

    def _select(self, _module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor] | None:
        if self._rows is None:
            return None
        (all_rows,) = inputs  # (B, T, width)
        self._shape = all_rows.shape[:2]
        return (all_rows.flatten(0, 1).index_select(0, self._rows)[None],)

    def _spread(self, _module: nn.Module, _inputs: Any, output: Tensor) -> Tensor | None:
        if self._rows is None:
            return None
        nothing = output.new_zeros(self._shape[0] * self._shape[1], output.shape[-1])
        return nothing.index_copy(0, self._rows, output[0]).unflatten(0, self._shape)


def spare_rows(language_model: Any, last_layer: nn.Module) -> None:
    """Let a language model leave out rows of its last layer when it is told which are used."""
    language_model.needed_rows = NeededRows(last_layer)


def needed_rows(language_model: Any) -> NeededRows | None:
    """Return what tells a language model which rows are used; None: it computes them all."""
    return getattr(language_model, "needed_rows", None)
