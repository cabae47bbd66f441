"""GPUs and host of a run, now and over the last minutes."""

from collections.abc import Hashable, Sequence
from math import isnan
from typing import ClassVar

from textual.content import Content

from qvl_tui.feed import Feed
from qvl_tui.widgets.bars import bar, history
from qvl_tui.widgets.fitting import Words, fitted
from qvl_tui.widgets.sheet import Item, plain_items
from qvl_tui.widgets.sheet_pane import SheetPane, nothing_yet
from trainer.run.events import GpuSample, Telemetry
from trainer.run.series import Table
from trainer.run.text import sanitise
from trainer.words.numbers import UNKNOWN, count, duration, size

HISTORY_SECONDS = 600.0
LONGEST_HISTORY = 60  # cells
STALE_SECONDS = 10.0  # after which a sample is no longer called the present
LOAD_CELLS = 8
INDENT = 5
HOT_CELSIUS = 83.0  # where consumer cards begin to slow down
NEARLY_FULL = 0.97
LITTLE_DISK_BYTES = 10 * 10**9
MUTED = "$text-muted"


class System(SheetPane):
    """A few lines per GPU, the host, and the history of the load."""

    title: ClassVar[str] = "System"

    def causes(self, feed: Feed) -> Sequence[Hashable]:
        """Return the newest sample and, once it is no longer the present, how old it is."""
        recent = feed.state.recent_telemetry
        return recent[-1] if recent else None, self._age(feed)

    def content(self, feed: Feed, width: int) -> tuple[Sequence[Content], Sequence[Item]]:
        """Return the newest sample as lines."""
        recent = feed.state.recent_telemetry
        age = self._age(feed)
        self.say(f"{age} ago" if age else "")
        if not recent:
            return (), nothing_yet("no samples of GPU and host yet")
        sample = recent[-1]
        lines = [line for gpu in sample.gpus for line in gpu_lines(gpu, width)]
        if not sample.gpus:
            note = sanitise(sample.gpu_note, 200) or "there is none"
            lines += Content.styled(f"GPU {note}", MUTED).wrap(width)
        lines += [*host_lines(sample, width), *history_lines(feed.state.telemetry, sample, width)]
        return (), plain_items(lines)

    def _age(self, feed: Feed) -> str:
        recent = feed.state.recent_telemetry
        seconds = self.desk.now() - recent[-1].time if recent else 0.0
        return duration(seconds) if seconds > STALE_SECONDS else ""


def gpu_lines(gpu: GpuSample, width: int) -> list[Content]:
    """Return load and memory, then power, temperature, clock and what slows the GPU down."""
    name = sanitise(gpu.name, 40).removeprefix("NVIDIA ").removeprefix("GeForce ")
    used, total = gpu.memory_used_bytes, gpu.memory_total_bytes
    full = used is not None and bool(total) and used / (total or 1) > NEARLY_FULL
    load = Content.assemble(
        f"{_percent(gpu.utilization):>5} ", (bar(gpu.utilization, LOAD_CELLS), "$accent")
    )
    first = fitted(
        width,
        [
            Words(Content.styled(f"GPU{gpu.index}", "bold")),
            Words(Content(name), 2),
            Words(load),
            Words(_warned(_of(used, total), full), 1),
        ],
        gap=1 if width < 50 else 2,
    )
    hot = (gpu.temperature_celsius or 0) >= HOT_CELSIUS
    slowed = ", ".join(sanitise(reason, 40) for reason in gpu.throttle_reasons)
    second = fitted(
        width - INDENT,
        [
            Words(Content(f"{_whole(gpu.power_watts)}/{_whole(gpu.power_limit_watts)} W"), 1),
            Words(_warned(f"{_whole(gpu.temperature_celsius)} °C", hot)),
            Words(Content(f"{count(gpu.sm_clock_mhz)} MHz"), 2),
            Words(_warned("lost by the driver" if gpu.lost else slowed, gpu.lost or bool(slowed))),
        ],
        gap=2,
    )
    return [first, Content.assemble(" " * INDENT, second)]


def host_lines(sample: Telemetry, width: int) -> list[Content]:
    """Return processor, memory and disk of the host."""
    memory = _of(sample.memory_used_bytes, sample.memory_total_bytes)
    left = sample.disk_free_bytes
    little = left is not None and left < LITTLE_DISK_BYTES
    disk = f"disk {size(left)} left of {size(sample.disk_total_bytes)}"
    return [
        fitted(
            width,
            [
                Words(Content(f"CPU {_percent(sample.cpu_share)}")),
                Words(Content(f"RAM {memory}")),
                Words(Content(f"trainer {size(sample.trainer_memory_bytes)}"), 1),
            ],
        ),
        fitted(width, [Words(_warned(disk, little))]),
    ]


def history_lines(telemetry: Table, sample: Telemetry, width: int) -> list[Content]:
    """Return a line per GPU with its load over the last ten minutes, the newest at the right."""
    lines: list[Content] = []
    for gpu in sample.gpus:
        label = f" GPU{gpu.index} load, 10 min"
        cells = min(width - len(label), LONGEST_HISTORY)
        shares = recent_means(telemetry, f"gpu{gpu.index}.utilization", cells)
        drawn = Content.styled(history(shares), "$accent")
        lines.append(Content.assemble(drawn, (label, MUTED)))
    return lines


def recent_means(telemetry: Table, column: str, cells: int) -> list[float | None]:
    """Return the means of a column in so many equal spans of the last ten minutes."""
    times, values = telemetry["time"], telemetry[column]
    sums, counts = [0.0] * max(cells, 0), [0] * max(cells, 0)
    if not times or cells <= 0:
        return []
    began = times[-1] - HISTORY_SECONDS
    for place in range(len(values) - 1, -1, -1):
        if times[place] < began:
            break
        if not isnan(values[place]):
            cell = min(int((times[place] - began) / HISTORY_SECONDS * cells), cells - 1)
            sums[cell] += values[place]
            counts[cell] += 1
    return [total / number if number else None for total, number in zip(sums, counts, strict=True)]


def _warned(text: str, is_bad: bool) -> Content:
    return Content.styled(f"⚠ {text}", "$warning") if is_bad else Content(text)


def _percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{share * 100:.0f} %"


def _whole(value: float | None) -> str:
    return UNKNOWN if value is None else count(round(value))


def _of(used: int | None, total: int | None) -> str:
    """Return `11/13 GB`, the unit once where both have the same."""
    first, last = size(used), size(total)
    number, _, unit = first.partition(" ")
    return f"{number}/{last}" if unit and last.endswith(f" {unit}") else f"{first}/{last}"
