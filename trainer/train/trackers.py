"""Copy the numbers to other trackers (TensorBoard, ...) through Accelerate."""

from accelerate import Accelerator

from trainer.config.schema import RunConfig
from trainer.run.events import AnyEvent, Evaluation, Step

_STEP_FIELDS = (
    "loss",
    "token_accuracy",
    "entropy",
    "gradient_norm",
    "target_tokens",
    "padding_share",
    "tokens_per_second",
    "samples_per_second",
    "peak_memory_bytes",
)
_EVALUATION_FIELDS = ("loss", "perplexity", "token_accuracy", "entropy")


def start_trackers(accelerator: Accelerator, config: RunConfig) -> None:
    """Open the configured trackers; none is the default."""
    if config.training.log_with:
        settings = {
            f"{group}.{key}": str(value)
            for group, section in config.model_dump().items()
            if isinstance(section, dict)
            for key, value in section.items()
        }
        accelerator.init_trackers("qvl", config=settings)


def track(accelerator: Accelerator, event: AnyEvent) -> None:
    """Send a step to `train/*` and an evaluation to `eval/*`."""
    if isinstance(event, Step):
        values = {f"train/{name}": getattr(event, name) for name in _STEP_FIELDS}
        rates = event.learning_rates.items()
        values |= {f"train/learning_rate_{part}": rate for part, rate in rates}
    elif isinstance(event, Evaluation):
        values = {f"eval/{name}": getattr(event, name) for name in _EVALUATION_FIELDS}
    else:
        return
    known = {name: value for name, value in values.items() if value is not None}
    accelerator.log(known, step=event.step)
