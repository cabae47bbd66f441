"""Split a text at the markers that stand for images, places and names."""

import re

IMAGE, BOX, NAME = "<image>", "<bbox>", "<ref-object>"
_ANY = re.compile(f"({'|'.join(map(re.escape, (IMAGE, BOX, NAME)))})")
_IMAGE_ON_A_LINE = re.compile(r"(?:\r?\n)?<image>(?:\r?\n)?")


def pieces(text: str) -> list[str]:
    """Return a text as stretches and markers in their order, without empty stretches."""
    return [piece for piece in _ANY.split(text) if piece]


def without_lines_of_images(text: str) -> str:
    """Return a text in which no line break sets an image's marker apart any more."""
    return _IMAGE_ON_A_LINE.sub(IMAGE, text)
