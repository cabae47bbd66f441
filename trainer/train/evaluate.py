"""Validation: loss over the whole set, and a few records answered by generation."""

import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from trainer.config.schema import GenerationConfig
from trainer.data.batch import Batch
from trainer.model.compiled import uncompiled
from trainer.model.modes import evaluating
from trainer.objectives.supervised import IGNORED_LABEL, supervised_terms
from trainer.run.events import SamplePrediction
from trainer.train.out_of_memory import described, memory_for
from trainer.train.randomness import keyed_seed
from trainer.train.ranks import Ranks
from trainer.train.window import Forward

END_OF_REASONING = "</think>"


@dataclass(frozen=True)
class Metrics:
    """Means over the target tokens of the validation set; None without any."""

    loss: float | None
    perplexity: float | None
    token_accuracy: float | None
    entropy: float | None
    target_tokens: int
    samples: int
    seconds: float


@torch.no_grad()
def evaluate(forward: Forward, ranks: Ranks, batches: Iterable[Batch]) -> Metrics:
    """Return the model's metrics over all ranks' batches; training state is left as it was."""
    started = time.monotonic()
    sums = Counter({"loss": 0.0, "correct": 0.0, "entropy": 0.0, "tokens": 0, "samples": 0})
    with evaluating(forward.model):
        for batch in batches:
            if batch.target_tokens:
                with memory_for(f"in validation, with a batch of {described(batch)}"):
                    sums.update(_batch_sums(forward, batch))
            sums.update(tokens=batch.target_tokens, samples=batch.samples)
    together = Counter[str]()
    for ranks_sums in ranks.gather(sums):
        together.update(ranks_sums)
    return _metrics(together, time.monotonic() - started)


def _batch_sums(forward: Forward, batch: Batch) -> dict[str, float]:
    inputs, labels = forward.inputs(batch)
    with forward.accelerator.autocast():
        terms = supervised_terms(forward.model, inputs, labels)
    return {name: float(value) for name, value in terms.sums.items()}


def _metrics(sums: Mapping[str, float], seconds: float) -> Metrics:
    tokens, samples = int(sums["tokens"]), int(sums["samples"])

    def mean(name: str) -> float | None:
        value = sums[name] / tokens if tokens else math.nan
        return value if math.isfinite(value) else None

    loss = mean("loss")
    perplexity = math.exp(loss) if loss is not None and loss < 700 else None
    return Metrics(loss, perplexity, mean("correct"), mean("entropy"), tokens, samples, seconds)


def predict_samples(
    forward: Forward, batches: Iterable[Batch], generation: GenerationConfig, step: int
) -> Iterator[SamplePrediction]:
    """Answer the last assistant turn of every single-sample batch and yield it with the truth."""
    with evaluating(forward.model):
        for index, batch in enumerate(batches):
            if batch.target_tokens:
                torch.manual_seed(keyed_seed(forward.seed, step, index, len("generation")))
                with memory_for(f"while answering {batch.sources[0]}"):
                    prediction = _predict(forward, batch, generation, step)
                yield prediction


@torch.no_grad()
def _predict(
    forward: Forward, batch: Batch, generation: GenerationConfig, step: int
) -> SamplePrediction:
    inputs = forward.inputs_with_pixels(batch)
    start, end = last_answer(batch.labels[0])
    ids = inputs["input_ids"]
    prompt_inputs = {
        name: value[:, :start] if value.shape == ids.shape else value
        for name, value in inputs.items()
    }
    with forward.accelerator.autocast(), uncompiled():
        output = forward.model.generate(  # pyright: ignore
            **prompt_inputs, **generation_options(forward, generation)
        )
    decode = forward.preprocessing.tokenizer.batch_decode
    new_ids = output[0, start:].tolist()
    (prompt,) = decode([prompt_without_images(forward, ids[0, :start]).tolist()])
    truth, answer = decode([ids[0, start:end].tolist(), new_ids], skip_special_tokens=True)
    reasoning, separator, rest = answer.rpartition(END_OF_REASONING)
    source = batch.sources[0]
    return SamplePrediction(
        step=step,
        file=str(source.file),
        line=source.line,
        prompt=prompt,
        truth=truth,
        answer=(rest if separator else answer).strip("\n"),
        reasoning=reasoning.strip() if separator else None,
        new_tokens=len(new_ids),
    )


def last_answer(labels: torch.Tensor) -> tuple[int, int]:
    """Return start and end of the last run of labelled tokens in (T,) labels."""
    labelled = (labels != IGNORED_LABEL).tolist()
    end = len(labelled) - labelled[::-1].index(True)
    start = end
    while start > 0 and labelled[start - 1]:
        start -= 1
    return start, end


def prompt_without_images(forward: Forward, ids: torch.Tensor) -> torch.Tensor:
    """Return (T,) prompt ids with every run of image placeholders folded into one."""
    image_id = forward.preprocessing.image_token_id
    is_image = ids == image_id
    repeated = is_image & torch.cat([is_image.new_zeros(1), is_image[:-1]])
    return ids[~repeated]


def generation_options(forward: Forward, generation: GenerationConfig) -> dict[str, Any]:
    """Return the arguments of `generate` for the configured decoding."""
    options: dict[str, Any] = {
        "max_new_tokens": generation.max_new_tokens,
        "pad_token_id": forward.preprocessing.pad_id,
        "do_sample": generation.temperature > 0,
    }
    if generation.temperature > 0:
        options |= {"temperature": generation.temperature, "top_p": generation.top_p, "top_k": 0}
    return options
