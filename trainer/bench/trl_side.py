"""Train the same records in the same order with TRL's SFTTrainer, in turns.

What is made equal, because it decides the numbers: records and their order, label positions, a
step's loss as a mean over its target tokens, the LoRA factors at the start, dropout (none),
precision, optimizer, learning rates, clipping, batch size and accumulation. Everything else is
TRL's default (activation checkpointing is on, batches are made in the trainer's own process), or,
tuned, as in the configuration.
"""

# T tokens

from itertools import chain
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from torch.optim.lr_scheduler import LambdaLR
from transformers import AutoModelForImageTextToText, TrainerCallback
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling, SFTTrainer

from trainer.bench.errors import BenchFailed
from trainer.bench.files import BenchFiles, Windows
from trainer.bench.local import local_config
from trainer.bench.rows import comparable_rows, refuse_uneven_steps
from trainer.bench.trl_processor import picture_processor
from trainer.bench.turns import StepDone, Turns
from trainer.config.schema import RunConfig
from trainer.data.build import BatchBuilder
from trainer.data.index import Dataset as Indexed
from trainer.data.index import index_file
from trainer.data.preprocessing import Preprocessing
from trainer.model.load import DTYPES
from trainer.train.optimizer import build_optimizer
from trainer.train.prepare import build_splits
from trainer.train.schedule import learning_rate


def train_with_trl(files: BenchFiles, turns: Turns, *, tuned: bool) -> None:
    """Train until there are no more turns.

    Raises:
        BenchFailed: The configuration or the records have no equal in TRL.

    """
    config = local_config(files)
    windows = files.read_windows()
    refuse_uneven_steps(windows, config.samples_per_step)
    preprocessing = Preprocessing.load(config.model, config.data)
    rows, places = _rows(files, config, preprocessing, windows)
    model = starting_model(files, config)
    optimizer = build_optimizer(model, config.optimizer)
    trainer = InTurns(
        turns,
        places,
        model=model,
        args=settings(files, config, len(windows), tuned=tuned),
        data_collator=OurLabels(
            processor=picture_processor(preprocessing), max_length=config.data.max_length
        ),
        train_dataset=rows,
        processing_class=picture_processor(preprocessing),
        optimizers=(optimizer, _schedule(config, optimizer, len(windows))),
    )
    turns.report()
    turns.wait()
    trainer.train()


def _rows(
    files: BenchFiles, config: RunConfig, preprocessing: Preprocessing, windows: Windows
) -> tuple[Dataset, list[int]]:
    """Return every record that is trained, once, and the order in which rows are trained."""
    indexed = Indexed(
        tuple(index_file(path, cache_dir=config.data.cache_dir) for path in config.data.train),
        config.data.train_samples,
    )
    builder = BatchBuilder(preprocessing, build_splits(config, indexed, indexed))
    order = list(chain.from_iterable(windows))
    samples = list(dict.fromkeys(order))
    row_of = {sample: row for row, sample in enumerate(samples)}
    rows = comparable_rows(builder, samples, files.rows)
    return rows, [row_of[sample] for sample in order]


def starting_model(files: BenchFiles, config: RunConfig) -> PeftModel:
    """Return the base with the adapter that everybody starts from."""
    base = AutoModelForImageTextToText.from_pretrained(
        config.model.path,
        dtype=DTYPES[config.model.dtype],
        attn_implementation="sdpa" if config.model.attention == "auto" else config.model.attention,
    )
    return PeftModel.from_pretrained(base, str(files.adapter), is_trainable=True)


def settings(files: BenchFiles, config: RunConfig, steps: int, *, tuned: bool) -> SFTConfig:
    """Return TRL's settings: what decides the numbers as configured, the rest its defaults."""
    like_ours: dict[str, Any] = {
        "gradient_checkpointing": config.model.activation_checkpointing == "all",
        "dataloader_num_workers": config.data.workers,
        "dataloader_persistent_workers": config.data.workers > 0,
    }
    return SFTConfig(
        output_dir=str(files.run("trl")),
        per_device_train_batch_size=config.batch.size,
        gradient_accumulation_steps=config.batch.accumulation,
        max_steps=steps,
        max_length=config.data.max_length,
        bf16=config.model.dtype == "bf16",
        max_grad_norm=config.optimizer.max_gradient_norm,
        use_cpu=config.model.device == "cpu" or not torch.cuda.is_available(),
        remove_unused_columns=False,  # our labels are in columns of their own
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=config.seed % 2**32,
        **(like_ours if tuned else {}),
    )


def _schedule(config: RunConfig, optimizer: torch.optim.Optimizer, steps: int) -> LambdaLR:
    """Return our learning rates as a scheduler: it is asked for step 1 before anything is done."""

    def share_of(peak: float) -> Any:
        return lambda done: learning_rate(config.schedule, done + 1, steps, peak) / peak

    for group in optimizer.param_groups:
        group["lr"] = group["peak"]
    return LambdaLR(optimizer, [share_of(group["peak"]) for group in optimizer.param_groups])


class OurLabels(DataCollatorForVisionLanguageModeling):
    """TRL's collator, whose labels are replaced by ours."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the batch; raises BenchFailed where TRL reads other tokens than we do."""
        batch = super().torch_call(examples)
        batch["labels"].fill_(-100)
        for row, example in enumerate(examples):
            length = len(example["qvl_ids"])
            read = batch["input_ids"][row][batch["attention_mask"][row] == 1]
            if read.tolist() != example["qvl_ids"]:
                raise BenchFailed(
                    f"TRL reads a record as {len(read)} tokens, qvl as {length}, or as others: "
                    "their losses cannot be compared; leave out --vs",
                    code=2,
                )
            batch["labels"][row, :length] = torch.tensor(example["qvl_labels"])
        return batch


class InTurns(SFTTrainer):
    """TRL's trainer: records come in a given order, steps are taken in turns."""

    def __init__(self, turns: Turns, order: list[int], **arguments: Any) -> None:
        self._order = order
        self._turns = turns
        self._window: dict[str, Any] = {}
        super().__init__(**arguments)
        # transformers denies it to Qwen-VL, so a step would be the mean of its batches' means
        self.model_accepts_loss_kwargs = True
        self._begin_window()
        self.add_callback(_AfterEveryStep(self._end_window))

    def _get_train_sampler(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, *_: Any
    ) -> Any:
        return self._order

    def training_step(self, model: Any, inputs: Any, *rest: Any, **named: Any) -> torch.Tensor:
        """Take TRL's step on a micro-batch and add up what it was."""
        window = self._window
        window["target_tokens"] += int((inputs["labels"][:, 1:] != -100).sum())
        window["tokens"] += int(inputs["attention_mask"].sum())
        window["samples"] += len(inputs["labels"])
        loss = super().training_step(model, inputs, *rest, **named)
        window["losses"].append(loss.detach())
        return loss

    def _begin_window(self) -> None:
        self._window = {"target_tokens": 0, "tokens": 0, "samples": 0, "losses": []}

    def _end_window(self) -> None:
        losses = self._window.pop("losses")
        loss = float(torch.stack(losses).sum())  # each is divided by the window's target tokens
        is_last = self._turns.step(StepDone(loss=loss, **self._window))
        self._begin_window()
        if is_last:
            self._turns.wait()


class _AfterEveryStep(TrainerCallback):
    def __init__(self, called: Any) -> None:
        self._called = called

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self._called()
