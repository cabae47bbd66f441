"""The options that say how the records of a data file are written."""

from string import Formatter
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from trainer.config.section import Section

DataFormat = Literal["auto", "native", "llava", "swift", "dense", "instruction"]


def pieces_of(template: str) -> list[tuple[str, str | None]]:
    """Return the texts of a template, each with the column that comes after it, or None.

    Raises:
        ValueError: A brace has no partner, or there is more than a column's name in it.

    """
    pieces: list[tuple[str, str | None]] = []
    for text, column, spec, conversion in Formatter().parse(template):
        if column == "" or spec or conversion:
            raise ValueError("only a column's name belongs between { and }; write {{ for a brace")
        pieces.append((text, column))
    return pieces


def with_columns(template: str) -> str:
    """Return a template whose columns can be found; raises ValueError."""
    pieces_of(template)
    return template


Template = Annotated[str, Field(min_length=1), AfterValidator(with_columns)]


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
    question_template: Template | None = Field(
        default=None,
        description="The question put together from columns, such as 'Use {facts}: {question}'; "
        "null: the question, and below it the input.",
    )
    answer_template: Template | None = Field(
        default=None, description="The answer put together from columns; null: the answer."
    )
    system_template: Template | None = Field(
        default=None,
        description="The system text of every record, with {column} where columns belong; "
        "null: the system column.",
    )


def pixel_for_none(value: object) -> object:
    """Return `pixel` for its other name `none`."""
    return "pixel" if value == "none" else value


Coordinates = Annotated[
    Literal["auto", "pixel", "norm100", "norm1000"], BeforeValidator(pixel_for_none)
]
BoxMarkup = Literal["auto", "tokens", "plain"]
