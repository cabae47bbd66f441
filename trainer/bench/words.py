"""A measurement as lines that a person reads."""

from collections.abc import Iterator
from typing import Any

from trainer.bench.report import OURS, most_bytes
from trainer.words.numbers import UNKNOWN, significant, size

Told = dict[str, Any]  # what `report` returns

NAMES = {
    OURS: "qvl, the whole loop",
    "bare": "bare step, data ready",
    "trl": "TRL, its defaults",
    "trl-tuned": "TRL, set up alike",
}
MARGIN = "  "
STEPS_SHOWN = 8


def report_lines(told: Told) -> list[str]:
    """Return the report: rates, ratios, losses, and the ways in."""
    return [*training_lines(told), *input_lines(told["input"])]


def training_lines(told: Told) -> Iterator[str]:
    """Yield what training took, if it was measured."""
    if "sides" not in told:
        return
    facts = told["facts"]
    threads = f", {facts['threads']} threads" if facts["device"] == "CPU" else ""
    yield (
        f"{facts['parameters'] / 1e6:,.0f} M parameters on {facts['device']}{threads}, "
        f"{facts['records']:,} records, labels on {told['label_share']:.1%} of their tokens"
    )
    yield from _table(_rate_rows(told))
    yield ""
    yield from _ratio_lines(told)
    yield ""
    yield from _table(_loss_rows(told))


def _rate_rows(told: Told) -> list[list[str]]:
    heads = [
        "",
        "s/step",
        "samples/s",
        "target tokens/s",
        "processor s/sample",
        "first epoch",
        "later",
        "peak memory",
    ]
    rows = [heads]
    for role, side in told["sides"].items():
        rates = side["all"]
        rows.append(
            [
                NAMES[role],
                significant(rates["seconds_per_step"]),
                significant(rates["samples_per_second"]),
                significant(rates["target_tokens_per_second"]),
                significant(rates["processor_seconds_per_sample"]),
                _samples(side["first_epoch"]),
                _samples(side["later_epochs"]),
                size(most_bytes(side["memory"])),
            ]
        )
    return rows


def _samples(rates: Told | None) -> str:
    return UNKNOWN if rates is None else f"{significant(rates['samples_per_second'])}/s"


def _ratio_lines(told: Told) -> Iterator[str]:
    for role, ratios in told["ratios"].items():
        by_round = ", ".join(map(significant, ratios["speed_by_round"]))
        yield (
            f"qvl is {significant(ratios['speed'])} times as fast as {NAMES[role]}: "
            f"{_by_epoch(ratios, 'speed')}; by round {by_round}"
        )
        yield (
            f"{MARGIN}by processor time {significant(ratios['processor_time'])} times: "
            f"{_by_epoch(ratios, 'processor_time')}"
        )
        yield (
            f"{MARGIN}with {significant(ratios['memory'])} of its peak memory; largest difference "
            f"of the losses {significant(ratios['largest_loss_difference'])}"
        )


def _by_epoch(ratios: Told, what: str) -> str:
    first, later = (significant(ratios[f"{what}_{it}"]) for it in ("first_epoch", "later_epochs"))
    return f"{first} in the first epoch, {later} in later ones"


def _loss_rows(told: Told) -> list[list[str]]:
    roles = list(told["sides"])
    shown = told["losses"][:STEPS_SHOWN]
    rows = ([f"{losses['step']}", *(_loss(losses[role]) for role in roles)] for losses in shown)
    return [["loss of step", *roles], *rows]


def _loss(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.6f}"


def input_lines(told: Told | None) -> Iterator[str]:
    """Yield what index, reader and loader reach alone."""
    if told is None:
        return
    index, loader = told["index"], told["loader"]
    yield ""
    yield (
        f"index alone {size(index['bytes_per_second'])}/s, "
        f"{significant(index['records_per_second'])} records/s; "
        f"reader alone {significant(told['reader']['records_per_second'])} records/s; "
        f"loader alone {significant(loader['samples_per_second'])} samples/s "
        f"with {loader['workers']} workers"
    )


def _table(rows: list[list[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *others = row
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        yield MARGIN.join([first.ljust(widths[0]), *cells]).rstrip()
