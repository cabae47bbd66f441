"""The line above the list of runs, and what stands in its place where there is none."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from textual.content import Content

from qvl_tui.listing import Listing
from qvl_tui.run_line import RunLine
from qvl_tui.themes import state_words
from qvl_tui.widgets.fitting import Words
from trainer.run.layout import list_runs
from trainer.run.state import RunStateName
from trainer.run.text import sanitise
from trainer.words.numbers import UNKNOWN

TOLD: tuple[RunStateName, ...] = (
    "running",
    "starting",
    "stopping",
    "stalled",
    "failed",
    "crashed",
)
PATH_CHARACTERS = 1_000


def runs_title(lines: Sequence[RunLine], shown: int, marked: int, width: int) -> Content:
    """Return how many runs there are in which states, and how busy the GPUs are."""
    counts = Counter(line.state for line in lines)
    total = counted(len(lines))
    words = [Words(Content(total))]
    if shown != len(lines):
        words = [Words(Content.styled(f"{shown} of {total}", "bold $accent"))]
    if marked:
        words.append(Words(Content.styled(f"{marked} marked", "bold $accent"), 1))
    words += [
        Words(Content.styled(f"{counts[state]} {state}", state_words(state)), 3 if i else 2)
        for i, state in enumerate(TOLD)
        if counts[state]
    ]
    words += [Words(Content(text), 5) for text in _gpu_words(lines)]
    dot = Content.styled(" · ", "$text-muted")
    head = Content.assemble(("qvl", "bold $accent"), "  ")
    kept = _that_fit(width - head.cell_length, words, len(dot))
    return head + dot.join(kept)


def counted(runs: int) -> str:
    """Return `1 run`, `12 runs`."""
    return f"{runs} run{'' if runs == 1 else 's'}"


def title_at_first(folder: Path) -> Content:
    """Return the title before any run is read: how many there are costs next to nothing."""
    try:
        there = counted(len(list_runs(folder)))
    except OSError:
        there = ""
    return Content.assemble(("qvl", "bold $accent"), f"  {there}", (" · reading", "$text-muted"))


def _that_fit(width: int, words: list[Words], gap: int) -> list[Content]:
    while len(words) > 1 and sum(it.text.cell_length + gap for it in words) - gap > width:
        words.remove(max(reversed(words), key=lambda it: it.rank))
    return [it.text for it in words]


def _gpu_words(lines: Sequence[RunLine]) -> list[str]:
    loads: dict[int, float | None] = {}
    for line in lines:
        loads.update(line.gpus)
    return [
        f"GPU{index} {UNKNOWN if load is None else f'{load * 100:.0f}'} %"
        for index, load in sorted(loads.items())
    ]


def nothing_there(listing: Listing, folder: Path) -> Content:
    """Return why no run is listed, and what to do."""
    path = sanitise(str(folder), PATH_CHARACTERS)
    if listing.problem and not listing.missing:
        return Content.assemble(
            ("✗ The runs folder ", "$error"),
            (path, "bold"),
            (f" {listing.problem}.\n\n", "$error"),
            "Mend it, or leave with q and name another one: qvl --runs-dir FOLDER",
        )
    there = "does not exist yet" if listing.missing else "holds no run yet"
    return Content.assemble(
        "The runs folder ",
        (path, "bold"),
        f" {there}.\n\n",
        ("n", "bold $accent"),
        "          start a new run; it makes the folder\n",
        ("qvl demo", "bold $accent"),
        "   in a shell: a tiny model learns shapes here in a few minutes, without a GPU\n",
    )
