"""Operations of one's own: a Python function, named `module:function`."""

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

from PIL import Image

from trainer.config.augmentation import AugmentationConfig, Own
from trainer.data.augment.draws import Draws
from trainer.data.errors import DataError
from trainer.data.objects import Shape

Shapes = tuple[Shape, ...]
Changed = tuple[Image.Image, tuple[Shape | None, ...]]


def check_own_operations(options: AugmentationConfig) -> None:
    """Import every function that is named.

    Raises:
        DataError: There is no such module or function.

    """
    for operation in options.ops:
        if isinstance(operation, Own):
            own_function(operation.name)


@cache
def own_function(name: str) -> Callable[..., Any]:
    """Return the function that `module:function` names; raises DataError."""
    module_name, _, function_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise DataError(
            f"data.augmentation.ops: {name} cannot be imported ({error}); "
            "install its package, or add its folder's absolute path to PYTHONPATH"
        ) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise DataError(
            f"data.augmentation.ops: {module.__file__} has no function {function_name}; "
            "correct the name"
        )
    return function


def run_own(operation: Own, image: Image.Image, shapes: Shapes, draws: Draws) -> Changed:
    """Return the picture and the shapes as the function left them; None is a dropped shape.

    Raises:
        DataError: What it gave back is not a picture in RGB and as many shapes as it got.

    """
    function = own_function(operation.name)
    given = function(image, shapes, draws, **operation.parameters)
    problem = _problem(given, len(shapes))
    if problem:
        raise DataError(f"data.augmentation.ops: {operation.name} {problem}")
    changed, left = given
    return changed, tuple(left)


def _problem(given: object, shapes: int) -> str | None:
    if not (isinstance(given, tuple) and len(given) == 2):
        return f"returned {type(given).__name__}; return the picture and the list of its shapes"
    changed, left = given
    if not isinstance(changed, Image.Image) or changed.mode != "RGB" or 0 in changed.size:
        return "returned no picture in RGB; convert it"
    if not isinstance(left, list | tuple) or len(left) != shapes:
        return f"did not return {shapes} shapes; return all it got, None in place of a dropped one"
    if not all(it is None or isinstance(it, Shape) for it in left):
        return "returned something that is no Shape; build trainer.data.objects.Shape, or None"
    return None
