"""How much of the language-model head is worked out at once."""

CHUNK_LOGITS = 2**25
