"""Ask a trained demo model about pictures it has not seen."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from transformers import AutoModelForImageTextToText
from transformers.utils.logging import disable_progress_bar

from trainer.config.schema import RunConfig
from trainer.data.batch import Batch
from trainer.data.index import Dataset, index_file
from trainer.data.preprocessing import Preprocessing
from trainer.data.reading import Records
from trainer.data.samples import collate
from trainer.run.layout import RunLayout


@dataclass(frozen=True)
class HeldOutAnswer:
    """What the model said about a picture, beside the truth."""

    line: int  # of the validation file, from 1
    truth: str
    answer: str


@torch.no_grad()
def held_out_answers(layout: RunLayout, config: RunConfig, limit: int) -> Iterator[HeldOutAnswer]:
    """Yield greedy answers of the model in final/ to validation records with pictures.

    The model is loaded by plain transformers, as anyone else would.
    """
    disable_progress_bar()
    model: Any = AutoModelForImageTextToText.from_pretrained(layout.final / "model", dtype="auto")
    model.eval()
    preprocessing = Preprocessing.load(config.model, config.data)
    dataset = Dataset((index_file(config.data.validation[0], cache_dir=config.data.cache_dir),))
    records = Records.of(dataset, config.data)
    questions = (preprocessing.question(records[number]) for number in range(len(records)))
    with_pictures = (question for question in questions if question.sample.patches is not None)
    for question in islice(with_pictures, limit):
        batch = Batch.from_arrays(collate([question.sample], [], preprocessing.pad_id))
        inputs = batch.model_inputs(preprocessing, model.device, model.dtype)
        output = model.generate(
            **inputs,
            max_new_tokens=config.generation.max_new_tokens,
            do_sample=False,
            pad_token_id=preprocessing.pad_id,
        )
        new_ids = output[0, inputs["input_ids"].shape[1] :]
        (answer,) = preprocessing.tokenizer.batch_decode([new_ids], skip_special_tokens=True)
        yield HeldOutAnswer(question.sample.sources[0].line, question.truth, answer)
