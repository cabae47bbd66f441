"""The options of dense captioning: what is asked, and how answers about pictures are written."""

from pydantic import Field, field_validator

from trainer.config.section import Number, Section, Whole


class DenseConfig(Section):
    """How dense records become questions; only they are grouped."""

    images_per_user_turn: Whole = Field(
        default=1, ge=1, description="Records asked about together, dealt anew in every epoch."
    )
    prompt: str = Field(
        default="请描述图片中的所有物体",
        min_length=1,
        description="What is asked, after the images.",
    )
    summary_prompt: str = Field(
        default="请总结图片中的所有物体", min_length=1, description="What is asked for a summary."
    )
    summary_ratio: Number = Field(
        default=0.0, ge=0, le=1, description="Share of questions that ask for summaries."
    )
    system: str | None = Field(default=None, description="System text before the question.")
    picture_key: str = Field(
        default="图片_{n}", description="Key of a picture in the answer; {n} counts from 1."
    )

    @field_validator("picture_key")
    @classmethod
    def the_key_counts(cls, value: str) -> str:
        """Refuse keys that would be the same for every picture."""
        if value.count("{n}") != 1:
            msg = "picture_key would be the same for every picture; write {n} once"
            raise ValueError(msg)
        return value
