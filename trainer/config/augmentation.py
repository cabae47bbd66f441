"""What may be done to pictures while training: every operation, its parameters and its limits."""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_serializer,
)

from trainer.config.section import Number, Section, Whole

OWN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)

Pair = tuple[Number, Number]


def as_pair(value: object) -> object:
    """Return a single number as the range that holds it alone."""
    return cast("object", value) if isinstance(value, list | tuple) else [value, value]


@dataclass(frozen=True)
class Within:
    """A check that a range runs upwards and lies within limits; it raises ValueError."""

    least: float
    most: float

    def __call__(self, pair: Pair) -> Pair:
        """Return the range as it is."""
        low, high = pair
        if low > high:
            msg = f"[{low:g}, {high:g}] runs backwards; write the smaller number first"
            raise ValueError(msg)
        if low < self.least or high > self.most:
            outside = low if low < self.least else high
            msg = f"{outside:g} is out of range; give numbers from {self.least:g} to {self.most:g}"
            raise ValueError(msg)
        return pair


class Operation(Section):
    """One step of the augmentation; a file states it as `{name: ..., params: {...}}`."""

    name: str
    prob: Number = Field(default=0.5, ge=0, le=1, description="Probability that it is done.")

    @model_serializer
    def as_stated(self) -> dict[str, Any]:
        """Return the operation as a file states it."""
        values = dict(self)
        return {"name": values.pop("name"), "params": values}


# --- geometry: folded into one matrix and one resampling ----------------------------------------


class Flip(Operation):
    """Mirror the picture."""

    name: str = "flip"
    direction: Literal["horizontal", "vertical"] = Field(
        default="horizontal", description="horizontal swaps left and right, vertical up and down."
    )


class Rotate(Operation):
    """Turn the picture about its centre."""

    name: str = "rotate"
    degrees: Annotated[Pair, BeforeValidator(as_pair), AfterValidator(Within(-180, 180))] = Field(
        default=(-10.0, 10.0), description="Angle, clockwise, in degrees."
    )
    grow: bool = Field(
        default=True, description="Enlarge the canvas so that no corner is lost; false: keep it."
    )


class Scale(Operation):
    """Enlarge or shrink what is seen about the centre of a canvas that stays."""

    name: str = "scale"
    factor: Annotated[Pair, BeforeValidator(as_pair), AfterValidator(Within(0.1, 10))] = Field(
        default=(0.8, 1.25), description="Below 1 a border is filled, above 1 the edges are cut."
    )


class Shear(Operation):
    """Slant the picture about its centre."""

    name: str = "shear"
    x_degrees: Annotated[Pair, BeforeValidator(as_pair), AfterValidator(Within(-60, 60))] = Field(
        default=(-5.0, 5.0), description="How far upright edges lean, in degrees."
    )
    y_degrees: Annotated[Pair, BeforeValidator(as_pair), AfterValidator(Within(-60, 60))] = Field(
        default=(0.0, 0.0), description="How far level edges lean, in degrees."
    )
    grow: bool = Field(
        default=True, description="Enlarge the canvas so that no corner is lost; false: keep it."
    )


class Crop(Operation):
    """Keep a window of the picture; the only operation that drops objects."""

    name: str = "crop"
    area: Annotated[Pair, BeforeValidator(as_pair), AfterValidator(Within(0.01, 1))] = Field(
        default=(0.5, 1.0), description="The window's share of the picture's area."
    )
    aspect: Annotated[Pair, BeforeValidator(as_pair), AfterValidator(Within(0.1, 10))] = Field(
        default=(0.75, 1.33), description="Its width to height, as a multiple of the picture's."
    )
    min_coverage: Number = Field(
        default=0.3,
        ge=0,
        le=1,
        description="An object of which a smaller share is left is dropped.",
    )
    min_objects: Whole = Field(
        default=1, ge=0, description="A window that would leave fewer objects is not cut."
    )


class Resize(Operation):
    """Make the picture larger or smaller, canvas and all."""

    name: str = "resize"
    factor: Annotated[Pair, BeforeValidator(as_pair), AfterValidator(Within(0.05, 10))] = Field(
        default=(0.75, 1.25), description="Of width and height alike."
    )


class Expand(Operation):
    """Put the picture somewhere on a larger canvas."""

    name: str = "expand"
    factor: Annotated[Pair, BeforeValidator(as_pair), AfterValidator(Within(1, 10))] = Field(
        default=(1.0, 1.5), description="How many times as wide and as high the canvas is."
    )


