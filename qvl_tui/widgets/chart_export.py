"""Save what the charts show as files."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

from textual.app import App

from qvl_tui.charts.csv import chart_csv
from qvl_tui.charts.data import ChartData, View
from qvl_tui.charts.svg import chart_svg
from trainer.run.text import sanitise

WIDTH_PX, HEIGHT_PX = 960, 480
NAME_CHARACTERS = 60
MESSAGE_CHARACTERS = 200


async def save_and_tell(
    app: App[object], folder: Path, charts: Sequence[tuple[ChartData, View]]
) -> None:
    """Save charts in a thread, a million points take their time, and say where they lie."""
    dark = app.current_theme.dark
    try:
        files = await asyncio.to_thread(export_charts, folder, charts, dark=dark)
    except OSError as error:
        words = f"nothing saved: {sanitise(str(error), MESSAGE_CHARACTERS)}"
        app.notify(words, severity="error", markup=False)
        return
    what = f"{files[0].stem}.csv and .svg" if len(files) == 2 else f"{len(files)} files"
    app.notify(f"{what} in {sanitise(str(folder), MESSAGE_CHARACTERS)}", markup=False)


def export_charts(
    folder: Path, charts: Sequence[tuple[ChartData, View]], *, dark: bool
) -> list[Path]:
    """Write a CSV and an SVG file of what is seen in each chart; files of an earlier time go.

    Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for data, view in charts:
        path = folder / f"{file_stem(data.key)}.csv"
        while path in written:  # two keys from outside may differ in nothing else
            path = path.with_stem(path.stem + "-")
        path.write_text(chart_csv(data, view), encoding="utf-8", newline="")
        picture = path.with_suffix(".svg")
        picture.write_text(chart_svg(data, view, WIDTH_PX, HEIGHT_PX, dark=dark), encoding="utf-8")
        written += [path, picture]
    return written


def file_stem(key: str) -> str:
    """Return a file name for a chart; its key may come from outside."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", key)[:NAME_CHARACTERS].strip("-") or "chart"
