"""Evaluation is what a freshly loaded model does, and training goes on as if it had not been."""

from pathlib import Path
from typing import Any

import pytest
import torch
from bitsandbytes.nn.modules import Linear4bit
from peft import PeftModel
from transformers import AutoModelForImageTextToText, BitsAndBytesConfig

from tests.trainer.model.building import (
    PEFT_ASKS_BY_AN_OLDER_NAME,
    autocast,
    batch,
    load,
    train,
    values,
)
from trainer.model.modes import evaluating
from trainer.model.weights import is_adapter, save_weights

pytestmark = pytest.mark.filterwarnings(PEFT_ASKS_BY_AN_OLDER_NAME)

FULL = {"vision": "full", "aligner": "full", "language": "full"}
NF4 = BitsAndBytesConfig(
    load_in_4bit=True,
    bnb_4bit_quant_type="nf4",
    bnb_4bit_use_double_quant=True,
    bnb_4bit_compute_dtype=torch.float32,
    llm_int8_skip_modules=["model.visual", "lm_head"],
)
INT8 = BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=["model.visual", "lm_head"])


def generate(model: Any) -> Any:
    with torch.no_grad(), autocast(model):
        return model.generate(
            **batch(model),
            max_new_tokens=12,
            min_new_tokens=12,
            do_sample=False,
            return_dict_in_generate=True,
            output_logits=True,
        )


@pytest.mark.parametrize(
    ("tune", "quantization"),
    [({"dropout": 0.5}, "none"), ({"vision": "lora"}, "nf4"), ({}, "int8"), (FULL, "none")],
)
def test_answers_are_those_of_a_freshly_loaded_model(
    tiny_checkpoint: Path, tmp_path: Path, tune: dict[str, Any], quantization: str
):
    model = load(tiny_checkpoint, tune, quantization=quantization, activation_checkpointing=True)
    train(model)
    with evaluating(model):
        answer = generate(model)
    folder = save_weights(model, tmp_path)
    if is_adapter(model):
        config = {"none": None, "nf4": NF4, "int8": INT8}[quantization]
        base = AutoModelForImageTextToText.from_pretrained(
            tiny_checkpoint, quantization_config=config
        )
        fresh: Any = PeftModel.from_pretrained(base, folder).eval()
        for layer in fresh.modules():
            # In eval mode they multiply in bf16 on CPUs that have instructions for it.
            layer.training = isinstance(layer, Linear4bit)
    else:
        fresh = AutoModelForImageTextToText.from_pretrained(folder)
    expected = generate(fresh)
    assert torch.equal(answer.sequences, expected.sequences)
    torch.testing.assert_close(torch.stack(answer.logits), torch.stack(expected.logits))
    assert answer.past_key_values is not None


@pytest.mark.parametrize(
    "quantization", ["nf4", *(pytest.param(q, marks=pytest.mark.slow) for q in ("none", "int8"))]
)
def test_training_goes_on_to_the_same_numbers_after_an_evaluation(
    tiny_checkpoint: Path, quantization: str
):
    def trained(evaluate: bool) -> dict[str, torch.Tensor]:
        model = load(tiny_checkpoint, quantization=quantization, activation_checkpointing=True)
        if evaluate:
            with evaluating(model):
                generate(model)
        train(model)
        return values(model)

    once, again = trained(False), trained(True)
    assert all(torch.equal(once[name], again[name]) for name in once)


def test_every_flag_comes_back_also_after_an_error(tiny_checkpoint: Path):
    model = load(tiny_checkpoint, quantization="nf4", activation_checkpointing=True)
    model.get_submodule("base_model.model.model.visual").eval()

    def flags() -> list[tuple[bool, Any]]:
        return [(m.training, getattr(m, "gradient_checkpointing", None)) for m in model.modules()]

    before = flags()
    with evaluating(model):
        assert flags() != before
    assert flags() == before
    with pytest.raises(KeyError), evaluating(model):
        raise KeyError
    assert flags() == before
    assert (True, True) in before
