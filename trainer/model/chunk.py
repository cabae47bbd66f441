"""How much of the language-model head is worked out at once."""

CHUNK_LOGITS = 2**25
CACHED_WORDS = 1024  # the work on their logits stays in a processor's cache


def rows_at_once(vocabulary: int) -> int:
    """Return how many rows a trained head takes at once, each with the whole vocabulary."""
    return max(1, CHUNK_LOGITS // vocabulary)


def words_at_once(rows: int, device: str) -> int:
    """Return how many words a frozen head takes at once, for all rows; `device` as "cpu"."""
    words = max(1, CHUNK_LOGITS // max(1, rows))
    return min(words, CACHED_WORDS) if device == "cpu" else words
