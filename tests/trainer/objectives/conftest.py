"""A tiny checkpoint whose head is its own, as the 8B model has it."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoTokenizer

from trainer.demo.building import save


@pytest.fixture(scope="session")
def untied_checkpoint(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)
    model.config.tie_word_embeddings = False
    model.config.text_config.tie_word_embeddings = False
    shape = model.lm_head.weight.shape
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    model.lm_head.weight = torch.nn.Parameter(0.06 * drawn)
    folder = tmp_path_factory.mktemp("untied") / "model"
    return save(folder, model, AutoTokenizer.from_pretrained(tiny_checkpoint))
