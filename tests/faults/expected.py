"""What must be true of a run, whatever is done to it: a model without files, processes or torch."""

from dataclasses import dataclass, field

STEPS_PER_EPOCH, SAMPLES_PER_EPOCH, SAMPLES_PER_STEP = 3, 10, 4  # the last of an epoch is short
TOTAL_STEPS = 12
SAVED_EVERY, KEPT = 5, 2


@dataclass(frozen=True)
class TakenStep:
    """What the undisturbed run said of a step."""

    loss: float | None
    epoch: float
    records: tuple[int, ...]
    samples: int  # up to here
    target_tokens: int  # up to here


@dataclass(frozen=True)
class Refused:
    """A resume that must not begin."""

    error: str
    says: str


@dataclass
class ExpectedRun:
    """A run as it must be."""

    undisturbed: dict[int, TakenStep]
    step: int | None = None  # None: no process trains
    checkpoints: dict[int, bool] = field(default_factory=dict[int, bool])  # whether they hold
    set_aside: bool = False  # whether a damaged one was
    data_changed: bool = False
    evaluated: list[int] = field(default_factory=list[int])  # steps, in their order

    def taken(self, step: int) -> TakenStep:
        """Return what must have been trained up to a step; the very beginning is step 0."""
        return self.undisturbed.get(step, TakenStep(None, 0.0, (), 0, 0))

    def resume(self) -> int | Refused:
        """Return the step that the next attempt begins behind."""
        if self.data_changed:
            return Refused("DataChanged", "train.jsonl: content changed")
        valid = [step for step, holds in self.checkpoints.items() if holds]
        start = max(valid, default=0)
        damaged = [step for step in self.checkpoints if step > start]
        for step in damaged:
            del self.checkpoints[step]
        self.set_aside |= bool(damaged)
        if not valid and self.set_aside:
            return Refused("CheckpointRefused", "no checkpoint is left to go on from")
        self.step = start
        return start

    def take_step(self, *, save: bool, evaluate: bool) -> int:
        """Return the step that was taken, saved where it is time or was asked for."""
        assert self.step is not None
        self.step += 1
        if evaluate:
            self.evaluated.append(self.step)
        if save or (self.step % SAVED_EVERY == 0 and self.step < TOTAL_STEPS):
            self.publish()
        return self.step

    def publish(self) -> None:
        """Write a checkpoint of this step, and remove what is too old."""
        assert self.step is not None
        if self.step:
            self.set_aside |= self.checkpoints.get(self.step) is False
            self.checkpoints[self.step] = True
            newest = sorted(self.checkpoints)[-KEPT:]
            self.checkpoints = {step: self.checkpoints[step] for step in newest}

    def leave(self) -> str:
        """Return how a run ends that is stopped, or that has no step left."""
        assert self.step is not None
        self.publish()
        finished, self.step = self.step == TOTAL_STEPS, None
        return "finished" if finished else "stopped"

    def killed_while_saving(self, found: set[int]) -> None:
        """Accept either side of each change that a step and its checkpoint make, and no other.

        Raises:
            AssertionError: What was found is neither.

        """
        assert self.step is not None
        before = set(self.checkpoints)
        assert all(step <= self.step for step in before), "a resume leaves nothing newer"
        saved = before | {self.step + 1}
        kept = set(sorted(saved)[-KEPT:])
        assert found == before or kept <= found <= saved, (before, found)
        self.checkpoints = {step: self.checkpoints.get(step, True) for step in found}
        self.step = None


def check_epochs(undisturbed: dict[int, TakenStep]) -> None:
    """Check that every epoch trains each of its records once, in an order of its own."""
    orders: list[list[int]] = []
    for first in range(1, TOTAL_STEPS + 1, STEPS_PER_EPOCH):
        steps = [undisturbed[step] for step in range(first, first + STEPS_PER_EPOCH)]
        orders.append([line for step in steps for line in step.records])
        assert [len(it.records) for it in steps] == [4, 4, 2]
        assert len(set(orders[-1])) == SAMPLES_PER_EPOCH
    assert all(set(order) == set(orders[0]) for order in orders)
    assert len({tuple(order) for order in orders}) == len(orders)


def epoch_at(step: int) -> float:
    """Return how many passes so many steps make."""
    whole, rest = divmod(step, STEPS_PER_EPOCH)
    return whole + rest * SAMPLES_PER_STEP / SAMPLES_PER_EPOCH
