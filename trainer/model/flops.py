"""Count the floating-point operations of a training step from the layers of a loaded model.

What is counted is said in `trainer.model.cost`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from peft.tuners.lora import LoraLayer
from torch import nn

from trainer.model.body import base_of
from trainer.model.cost import Extent, TrainingCost
from trainer.model.needed_rows import needed_rows
from trainer.model.parts import in_use

# What is computed one after the other in a layer; modules of one stage share their input. The
# families name the same things differently, so a stage lists every name it may have.
Stages = tuple[tuple[str, ...], ...]
ATTENTION = ("attention",)
TEXT_LAYER: Stages = (
    ("input_layernorm",),
    ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    ("self_attn.q_norm", "self_attn.k_norm"),
    ATTENTION,
    ("self_attn.o_proj",),
    ("post_attention_layernorm",),
    ("mlp.gate_proj", "mlp.up_proj"),
    ("mlp.down_proj",),
)
VISION_BLOCK: Stages = (
    ("norm1",),
    ("attn.qkv",),
    ATTENTION,
    ("attn.proj",),
    ("norm2",),
    ("mlp.gate_proj", "mlp.up_proj", "mlp.linear_fc1", "mlp.fc1"),
    ("mlp.down_proj", "mlp.linear_fc2", "mlp.fc2"),
)
MERGER: Stages = (("norm", "ln_q"), ("linear_fc1", "mlp.0"), ("linear_fc2", "mlp.2"))


def training_cost(model: nn.Module) -> TrainingCost | None:
    """Return what training the model as it is set up costs; None: a layer is of no known kind."""
    base = base_of(model)
    try:
        return _training_cost(base.model, base.lm_head)
    except _Unknown:
        return None


class _Unknown(ValueError):
    """A layer has weights whose use is not known, such as experts."""


def _training_cost(body: Any, head: nn.Module) -> TrainingCost:
    tower = _Walk()
    _walk_vision(tower, body.visual)
    text, after_vision = _Walk(), _Walk(live=tower.live)
    for walk in (text, after_vision):
        _walk_text(walk, body.language_model, head)
    return TrainingCost(
        vision=tower.cost,
        text=text.cost,
        text_after_vision=after_vision.cost,
        vision_recomputed=tower.recomputed,
        text_recomputed=text.recomputed,
        text_after_vision_recomputed=after_vision.recomputed,
        merge=body.visual.spatial_merge_size,
        trains_mergers=any(_is_trained(it) for it in _mergers(body.visual)),
        window=_window(body.visual),
    )


def _mergers(tower: Any) -> list[nn.Module]:
    return [tower.merger, *getattr(tower, "deepstack_merger_list", ())]


def _window(tower: Any) -> int | None:
    """Patches to a side of a window, as `get_window_index` of Qwen2.5-VL cuts them."""
    if not hasattr(tower, "window_size"):
        return None
    merged = tower.window_size // tower.spatial_merge_size // tower.patch_size
    return merged * tower.spatial_merge_size


def _walk_vision(walk: "_Walk", tower: Any) -> None:
    walk.stage([tower.patch_embed.proj], "patches")
    if hasattr(tower, "pos_embed"):
        walk.live |= _is_trained(in_use(tower.pos_embed))
    full = getattr(tower, "fullatt_block_indexes", range(len(tower.blocks)))
    reached = walk.live  # by gradients, behind the last block
    merged = _Walk()
    taps = list(getattr(tower, "deepstack_visual_indexes", ()))
    for index, block in enumerate(tower.blocks):
        pairs = "patch_pairs" if index in full else "window_pairs"
        walk.layer(in_use(block), VISION_BLOCK, "patches", pairs)
        reached = walk.live
        if index in taps:
            merger = in_use(tower.deepstack_merger_list[taps.index(index)])
            merged.branch(merger, live=reached)
    merged.branch(in_use(tower.merger), live=reached)
    walk.cost += merged.cost
    walk.live |= merged.live


def _walk_text(walk: "_Walk", text: Any, head: nn.Module) -> None:
    walk.live |= _is_trained(in_use(text.embed_tokens))
    *layers, last = (in_use(layer) for layer in text.layers)
    for layer in layers:
        walk.layer(layer, TEXT_LAYER, "tokens", "token_pairs")
    behind = "target_tokens" if needed_rows(text) else None
    walk.layer(last, TEXT_LAYER, "tokens", "token_pairs", behind)
    walk.live |= _is_trained(in_use(text.norm))
    walk.stage([in_use(head)], "target_tokens")


class _Walk:
    """Adds up costs in the order of the forward; `live`: gradients have to come back to here."""

    def __init__(self, *, live: bool = False) -> None:
        self.live = live
        self.cost = Extent()
        self.recomputed = Extent()

    def layer(
        self, layer: Any, stages: Stages, rows: str, pairs: str, behind: str | None = None
    ) -> None:
        """Add a layer with attention; a checkpointed one is run again up to its last product.

        `behind` counts what products behind attention see one of, where that is not `rows`; their
        rows are spread behind the last one, which is therefore run again too.
        """
        _check_known(layer, stages)
        forward, last = Extent(), 0
        for names in stages:
            if names is ATTENTION:
                forward += self._attention(layer, pairs)
                rows = behind or rows
            elif modules := _present(layer, names):
                products = list(self.stage(modules, rows))
                forward += Extent(**{rows: sum(products)})
                if products:
                    last = 0 if behind else products[-1]
        if layer.gradient_checkpointing and self.live:
            self.recomputed += forward + Extent(**{rows: -last})

    def _attention(self, layer: nn.Module, pairs: str) -> Extent:
        width = _attention_width(layer)
        self.cost += Extent(**{pairs: 4 * width * (3 if self.live else 1)})
        return Extent(**{pairs: 4 * width})

    def branch(self, merger: nn.Module, *, live: bool) -> None:
        """Add a merger that hangs on a tower which gradients reach or not."""
        _check_known(merger, MERGER)
        before, self.live = self.live, live
        for names in MERGER:
            self.stage(_present(merger, names), "visual_tokens")
        self.live |= before

    def stage(self, modules: Sequence[nn.Module], rows: str) -> list[int]:
        """Add modules that share their input; return what their products cost in the forward."""
        forward: list[int] = []
        for module in modules:
            for product in _products(module, live=self.live):
                self.cost += Extent(**{rows: product.forward * product.passes})
                forward.append(product.forward)
        self.live |= any(map(_is_trained, modules))
        return forward


@dataclass(frozen=True)
class _Product:
    forward: int  # a row
    passes: int


def _products(module: nn.Module, *, live: bool) -> Iterator[_Product]:
    """Yield the products of a layer in their order; norms have none."""
    if isinstance(module, LoraLayer):
        yield from _products(module.get_base_layer(), live=live)
        for name in module.active_adapters:
            if name in module.lora_A:
                yield from _products(module.lora_A[name], live=live)
                yield from _products(module.lora_B[name], live=True)
    elif isinstance(module, nn.Linear):
        elements = module.in_features * module.out_features
        yield _Product(2 * elements, 1 + live + module.weight.requires_grad)
    elif isinstance(module, nn.Conv3d):  # its stride is its kernel: a product
        yield _Product(2 * module.weight.numel(), 1 + live + module.weight.requires_grad)


def _attention_width(layer: Any) -> int:
    """Heads times their width, as queries have it."""
    if hasattr(layer, "self_attn"):
        return in_use(layer.self_attn.q_proj).out_features
    return in_use(layer.attn.qkv).out_features // 3


def _present(layer: nn.Module, names: tuple[str, ...]) -> list[nn.Module]:
    found = dict(layer.named_modules())
    return [found[name] for name in names if name in found]


def _check_known(layer: nn.Module, stages: Stages) -> None:
    known = tuple(f"{name}." for names in stages for name in names)
    for name, _ in layer.named_parameters():
        if not name.startswith(known):
            raise _Unknown(name)


def _is_trained(module: nn.Module) -> bool:
    return any(weight.requires_grad for weight in module.parameters())
