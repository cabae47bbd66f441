"""Measure how long `qvl` takes until its screen is on the terminal, and until every run is.

Run it as `python -m tests.benchmarks.first_paint`. The ratio is to importing textual alone.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.qvl_tui.pseudo_terminal import PseudoTerminal
from tests.qvl_tui.recorded import record_run

RUNS = 12
ROUNDS = 11


def paint_seconds(folder: Path) -> tuple[float, float]:
    """Return the seconds until the screen says how many runs there are, and until it names them."""
    command = [str(Path(sys.executable).with_name("qvl"))]
    environment = {"QVL_RUNS": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with PseudoTerminal(command, environment=environment) as terminal:
        return terminal.wait_for(f"{RUNS} runs"), terminal.wait_for("recorded-")


def import_seconds() -> float:
    """Return the seconds that a process takes that imports textual and does nothing."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import textual.app, textual.widgets"], check=True)
    return time.perf_counter() - begin


def main() -> None:
    """Print the medians and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(RUNS):
            record_run(Path(folder), f"recorded-{number:02}", end="finished")
        painted: list[tuple[float, float]] = []
        imported: list[float] = []
        for _ in range(ROUNDS):
            painted.append(paint_seconds(Path(folder)))
            imported.append(import_seconds())
    first, named = (sorted(times) for times in zip(*painted, strict=True))
    print(f"first paint: median {median(first):.3f} s, worst {first[-1]:.3f} s")
    print(f"{RUNS} runs read and named: median {median(named):.3f} s, worst {named[-1]:.3f} s")
    print(f"python with textual imported: median {median(imported):.3f} s")
    print(f"ratio of the first paint {median(first) / median(imported):.2f}")


if __name__ == "__main__":
    main()
