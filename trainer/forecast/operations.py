"""Count the operations of a training step from a checkpoint's headers, before anything is loaded.

The same counting as `trainer.model.flops`, which has the loaded model to look at; a test holds
both equal.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from trainer.config.schema import RunConfig
from trainer.forecast.checkpoint import Checkpoint, Tensor
from trainer.forecast.memory import lora_tensors
from trainer.model.cost import Extent, TrainingCost

Place = tuple[int, int]  # layer, and stage in it: what is worked out one after the other

ATTENTION = 1
LAST = 4
STAGES = {
    **dict.fromkeys(("q_proj", "k_proj", "v_proj", "qkv"), 0),
    **dict.fromkeys(("o_proj", "proj"), 2),
    **dict.fromkeys(("gate_proj", "up_proj", "linear_fc1", "fc1"), 3),
    **dict.fromkeys(("down_proj", "linear_fc2", "fc2"), LAST),
}
BEFORE_ALL: Place = (-1, 0)
BEHIND_ALL: Place = (10**9, 0)
_LAYER = re.compile(r"\.(?:layers|blocks)\.(\d+)\.(?:\w+\.)*(\w+)")
_LAST_OF_MERGER = ("linear_fc2", "mlp.2")


@dataclass(frozen=True)
class Linear:
    """A linear layer."""

    place: Place
    elements: int
    widths: int  # input and output together
    outputs: int
    rank: int  # of its LoRA, 0: none
    full: bool

    def cost(self, *, live: bool) -> int:
        """Return what forward and backward of a row cost; `live`: gradients go on before it."""
        base = 2 * self.elements * (1 + live + self.full)
        inputs = self.widths - self.outputs
        return base + 2 * self.rank * (inputs * (2 + live) + self.outputs * 3)

    @property
    def forward(self) -> int:
        """What the forward of a row costs."""
        return 2 * self.elements + 2 * self.rank * self.widths

    @property
    def last_product(self) -> int:
        """What its last product costs, which checkpointing need not compute again."""
        return 2 * (self.rank * self.outputs if self.rank else self.elements)


@dataclass(frozen=True)
class Stack:
    """The layers of the tower or of the language model."""

    linears: tuple[Linear, ...]
    width: int  # of the queries
    rows: str  # what its linear layers see one of
    pairs: tuple[str, ...]  # what its attention sees, layer by layer
    live_before: bool  # gradients go on before it
    full: bool
    spares_rows: bool = False  # behind its last attention, where the head does not run

    @property
    def first_trained(self) -> Place:
        """From where on gradients have to come back."""
        if self.live_before or self.full:
            return BEFORE_ALL
        return min((it.place for it in self.linears if it.rank), default=BEHIND_ALL)

    def cost(self) -> Extent:
        """Return what one of each costs."""
        first, total = self.first_trained, Extent()
        for it in self.linears:
            total += Extent(**{self._rows_of(it): it.cost(live=first < it.place)})
        for layer, pairs in enumerate(self.pairs):
            passes = 3 if first < (layer, ATTENTION) else 1
            total += Extent(**{pairs: 4 * self.width * passes})
        return total

    def recomputed(self, again: range) -> Extent:
        """Return what activation checkpointing of these layers works out again."""
        first, total = self.first_trained, Extent()
        for layer, pairs in enumerate(self.pairs):
            if (layer, LAST) < first or layer not in again:
                continue
            linears = [it for it in self.linears if it.place[0] == layer]
            total += Extent(**{pairs: 4 * self.width})
            for it in linears:
                total += Extent(**{self._rows_of(it): it.forward})
            last = max(linears, key=lambda it: it.place)
            if self._rows_of(last) == self.rows:  # else it is run again for the sake of its rows
                total += Extent(**{self.rows: -last.last_product})
        return total

    def _rows_of(self, linear: Linear) -> str:
        spared = self.spares_rows and linear.place > (len(self.pairs) - 1, ATTENTION)
        return "target_tokens" if spared else self.rows


def cost_by_headers(config: RunConfig, checkpoint: Checkpoint) -> TrainingCost | None:
    """Return what training would cost; None: the layers' shapes are not in the checkpoint's files.

    The experts of a mixture count as the feed-forward layer that one token sees.
    """
    if checkpoint.stored_quantized:
        return None
    lora = {tensor.name for tensor in lora_tensors(config, checkpoint)}
    tune = config.tune
    again = config.model.recomputed_layers("language", checkpoint.layers)
    tower_again = config.model.recomputed_layers("vision", checkpoint.vision_layers)
    tower = _tower(config, checkpoint, lora)
    vision_live = tune.vision != "frozen" and tower.first_trained != BEHIND_ALL
    merged = _merged(config, checkpoint, lora, live=vision_live)
    before = vision_live or tune.aligner != "frozen"
    text, after = (_text(config, checkpoint, lora, live=it) for it in (False, before))
    return TrainingCost(
        vision=tower.cost() + merged + _patch_embedding(config, checkpoint),
        text=text.cost() + _head(config, checkpoint, text),
        text_after_vision=after.cost() + _head(config, checkpoint, after),
        vision_recomputed=tower.recomputed(tower_again),
        text_recomputed=text.recomputed(again),
        text_after_vision_recomputed=after.recomputed(again),
        merge=checkpoint.merge,
        window=checkpoint.window,
        trains_mergers=tune.aligner == "full"
        or any(it.part == "aligner" and it.name in lora for it in checkpoint.tensors),
    )


def _tower(config: RunConfig, checkpoint: Checkpoint, lora: set[str]) -> Stack:
    full = config.tune.vision == "full"
    tensors = [it for it in checkpoint.tensors if it.part == "vision" and it.layer]
    linears = tuple(_linears(tensors, lora, config.tune.rank, full=full))
    linears = linears or tuple(_usual_tower(checkpoint, full=full))
    whole = checkpoint.full_attention
    pairs = tuple(
        "patch_pairs" if whole is None or layer in whole else "window_pairs"
        for layer in range(checkpoint.vision_layers)
    )
    return Stack(linears, checkpoint.vision_hidden, "patches", pairs, live_before=False, full=full)


def _usual_tower(checkpoint: Checkpoint, *, full: bool) -> Iterator[Linear]:
    """The tower of a checkpoint that is not on this machine, by its widths."""
    hidden, mlp = checkpoint.vision_hidden, checkpoint.vision_mlp
    for layer in range(checkpoint.vision_layers):
        for stage, outputs, inputs in (
            (0, 3 * hidden, hidden),
            (2, hidden, hidden),
            (3, mlp, hidden),
            (LAST, hidden, mlp),
        ):
            yield _plain((layer, stage), outputs, inputs, full=full)


def _text(config: RunConfig, checkpoint: Checkpoint, lora: set[str], *, live: bool) -> Stack:
    full = config.tune.language == "full"
    tensors = [it for it in checkpoint.tensors if it.part == "language" and it.layer]
    linears = list(_linears(tensors, lora, config.tune.rank, full=full))
    dense = {it.place[0] for it in linears if it.place[1] == LAST}
    for layer in set(range(checkpoint.layers)) - dense:
        for stage, factor in ((3, 2), (LAST, 1)):
            yielded = _plain((layer, stage), factor * checkpoint.mlp, checkpoint.hidden, full=full)
            linears.append(yielded)
    return Stack(
        tuple(linears),
        checkpoint.attention,
        "tokens",
        ("token_pairs",) * checkpoint.layers,
        live_before=live,
        full=full,
        spares_rows=True,
    )


def _linears(
    tensors: Iterable[Tensor], lora: set[str], rank: int, *, full: bool
) -> Iterator[Linear]:
    for tensor in tensors:
        named = _LAYER.search(tensor.layer or "")
        if named and named[2] in STAGES:
            place = (int(named[1]), STAGES[named[2]])
            yield _linear(tensor, place, rank if tensor.name in lora else 0, full=full)


def _linear(tensor: Tensor, place: Place, rank: int, *, full: bool) -> Linear:
    return Linear(place, tensor.elements, sum(tensor.shape), tensor.shape[0], rank, full)


def _plain(place: Place, outputs: int, inputs: int, *, full: bool) -> Linear:
    return Linear(place, outputs * inputs, outputs + inputs, outputs, 0, full)


def _merged(config: RunConfig, checkpoint: Checkpoint, lora: set[str], *, live: bool) -> Extent:
    """What the mergers cost: their first layers, and their last, behind what they train."""
    full = config.tune.aligner == "full"
    total = 0
    for tensor in checkpoint.tensors:
        if tensor.part == "aligner" and tensor.layer:
            rank = config.tune.rank if tensor.name in lora else 0
            behind = tensor.layer.endswith(_LAST_OF_MERGER) and config.tune.aligner != "frozen"
            linear = _linear(tensor, BEFORE_ALL, rank, full=full)
            total += linear.cost(live=live or full or behind)
    return Extent(visual_tokens=total)


def _patch_embedding(config: RunConfig, checkpoint: Checkpoint) -> Extent:
    elements = sum(it.elements for it in _named(checkpoint, "patch_embed.proj.weight"))
    return Extent(patches=2 * elements * (1 + (config.tune.vision == "full")))


def _head(config: RunConfig, checkpoint: Checkpoint, text: Stack) -> Extent:
    elements = checkpoint.vocabulary * checkpoint.hidden
    passes = 1 + (text.first_trained != BEHIND_ALL) + (config.tune.language == "full")
    return Extent(target_tokens=2 * elements * passes)


def _named(checkpoint: Checkpoint, ending: str) -> Sequence[Tensor]:
    return [it for it in checkpoint.tensors if it.name.endswith(ending)]
