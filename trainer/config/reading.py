"""The options that say how the records of a data file are written."""

from typing import Literal

from pydantic import Field

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