class Pad(Operation):
    """Fill up at the right and at the bottom to a multiple."""

    name: str = "pad"
    prob: Number = Field(default=1.0, ge=0, le=1, description="Probability that it is done.")
    multiple: Whole = Field(default=32, ge=1, le=1024, description="Of width and height, in px.")


# --- colour: after all geometry -----------------------------------------------------------------


class Brightness(Operation):
    """Make every colour lighter or darker."""

    name: str = "brightness"
    factor: Annotated[Pair, BeforeValidator(as_pair), AfterValidator(Within(0, 10))] = Field(
        default=(0.8, 1.2), description="0 is black, 1 leaves it."
    )


class Contrast(Operation):
    """Move every colour away from the picture's mean grey or towards it."""

    name: str = "contrast"
    factor: Annotated[Pair, BeforeValidator(as_pair), AfterValidator(Within(0, 10))] = Field(
        default=(0.8, 1.2), description="0 is grey all over, 1 leaves it."
    )


class Saturation(Operation):
    """Move every colour away from its own grey or towards it."""

    name: str = "saturation"
    factor: Annotated[Pair, BeforeValidator(as_pair), AfterValidator(Within(0, 10))] = Field(
        default=(0.8, 1.2), description="0 is black and white, 1 leaves it."
    )


class Hue(Operation):
    """Turn the colour circle."""

    name: str = "hue"
    degrees: Annotated[Pair, BeforeValidator(as_pair), AfterValidator(Within(-180, 180))] = Field(
        default=(-10.0, 10.0), description="Angle on the colour circle, in degrees."
    )


class Gamma(Operation):
    """Lighten or darken the middle tones; black and white stay."""

    name: str = "gamma"
    exponent: Annotated[Pair, BeforeValidator(as_pair), AfterValidator(Within(0.1, 10))] = Field(
        default=(0.8, 1.25), description="Below 1 lightens, above 1 darkens."
    )


class Clahe(Operation):
    """Even out the contrast of each neighbourhood (CLAHE on the luminance)."""

    name: str = "clahe"
    clip_limit: Annotated[Pair, BeforeValidator(as_pair), AfterValidator(Within(1, 100))] = Field(
        default=(1.5, 3.0),
        description="No brightness counts for more than so many times the mean count.",
    )
    tiles: Whole = Field(default=8, ge=1, le=64, description="Neighbourhoods a side.")


class Blur(Operation):
    """Blur as a lens out of focus does (Gaussian)."""

    name: str = "blur"
    radius_pixels: Annotated[Pair, BeforeValidator(as_pair), AfterValidator(Within(0, 50))] = Field(
        default=(0.3, 1.5), description="Standard deviation, in pixels."
    )


class Noise(Operation):
    """Add noise to every pixel, as a sensor does in the dark (Gaussian)."""

    name: str = "noise"
    deviation: Annotated[Pair, BeforeValidator(as_pair), AfterValidator(Within(0, 128))] = Field(
        default=(2.0, 10.0), description="Standard deviation, in levels of 0 to 255."
    )


class Jpeg(Operation):
    """Compress the picture and take what is left."""

    name: str = "jpeg"
    quality: Annotated[Pair, BeforeValidator(as_pair), AfterValidator(Within(1, 100))] = Field(
        default=(40.0, 95.0), description="JPEG quality; 100 is the best."
    )


# --- one's own ----------------------------------------------------------------------------------


