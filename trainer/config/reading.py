"""The options that say how the records of a data file are written."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from trainer.config.section import Section

DataFormat = Literal["auto", "native", "llava", "swift", "dense", "instruction"]


class ColumnsConfig(Section):
    """Which keys of instruction records hold what; null: the usual names are recognised."""

    prompt: str | None = Field(
        default=None, description="The question; null: instruction, question, prompt or query."
    )
    input: str | None = Field(
        default=None, description="What goes below the question; null: input or context."
    )
    response: str | None = Field(
        default=None, description="The answer; null: response, answer, output or completion."
    )
    system: str | None = Field(default=None, description="The system text; null: system.")
    image: str | None = Field(
        default=None, description="One image or a list of them; null: image or images."
    )


def pixel_for_none(value: object) -> object:
    """Return `pixel` for its other name `none`."""
    return "pixel" if value == "none" else value


Coordinates = Annotated[
    Literal["auto", "pixel", "norm100", "norm1000"], BeforeValidator(pixel_for_none)
]
BoxMarkup = Literal["auto", "tokens", "plain"]
