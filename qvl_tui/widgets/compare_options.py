"""In which options compared runs differ."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.content import Content

from qvl_tui.feed import Feed
from qvl_tui.widgets.compare_columns import Compared, blocks
from qvl_tui.widgets.config_page import shown_value
from qvl_tui.widgets.pane import Pane
from qvl_tui.widgets.sheet import Sheet, plain_items
from trainer.run.layout import RunLayout
from trainer.run.text import sanitise

SELF_EVIDENT = ("name",)  # differs always, and stands above the columns
CELL_CELLS = 32  # longer values stand below their key
UNLIKE = "≠ "


@dataclass(frozen=True)
class Options:
    """What config.yaml of a run says, as texts by dotted key."""

    values: dict[str, str] = field(default_factory=dict[str, str])
    problem: str = ""  # why it cannot be read


def read_options(layout: RunLayout) -> Options:
    """Read and check a run's config.yaml."""
    # Imported in the thread that reads: the schema takes its time.
    from trainer.config.differences import flat_values
    from trainer.config.errors import ConfigError
    from trainer.config.load import load_config

    try:
        config = load_config(layout.config, files_must_exist=False)
    except (ConfigError, OSError) as error:
        return Options(problem=sanitise(str(error), 500))
    return Options({key: shown_value(value) for key, value in flat_values(config).items()})


def differing(every: Sequence[Options]) -> list[str]:
    """Return the keys of which any two readable configurations have other values."""
    readable = [options.values for options in every if not options.problem]
    keys = dict.fromkeys(key for values in readable for key in values)
    return [
        key
        for key in keys
        if key not in SELF_EVIDENT and len({values.get(key) for values in readable}) > 1
    ]


def option_lines(
    app: App[object],
    runs: Sequence[Compared],
    every: Sequence[Options],
    baseline: int,
    width: int,
) -> list[Content]:
    """Return the problems, the table of short values, and the long ones key by key."""
    lines = [
        Content.assemble(run.sign(app), f" {run.name}: ", (options.problem, "$error"))
        for run, options in zip(runs, every, strict=True)
        if options.problem
    ]
    keys = differing(every)
    if not keys:
        told = "the configurations that can be read" if lines else "all configurations"
        return [*lines, Content.styled(f"{told} are the same", "$text-muted")]
    long = [key for key in keys if any(cell_len(o.values.get(key, "")) > CELL_CELLS for o in every)]
    short = [key for key in keys if key not in long]
    base = every[baseline].values
    if short:
        columns = [
            [run.head(app), *(_cell(options.values.get(key), base.get(key)) for key in short)]
            for run, options in zip(runs, every, strict=True)
        ]
        lines += blocks(width, short, columns, baseline)
    for key in long:
        lines += _stacked(app, runs, every, key, width)
    return lines


def _cell(value: str | None, base: str | None) -> Content:
    """Return a value, marked where it is another than the baseline's."""
    if value is None:
        return Content("")
    if value == base or base is None:
        return Content.styled(value, "" if base is None else "$text-muted")
    return Content.styled(UNLIKE + value, "bold")


def _stacked(
    app: App[object],
    runs: Sequence[Compared],
    every: Sequence[Options],
    key: str,
    width: int,
) -> list[Content]:
    """Return a key and below it each of its values with the markers of the runs that have it."""
    owners: dict[str, list[Compared]] = {}
    for run, options in zip(runs, every, strict=True):
        if key in options.values:
            owners.setdefault(options.values[key], []).append(run)
    lines = [Content.styled(key, "$text-muted")]
    for value, who in owners.items():
        signs = Content("").join([run.sign(app) for run in who])
        indent = "  " + " " * (len(who) + 1)
        rows = Content(value).wrap(max(width - len(indent), 10)) or [Content("")]
        lines.append(Content.assemble("  ", signs, " ", rows[0]))
        lines += [Content.assemble(indent, row) for row in rows[1:]]
    return lines


class Differences(Pane):
    """The table of options."""

    title = "Configuration"
    DEFAULT_CSS = "Differences > Sheet { height: 1fr; }"

    def __init__(self, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._options: Sequence[Options] | None = None  # None: not read yet
        self._drawn: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """One sheet."""
        yield Sheet()

    def show(self, feed: Feed) -> None:
        """Show that one run differs in nothing."""
        self.show_runs([Compared(feed, feed.layout.name, 0)], 0)

    def take(self, options: Sequence[Options]) -> None:
        """Keep what was read, in the order of the runs."""
        self._options = options
        self._drawn = ()

    def show_runs(self, runs: Sequence[Compared], baseline: int) -> None:
        """Draw anew for another baseline, width or theme."""
        sheet = self.query_one(Sheet)
        width = sheet.scrollable_content_region.width
        looked_at = (baseline, width, self.app.theme)
        if self._options is None or not width or looked_at == self._drawn:
            return
        self._drawn = looked_at
        keys = differing(self._options)
        plural = "" if len(keys) == 1 else "s"
        self.say(f"{len(keys)} option{plural} differ{'s' if not plural else ''}")
        lines = option_lines(self.app, runs, self._options, baseline, width)
        sheet.show_items(plain_items(lines))
