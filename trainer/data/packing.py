"""Decide which samples of an optimizer step share a micro-batch, within limits of its size."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

MOST_PADDING = 0.25  # of a grouped batch; a forward more costs less than padding beyond that


class Size(NamedTuple):
    """What a sample takes, or the most that a micro-batch may hold."""

    tokens: int
    patches: int

    def __sub__(self, other: "Size") -> "Size":
        return Size(self.tokens - other.tokens, self.patches - other.patches)

    def fits(self, room: "Size") -> bool:
        """Whether there is room for it."""
        return self.tokens <= room.tokens and self.patches <= room.patches


def best_fit(sizes: Sequence[Size], limit: Size) -> list[list[int]]:
    """Return the places of samples that share a row, in their order.

    Best fit decreasing: each sample, the longest first, goes where least is left over. It needs
    at most 11/9 of the fewest rows possible, and one more (Johnson 1973). A sample over the limit
    has a row of its own.
    """
    rows: list[list[int]] = []
    rooms: list[Size] = []
    for place in _longest_first(sizes):
        fitting = [row for row, room in enumerate(rooms) if sizes[place].fits(room)]
        if fitting:
            row = min(fitting, key=lambda it: rooms[it].tokens)
            rows[row].append(place)
            rooms[row] -= sizes[place]
        else:
            rows.append([place])
            rooms.append(limit - sizes[place])
    return _in_order(rows)


def by_length(sizes: Sequence[Size], limit: Size) -> list[list[int]]:
    """Return the places of samples of similar length that are padded together, in their order.

    The longest times the number of samples stays within the limit, and padding within MOST_PADDING
    of that. A sample over the limit has a batch of its own.
    """
    batches: list[list[int]] = []
    for place in _longest_first(sizes):
        if not batches or not _may_be_padded([sizes[it] for it in (*batches[-1], place)], limit):
            batches.append([])
        batches[-1].append(place)
    return _in_order(batches)


def _may_be_padded(sizes: Sequence[Size], limit: Size) -> bool:
    """Whether samples, the longest first, make a batch that keeps the limits."""
    padded = Size(sizes[0].tokens * len(sizes), sum(size.patches for size in sizes))
    padding = padded.tokens - sum(size.tokens for size in sizes)
    return padded.fits(limit) and padding <= MOST_PADDING * padded.tokens


def _longest_first(sizes: Sequence[Size]) -> list[int]:
    return sorted(range(len(sizes)), key=lambda place: (-sizes[place].tokens, place))


def _in_order(batches: Iterable[list[int]]) -> list[list[int]]:
    return sorted(sorted(batch) for batch in batches)
