"""What every group of options is made of: strict sections, paths, numbers as YAML spells them."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from trainer.config.scalars import number

Number = Annotated[float, BeforeValidator(number)]
Whole = Annotated[int, BeforeValidator(number)]


def as_list(value: object) -> object:
    """Return a single path as a list of one, and null as an empty list."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else value


File = Annotated[str, Field(json_schema_extra={"format": "file"})]
Files = Annotated[tuple[File, ...], BeforeValidator(as_list)]
Folder = Annotated[str, Field(json_schema_extra={"format": "folder"})]


class Section(BaseModel):
    """A frozen group of options that refuses keys it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=False, allow_inf_nan=False
    )
