"""What every group of options is made of: strict sections, and numbers as YAML spells them."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from trainer.config.scalars import number

Number = Annotated[float, BeforeValidator(number)]
Whole = Annotated[int, BeforeValidator(number)]


class Section(BaseModel):
    """A frozen group of options that refuses keys it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=False, allow_inf_nan=False
    )
