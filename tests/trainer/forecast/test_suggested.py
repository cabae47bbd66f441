"""The suggested models and the memory each wants."""

import json

from trainer.config.suggestions import SUGGESTED_MODELS
from trainer.config.variants import variant_of_name
from trainer.forecast.suggested import as_json, memory_wanted

GIB = 2**30


def test_every_suggestion_is_a_hub_id_of_the_variant_it_names():
    assert len({model.path for model in SUGGESTED_MODELS}) == len(SUGGESTED_MODELS) == 12
    assert all(variant_of_name(model.path) == model.variant for model in SUGGESTED_MODELS)


def test_four_bits_want_less_than_sixteen_and_the_low_memory_preset_least():
    for model in SUGGESTED_MODELS:
        wanted = memory_wanted(model)
        assert wanted.low_memory_bytes < wanted.qlora_memory_bytes
        if wanted.lora_memory_bytes:
            assert wanted.qlora_memory_bytes < wanted.lora_memory_bytes


def test_the_smallest_model_trains_on_a_card_of_12_gb_with_the_defaults():
    smallest = next(model for model in SUGGESTED_MODELS if "Qwen3-VL-2B" in model.path)
    assert 7 * GIB < memory_wanted(smallest).qlora_memory_bytes < 12 * GIB


def test_experts_keep_a_mixture_from_shrinking_much():
    mixture = next(model for model in SUGGESTED_MODELS if model.experts)
    assert memory_wanted(mixture).qlora_memory_bytes > 1.9 * mixture.parameters


def test_suggestions_print_as_json():
    listed = json.loads(json.dumps([as_json(model) for model in SUGGESTED_MODELS]))
    assert listed[0]["path"] == "Qwen/Qwen3-VL-2B-Instruct"
    assert listed[-1]["lora_memory_bytes"] is None


def test_eight_billion_train_on_a_card_of_12_gb_with_the_low_memory_preset():
    large = next(model for model in SUGGESTED_MODELS if "Qwen3-VL-8B" in model.path)
    assert (
        memory_wanted(large).low_memory_bytes < 12 * GIB < memory_wanted(large).qlora_memory_bytes
    )
