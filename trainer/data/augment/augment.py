"""Change a picture and what is marked in it together, by nothing but options and key."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from trainer.config.augmentation import AugmentationConfig, Crop, Operation, Own
from trainer.data.augment.canvas import Canvas, LeftOut, Step
from trainer.data.augment.colour import COLOURING
from trainer.data.augment.draws import Draws, Key
from trainer.data.augment.figures import Figure, figure_of
from trainer.data.augment.geometry import GEOMETRIC
from trainer.data.augment.own import run_own
from trainer.data.objects import Shape


@dataclass(frozen=True, eq=False)
class Augmented:
    """What an augmentation made of a picture and its shapes."""

    image: Image.Image  # RGB
    shapes: tuple[Shape, ...]  # those that are kept, in their order
    kept: tuple[int, ...]  # which they were among those given
    coverage: tuple[float, ...]  # of each kept one, the share of it that is still seen
    dropped: int  # how many are gone
    applied: tuple[str, ...]  # what was done, with the numbers that were drawn
    left_out: tuple[str, ...]  # what could not be done, and why


def augment(
    image: Image.Image,
    shapes: Sequence[Shape],
    options: AugmentationConfig,
    key: Key,
    *,
    keep_all: bool = False,
) -> Augmented:
    """Return an RGB picture and its shapes as the operations leave them.

    A pure function of its arguments, the same in every process. Geometry comes first and is
    resampled once, then the colours, each in the order of the options. A picture to which nothing
    is done is given back as it is.

    Args:
        image: In RGB.
        shapes: What is marked in it.
        options: The operations.
        key: What their randomness depends on.
        keep_all: Leave out a crop that would drop any object at all.

    Raises:
        DataError: A function of one's own gave back what is no picture with its shapes.

    """
    work = _Work(image, shapes, options, keep_all=keep_all)
    if options.ops and not Draws(key, 0).happens(options.bypass_prob):
        chosen = [
            (operation, draws)
            for place, operation in enumerate(options.ops, start=1)
            if (draws := Draws(key, place)).happens(operation.prob)
        ]
        for operation, draws in chosen:
            if type(operation) not in COLOURING:
                work.do(operation, draws)
        work.resample()
        for operation, draws in chosen:
            if type(operation) in COLOURING:
                work.do(operation, draws)
    return work.result()


class _Work:
    """A picture and its shapes on the way, geometry still to be resampled."""

    def __init__(
        self,
        image: Image.Image,
        shapes: Sequence[Shape],
        options: AugmentationConfig,
        *,
        keep_all: bool,
    ) -> None:
        self.keep_all = keep_all
        self.image = image
        self.options = options
        self.canvas = Canvas.of(image)
        self.shapes = dict(enumerate(shapes))  # those that are left, by their number
        self.figures: dict[int, Figure] = {}  # the same ones; filled by the first geometric step
        self.coverage = dict.fromkeys(self.shapes, 1.0)
        self.given = len(shapes)
        self.applied: list[str] = []
        self.left_out: list[str] = []

    def do(self, operation: Operation, draws: Draws) -> None:
        """Do one operation, or note why it cannot be done."""
        try:
            if isinstance(operation, Own):
                told = self._own(operation, draws)
            elif type(operation) in COLOURING:
                self.image, told = COLOURING[type(operation)](operation, self.image, draws)
            else:
                told = self._move(operation, draws)
        except LeftOut as reason:
            self.left_out.append(f"{operation.name}: {reason}")
        else:
            self.applied.append(f"{operation.name} {told}".strip())

    def _move(self, operation: Operation, draws: Draws) -> str:
        before = self.canvas
        step = GEOMETRIC[type(operation)](operation, before, draws)
        step = step.within(self.options.max_pixels, before.width * before.height)
        canvas = before.after(step)
        self.figures = self._moved_figures(operation, step)
        self.shapes = {number: self.shapes[number] for number in self.figures}
        self.canvas = canvas
        return step.told

    def _moved_figures(self, operation: Operation, step: Step) -> dict[int, Figure]:
        """The figures after a step, without those that a crop drops; raises LeftOut."""
        size = self.canvas.width, self.canvas.height
        figures = self.figures or {
            number: figure_of(shape, *size) for number, shape in self.shapes.items()
        }
        moved = {
            number: figure.moved(step.matrix).cut_to(step.width, step.height)
            for number, figure in figures.items()
        }
        if not isinstance(operation, Crop):
            if any(figure.coverage == 0 for figure in moved.values()):
                raise LeftOut("an object would leave the picture")
            return moved
        least = operation.min_coverage
        kept = {number: it for number, it in moved.items() if it.coverage >= max(least, 1e-9)}
        wanted = len(moved) if self.keep_all else min(operation.min_objects, len(moved))
        if len(kept) < wanted:
            raise LeftOut(f"{len(kept)} of {len(moved)} objects would be left")
        return kept

    def _own(self, operation: Own, draws: Draws) -> str:
        self.resample()
        image, left = run_own(operation, self.image, tuple(self.shapes.values()), draws)
        pairs = zip(self.shapes, left, strict=True)
        self.shapes = {number: shape for number, shape in pairs if shape is not None}
        self.image, self.canvas = image, Canvas.of(image)
        return ""

    def resample(self) -> None:
        """Compute the picture and the shapes as all geometric steps so far leave them."""
        self.image = self.canvas.render(self.image, self.options.fill)
        size = self.image.size
        for number, figure in self.figures.items():
            self.shapes[number] = figure.shape(*size)
            self.coverage[number] *= figure.coverage
        self.canvas, self.figures = Canvas.of(self.image), {}

    def result(self) -> Augmented:
        """Return what has become of the picture."""
        return Augmented(
            image=self.image,
            shapes=tuple(self.shapes.values()),
            kept=tuple(self.shapes),
            coverage=tuple(self.coverage[number] for number in self.shapes),
            dropped=self.given - len(self.shapes),
            applied=tuple(self.applied),
            left_out=tuple(self.left_out),
        )
