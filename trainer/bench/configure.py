"""Make the configuration of a measurement, and what it names."""

from typing import Literal

from trainer.bench.errors import BenchFailed
from trainer.bench.files import BenchFiles
from trainer.bench.model import build_model
from trainer.bench.pictures import write_pictures
from trainer.bench.wanted import Wanted
from trainer.config.load import dump_config, load_config
from trainer.config.schema import RunConfig

PRESET = "balanced"
PIXELS = {"cpu": 512, "cuda": 1024}  # a side; 32 pixels make a visual token
ANSWER_TOKENS = {"cpu": 31, "cuda": 117}  # a tenth of a record's
DTYPES: dict[str, Literal["bf16", "fp32"]] = {"cpu": "fp32", "cuda": "bf16"}
DEFAULTS = (
    "model.quantization=none",
    "tune.dropout=0",
    "optimizer.name=adamw",
    "schedule.name=constant",
    "schedule.warmup_steps=0",
    "batch.size=2",
    "batch.accumulation=2",
)
FORCED = (  # nothing but training is measured
    "data.validation=[]",
    "evaluation.early_stopping_evaluations=null",
    "checkpoint.every_steps=1000000000",
    "training.log_with=[]",
    "training.ranks=1",
)


def configure(wanted: Wanted, files: BenchFiles) -> RunConfig:
    """Write the configuration, and model and records where the caller names none.

    Raises:
        ConfigError, ModelMissing: The configuration cannot be used.
        BenchFailed: It cannot be compared, or the model cannot be built.

    """
    forced = [*FORCED, f"training.max_steps={wanted.total_steps}"]
    if wanted.peers:
        forced.append("tune.dropout=0")  # it would be drawn otherwise by everybody
    config = (
        _own_inputs(wanted, files, forced)
        if wanted.source is None
        else load_config(wanted.source, [*wanted.overrides, *forced])
    )
    if wanted.peers:
        refuse_what_others_cannot(config)
    files.config.write_text(dump_config(config))
    return config


def _own_inputs(wanted: Wanted, files: BenchFiles, forced: list[str]) -> RunConfig:
    """Make model and records; one epoch takes half of the rounds, so later ones are seen too."""
    overrides = [
        *DEFAULTS,
        f"model.dtype={DTYPES[wanted.device]}",
        f"data.train={files.data}",
        f"data.cache_dir={files.root / 'cache'}",
        f"model.path={files.model}",
        *wanted.overrides,
        *forced,
    ]
    config = load_config(PRESET, overrides, files_must_exist=False)
    if not files.model.exists():
        build_model(files.model, wanted.size, config.model.dtype, wanted.device)
    steps_of_an_epoch = max(1, wanted.rounds // 2) * wanted.steps_of_a_turn
    records = steps_of_an_epoch * config.samples_per_step
    write_pictures(
        files.data,
        records=records,
        pixels=PIXELS[wanted.device],
        answer_tokens=wanted.answer_tokens or ANSWER_TOKENS[wanted.device],
    )
    return load_config(PRESET, overrides)


def refuse_what_others_cannot(config: RunConfig) -> None:
    """Raise BenchFailed for a configuration that has no equal elsewhere."""
    modes = {config.tune.vision, config.tune.aligner, config.tune.language}
    refused = {
        f"model.quantization={config.model.quantization}": config.model.quantization != "none",
        "a part in full mode": "full" in modes,
        "data.augmentation": bool(config.data.augmentation.ops),
    }
    named = [what for what, is_there in refused.items() if is_there]
    if named:
        raise BenchFailed(
            f"--vs: {' and '.join(named)} cannot be compared, others compute something else "
            "there; add model.quantization=none, lora parts and data.augmentation.ops=[], or "
            "leave out --vs",
            code=2,
        )