class Own(Operation):
    """A Python function of one's own, named `module:function`; gets all further parameters."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(pattern=f"^{OWN.pattern}$")

    @model_serializer
    def as_stated(self) -> dict[str, Any]:
        """Return the operation as a file states it."""
        return {"name": self.name, "params": {"prob": self.prob, **self.parameters}}

    @property
    def parameters(self) -> dict[str, Any]:
        """What the function gets besides picture, shapes and randomness."""
        return dict(self.model_extra or {})


GEOMETRY = (Flip, Rotate, Scale, Shear, Crop, Resize, Expand, Pad)
COLOUR = (Brightness, Contrast, Saturation, Hue, Gamma, Clahe, Blur, Noise, Jpeg)
OPERATIONS: dict[str, type[Operation]] = {
    str(kind.model_fields["name"].default): kind for kind in (*GEOMETRY, *COLOUR)
}


def unwrapped(value: object) -> object:
    """Return `{name, params: {...}}` with its parameters beside the name; raises ValueError."""
    if isinstance(value, Operation):
        return value
    if not isinstance(value, dict):
        msg = "is not an operation; write {name: flip, params: {prob: 0.5}}"
        raise ValueError(msg)
    stated = cast("dict[object, object]", value)
    if extra := [str(key) for key in stated if key not in ("name", "params")]:
        msg = f"has `{extra[0]}` beside `name` and `params`; put it under `params`"
        raise ValueError(msg)
    params = stated.get("params")
    if params is None:
        params = {}
    if not isinstance(params, dict):
        msg = "has `params` that are no group of parameters; write {prob: 0.5}"
        raise ValueError(msg)
    name = known_name(stated.get("name"))
    parameters = cast("dict[object, object]", params)
    refuse_unknown_parameters(name, parameters)
    return {**parameters, "name": name}


def known_name(name: object) -> str:
    """Return an operation's name; raises ValueError with the nearest one where there is none."""
    if isinstance(name, str) and (name in OPERATIONS or OWN.fullmatch(name)):
        return name
    meant = name.lower() if isinstance(name, str) else ""
    near = get_close_matches(meant, OPERATIONS, n=1, cutoff=0.5)
    known = f"did you mean {near[0]}?" if near else f"use one of {', '.join(OPERATIONS)}"
    what = f"no operation is called {name[:60]!r}" if isinstance(name, str) else "has no `name`"
    msg = f"{what}; {known} (one's own is `module:function`)"
    raise ValueError(msg)


def refuse_unknown_parameters(name: str, stated: dict[object, object]) -> None:
    """Raise ValueError for a parameter that an operation does not have."""
    if name in OPERATIONS:
        known = [field for field in OPERATIONS[name].model_fields if field != "name"]
        unknown = [str(key) for key in stated if key not in known]
    else:
        known = []
        unknown = [str(key) for key in stated if not isinstance(key, str) or key == "name"]
    if unknown:
        near = get_close_matches(unknown[0], known, n=1, cutoff=0.5)
        remedy = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}"
        msg = f"{name} has no parameter `{unknown[0][:60]}`; {remedy}"
        raise ValueError(msg)


def tag_of(value: object) -> str:
    """Return the tag of an operation's kind, in angle brackets: it shows in error locations."""
    name = value.name if isinstance(value, Operation) else cast("dict[str, object]", value)["name"]
    return f"<{name}>" if name in OPERATIONS else "<own>"


AnyOperation = Annotated[
    Annotated[Flip, Tag("<flip>")]
    | Annotated[Rotate, Tag("<rotate>")]
    | Annotated[Scale, Tag("<scale>")]
    | Annotated[Shear, Tag("<shear>")]
    | Annotated[Crop, Tag("<crop>")]
    | Annotated[Resize, Tag("<resize>")]
    | Annotated[Expand, Tag("<expand>")]
    | Annotated[Pad, Tag("<pad>")]
    | Annotated[Brightness, Tag("<brightness>")]
    | Annotated[Contrast, Tag("<contrast>")]
    | Annotated[Saturation, Tag("<saturation>")]
    | Annotated[Hue, Tag("<hue>")]
    | Annotated[Gamma, Tag("<gamma>")]
    | Annotated[Clahe, Tag("<clahe>")]
    | Annotated[Blur, Tag("<blur>")]
    | Annotated[Noise, Tag("<noise>")]
    | Annotated[Jpeg, Tag("<jpeg>")]
    | Annotated[Own, Tag("<own>")],
    Discriminator(tag_of),
    BeforeValidator(unwrapped),
]

Level = Annotated[Whole, Field(ge=0, le=255)]


class AugmentationConfig(Section):
    """How pictures are changed while training, and what is marked in them with them."""

    ops: tuple[AnyOperation, ...] = Field(
        default=(),
        description="Operations `{name, params: {..., prob}}`, done in this order, colour after "
        "geometry; docs/augmentation.md lists them.",
    )
    bypass_prob: Number = Field(
        default=0.0, ge=0, le=1, description="Probability that a picture is left as it is."
    )
    fill: tuple[Level, Level, Level] = Field(
        default=(128, 128, 128),
        description="Colour of what lies outside the picture: red, green, blue, 0 to 255.",
    )
    max_pixels: Whole = Field(
        default=16_777_216,
        ge=1024,
        description="A canvas that would grow above it is shrunk to it, in pixels.",
    )
