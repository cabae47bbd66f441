"""How long a sample may be, and what is said of one that is longer."""

from dataclasses import dataclass

from trainer.data.errors import OverLong, Source

NORMALISATION_SHRINKS = 4  # so many characters Unicode normalisation may fuse into one


@dataclass(frozen=True)
class Room:
    """Refuses samples as soon as they are sure to be too long: the cheapest question first."""

    max_length: int  # in tokens
    longest_token: int  # of the vocabulary, in characters

    def for_text(self, source: Source, characters: int, images: int) -> None:
        """Raise OverLong for a text, not tokenised yet, that cannot fit."""
        if images > self.max_length:
            raise self._over_long(source, f"{images} images, a token each at least")
        if characters > self.max_length * self.longest_token * NORMALISATION_SHRINKS:
            raise self._over_long(source, f"text of {characters} characters")

    def for_tokens(self, source: Source, text_tokens: int) -> None:
        """Raise OverLong where the text alone is too long."""
        if text_tokens > self.max_length:
            raise self._over_long(source, f"at least {text_tokens} tokens")

    def for_images(self, source: Source, tokens: int, images: int, of: int) -> None:
        """Raise OverLong where text and the first `images` images of `of` are too long."""
        if tokens > self.max_length:
            so_far = f"at least {tokens} tokens after {images} of {of} images"
            raise self._over_long(source, so_far)

    def _over_long(self, source: Source, what: str) -> OverLong:
        return OverLong(
            source,
            f"{what}, data.max_length is {self.max_length}",
            "raise it or lower data.max_pixels",
        )
