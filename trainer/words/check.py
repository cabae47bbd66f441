"""What a check of data found, as lines that a person reads."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from trainer.words.forecast import memory_lines, steps_lines
from trainer.words.numbers import count, size

Told = dict[str, Any]  # what `qvl data check --json` writes

BAR_CELLS = 30
PREVIEW_CHARACTERS = 120
MARKS = {"error": "✗", "warning": "⚠"}


def check_lines(told: Told) -> list[str]:
    """Return the report, each line with `✓`, `✗`, `⚠` or a blank before it."""
    lines: list[str] = []
    for name, split in cast("dict[str, Told]", told["splits"]).items():
        lines += split_lines(name, split, estimated=told["estimated"])
    lines += (*group_lines(told["groups"]), *enlarged_lines(told["enlarged"]))
    if told["forecast"]:
        lines += [*steps_lines(told["forecast"]), *memory_lines(told["forecast"])]
    findings = cast("list[Told]", told["findings"])
    lines += (f"{MARKS[it['severity']]} {located_line(it)}" for it in findings)
    return [*lines, *verdict_lines(told)]


def split_lines(name: str, split: Told, *, estimated: bool) -> Iterator[str]:
    """Yield what the records of a split take and what is wrong with them."""
    mark = "✓" if split["usable"] == split["records"] else "✗"
    usable, records = count(split["usable"]), count(split["records"])
    yield f"{mark} {name}: {usable} of {records} records can be used"
    for file in cast("list[Told]", split["files"]):
        told = f"{count(file['records'])} records, {file['format']}, {size(file['bytes'])}"
        yield f"  {Path(file['file']).name}: {told}"
    for preview in cast("list[Told]", split["preview"]):
        yield from preview_lines(preview)
    yield f"  {count(split['with_images'])} with images, {count(split['images'])} images"
    for key, words in (
        ("tokens", "tokens"),
        ("target_tokens", "of them trained"),
        ("visual_tokens", "visual tokens, where there are images"),
    ):
        if split[key]:
            about = " (text estimated: no checkpoint at hand)" if estimated else ""
            yield f"  {words}: {spread_words(split[key])}{about if key == 'tokens' else ''}"
    yield from histogram_lines(split["histogram"])
    for kind in cast("list[Told]", split["kinds"]):
        yield from kind_lines(kind)


def preview_lines(preview: Told) -> Iterator[str]:
    """Yield what the columns of a record become."""
    yield f"    {Path(preview['file']).name}:{preview['line']}"
    for name in ("system", "question", "answer"):
        if preview[name]:
            words = " ".join(preview[name].split())
            shown = words if len(words) <= PREVIEW_CHARACTERS else f"{words[:PREVIEW_CHARACTERS]} …"
            yield f"      {name}: {shown}"


def group_lines(groups: Told | None) -> Iterator[str]:
    """Yield what the groups of the first epoch take."""
    if not groups or not groups["tokens"]:
        return
    mark = "✗" if groups["over_long"] else "✓"
    summaries = f", {count(groups['summaries'])} for summaries" if groups["summaries"] else ""
    yield (
        f"{mark} {count(groups['groups'])} questions about up to {groups['records_each']} records "
        f"in the first epoch{summaries}"
    )
    yield f"  their tokens: {spread_words(groups['tokens'])}"
    if groups["over_long"]:
        yield f"  {count(groups['over_long'])} are too long and would be skipped as a whole"


def enlarged_lines(enlarged: Told | None) -> Iterator[str]:
    """Yield what pictures take that augmentation makes as large as it can."""
    if not enlarged or not enlarged["tokens"]:
        return
    beyond = "" if enlarged["certain"] else ", besides what functions of your own do"
    yield f"  augmented, a record has at most {count(enlarged['tokens']['max'])} tokens{beyond}"
    if enlarged["over_long"]:
        records = count(enlarged["over_long"])
        yield f"⚠ {records} of them may get too long, and would be skipped in such an epoch"


def spread_words(spread: Told) -> str:
    """Return `12 to 340, median 80, 95 % up to 300, 1,200 in all`."""
    least, median, high, most, whole = (
        count(spread[key]) for key in ("min", "median", "p95", "max", "sum")
    )
    return f"{least} to {most}, median {median}, 95 % up to {high}, {whole} in all"


def histogram_lines(ranges: list[Told]) -> Iterator[str]:
    """Yield a bar for each range of lengths."""
    most = max((it["records"] for it in ranges), default=0)
    for it in ranges:
        words = f"{count(it['first'])} to {count(it['last'])}"
        cells = -(-it["records"] * BAR_CELLS // most) if most else 0
        yield f"  {words:>18}  {'▇' * cells:<{BAR_CELLS}} {count(it['records'])}"


def kind_lines(kind: Told) -> Iterator[str]:
    """Yield how often something was found, with examples."""
    yield f"{MARKS[kind['severity']]} {count(kind['count'])} × {kind['kind']}"
    for example in cast("list[Told]", kind["examples"]):
        yield f"    {located_line(example)}"
    more = kind["count"] - len(kind["examples"])
    if more > 0:
        yield f"    and {count(more)} more; --all lists them"


def located_line(located: Told) -> str:
    """Return `train.jsonl:17: what, remedy`."""
    return f"{located['file']}:{located['line']}: {located['what']}; {located['remedy']}"


def verdict_lines(told: Told) -> Iterator[str]:
    """Yield what it comes to."""
    errors, warnings = told["errors"], told["warnings"]
    if errors:
        yield f"✗ {count(errors)} records would be skipped or refused"
    if warnings:
        yield f"⚠ {count(warnings)} remarks about records that are trained all the same"
    if not errors and not warnings:
        yield "✓ nothing is wrong with the records"
