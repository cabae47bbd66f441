"""Run a model up to its head, so that the head can run where it is needed only."""

# B samples, T tokens, H hidden, V vocabulary

from contextlib import nullcontext
from typing import Any, cast

from peft import PeftModel
from torch import Tensor, nn

from trainer.model.needed_rows import needed_rows


def hidden_states(model: nn.Module, inputs: dict[str, Any], rows: Tensor | None = None) -> Tensor:
    """Return what the head would be given, (B, T, H): the last hidden states after their norm.

    LoRA layers lie inside the base model, so an adapter counts though its own forward is passed by.
    With `rows`, int64 on the model's device, only these of the B * T are sure to be right.
    """
    body = base_of(model).model
    needed = needed_rows(body.language_model)
    with nullcontext() if needed is None or rows is None else needed.only(rows):
        return body(**inputs, use_cache=False).last_hidden_state


def head_weight(model: nn.Module) -> Tensor:
    """Return the weight (V, H) of the head in use, which may be tied or an adapter's own copy."""
    head = base_of(model).lm_head
    assert head.bias is None, "the head has a bias"
    return head.weight


def base_of(model: nn.Module) -> Any:
    """Return the causal language model itself: `model` up to the last norm, and `lm_head`."""
    return cast(Any, model.get_base_model() if isinstance(model, PeftModel) else model)
