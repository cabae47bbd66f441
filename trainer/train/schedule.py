"""The learning rate as a pure function of the step."""

import math

from trainer.config.schema import ScheduleConfig


def warmup_steps(config: ScheduleConfig, total_steps: int) -> int:
    """Return the length of the warm-up in optimizer steps; never the whole run."""
    asked = config.warmup_steps
    if config.warmup_ratio is not None:
        asked = math.ceil(config.warmup_ratio * total_steps)
    return min(asked, total_steps - 1)


def learning_rate(config: ScheduleConfig, step: int, total_steps: int, peak: float) -> float:
    """Return the learning rate of optimizer step `step`, counted from 1.

    The warm-up is linear and reaches the peak at its last step. cosine_with_floor reaches the
    floor at the last step; linear and cosine would reach zero one step later, so that no step is
    taken with a learning rate of zero.
    """
    warmup = warmup_steps(config, total_steps)
    if step <= warmup:
        return peak * step / warmup
    if config.name == "constant":
        return peak
    if config.name == "linear":
        return peak * (1.0 - (step - warmup) / (total_steps + 1 - warmup))
    ends_at_zero = config.name == "cosine"
    progress = (step - warmup) / (total_steps + ends_at_zero - warmup)
    floor = 0.0 if ends_at_zero else min(config.floor_learning_rate, peak)
    return floor + (peak - floor) * 0.5 * (1.0 + math.cos(math.pi * progress))
