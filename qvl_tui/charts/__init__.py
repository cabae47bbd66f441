"""Numbers become curves, curves become braille; no widgets here."""
