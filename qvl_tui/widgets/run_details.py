"""What else is known of the chosen run, in the lines below the list."""

import textwrap

from rich.cells import cell_len
from textual.content import Content

from qvl_tui.run_line import Disk, RunLine
from qvl_tui.themes import state_words
from qvl_tui.widgets.runs_columns import ago, cut, going
from trainer.run.text import sanitise
from trainer.words.lines import GLYPHS
from trainer.words.numbers import count, significant, size

PATH_CHARACTERS = 1_000


def details(line: RunLine, disk: Disk | None, now: float, width: int) -> list[Content]:
    """Return the lines, what has to be acted on first."""
    name, glyph = cut(line.name, width // 2), f"{GLYPHS[line.state]} "
    rest = joined(_progress(line, now), width - cell_len(glyph + name) - 3)
    said = [
        Content.assemble(
            (glyph, state_words(line.state)),
            (name, "bold"),
            (f"   {rest}", "$text-muted"),
        )
    ]
    if line.says:
        remedy = f" · {line.remedy}" if line.remedy else ""
        style = state_words(line.state).removeprefix("bold ") if line.trouble else ""
        said += _wrapped("", line.says, width - len(remedy), style, 2)
        said[-1] = Content.assemble(said[-1], (remedy, "$text bold"))
    if line.note:
        said += _wrapped("note  ", line.note, width, "", 1)
    if line.alert:
        said += _wrapped("⚠ ", line.alert, width, "$warning", 2)
    said.append(_muted(_place(line, disk), width))
    return said


def joined(parts: list[str], width: int) -> str:
    """Return as many whole parts as there is room for."""
    while len(parts) > 1 and cell_len(" · ".join(parts)) > width:
        parts = parts[:-1]
    return " · ".join(parts)


def _progress(line: RunLine, now: float) -> list[str]:
    words = [f"attempt {line.attempt}"] if line.attempt else []
    words.append(f"step {count(line.step)}/{count(line.total)}")
    if line.validation is not None:
        words.append(
            f"best validation {significant(line.validation)} at {count(line.validation_step)}"
        )
    if line.left_seconds is not None:
        words.append(f"{going(line.left_seconds)} left")
    elif not line.live:
        words.append(ago(line.age(now)))
    if line.skipped:
        words.append(f"{count(line.skipped)} skipped")
    return words


def _place(line: RunLine, disk: Disk | None) -> str:
    words = [line.owner] if line.owner else []
    if disk:
        plural = "" if disk.checkpoints == 1 else "s"
        words.append(f"{size(disk.bytes)}, {count(disk.checkpoints)} checkpoint{plural}")
    words.append(sanitise(str(line.layout.root), PATH_CHARACTERS))
    return " · ".join(words)


def _muted(text: str, width: int) -> Content:
    return Content.styled(cut(text, width), "$text-muted")


def _wrapped(label: str, text: str, width: int, style: str, rows: int) -> list[Content]:
    """Return text in whole words over at most `rows` lines, an ellipsis where it goes on."""
    room = max(width - len(label), 10)
    parts = textwrap.wrap(text, room, max_lines=rows, placeholder=" …")
    starts = [label, *(" " * len(label) for _ in parts)]
    return [
        Content.assemble((start, "$text-muted"), (cut(part, room), style))
        for start, part in zip(starts, parts, strict=False)
    ]
