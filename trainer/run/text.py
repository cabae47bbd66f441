"""Make text from outside fit for a terminal."""

import json
import re

# Whole escape sequences of terminals, with ESC or as C1 controls: strings (OSC, DCS, SOS, PM,
# APC) up to their terminator, CSI sequences, and the two- and three-byte ones.
_SEQUENCES = re.compile(
    r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|\x1b[ -/]*[0-~]"
)

# What does not show, or changes how its neighbours show: controls, bidirectional marks,
# overrides and isolates, separators of lines, fillers, tags, surrogates, non-characters. The
# zero-width joiners stay: scripts and emoji need them.
_UNFIT = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b"
    "\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufdd0-\ufdef\ufeff\uffa0"
    "\ufff0-\uffff\U000e0000-\U000e0fff]"
)
_ELLIPSIS = "…"
_SLACK = 8  # characters looked at for each that is kept; escape sequences may take the others


def sanitise(text: str, limit: int | None, *, keep_newlines: bool = False) -> str:
    r"""Return text that a terminal shows as it is, at most `limit` characters of it.

    Escape sequences are removed; of a progress line that was overwritten with carriage returns
    the last state stays; other control characters, bidirectional controls and what else is
    invisible are spelled out as `\x07` or `\u202e`; tabs become four blanks; line ends become
    blanks unless `keep_newlines`. Doing it twice changes nothing. Markup stays as it is, so give
    the result to widgets as plain text.
    """
    text = text.replace("\r\n", "\n")
    if "\r" in text:
        text = "\n".join(_last_state(line) for line in text.split("\n"))
    if limit is not None:
        text, cut = text[: limit * _SLACK], len(text) > limit * _SLACK
    else:
        cut = False
    text = _UNFIT.sub(_spelled_out, _SEQUENCES.sub("", text))
    if not keep_newlines:
        text = text.replace("\n", " ")
    if limit is not None and (len(text) > limit or cut):
        return text[: max(limit - 1, 0)] + _ELLIPSIS[:limit]
    return text


def escaped_in_json(text: str) -> str:
    """Return JSON of the same meaning in which nothing steers a terminal or is invisible."""
    return _UNFIT.sub(lambda found: json.dumps(found[0])[1:-1].replace("\x7f", "\\u007f"), text)


def masked(text: str) -> str:
    """Return text of the same length in which what a terminal does not show as it is is a `�`.

    For lines that can be edited: every character keeps its place, and what is edited stays whole.
    """
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text.replace("\n", " "))


def _last_state(line: str) -> str:
    """Return what a line shows after its last carriage return that was followed by text."""
    return line.rstrip("\r").rpartition("\r")[2]


def _spelled_out(match: re.Match[str]) -> str:
    character = match[0]
    if character == "\t":
        return "    "
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
