"""A run's forecast as lines that a person reads."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from trainer.words.numbers import UNKNOWN, count, duration, significant, size

Told = dict[str, Any]  # what `qvl preflight --json` writes

PROBLEMS_SHOWN = 3
PARTS = ("weights", "training", "activations", "head", "overhead")


def forecast_lines(told: Told) -> list[str]:
    """Return the forecast, each line with `✓`, `✗`, `⚠` or a blank before it."""
    return [
        *(f"✗ {refusal}" for refusal in told["refusals"]),
        *data_lines(told["train"], ""),
        *(
            data_lines(told["validation"], " for validation")
            if told["validation"]["records"]
            else ()
        ),
        *steps_lines(told),
        *memory_lines(told),
        disk_line(told["disk"]),
    ]


def data_lines(look: Told, purpose: str) -> Iterator[str]:
    """Yield what the records of a split are like."""
    partly = look["looked_at"] < look["records"]
    looked = f" ({count(look['looked_at'])} looked at)" if partly else ""
    yield f"✓ {count(look['records'])} records{purpose}{looked}"
    if look["visual_tokens"]:
        least, median, most = map(count, look["visual_tokens"])
        yield f"  visual tokens {least}–{most}, median {median}"
    if look["remote_images"]:
        yield f"  {count(look['remote_images'])} images lie elsewhere and were not looked at"
    problems = cast("list[Told]", look["problems"])
    if problems:
        yield f"✗ {count(look['problem_count'])} {_plural('problem', look['problem_count'])}"
    for problem in problems[:PROBLEMS_SHOWN]:
        yield f"  {Path(problem['file']).name}:{problem['line']}: {problem['reason']}"


def steps_lines(told: Told) -> Iterator[str]:
    """Yield how long the run is."""
    yield f"  {count(told['steps_per_epoch'])} steps/epoch · {count(told['total_steps'])} steps"
    if told["seconds"] is not None:
        pace = f"{significant(told['seconds_per_step'])} s/step in {told['pace_of_run']}"
        yield f"  about {duration(told['seconds'])} ({pace})"
        return
    shapes = cast("Told", told["by_shapes"])
    if shapes["why_unknown"]:
        yield f"  time {UNKNOWN} (no earlier run of this model; {shapes['why_unknown']})"
        return
    shortest, longest = map(duration, shapes["seconds"])
    each = " to ".join(significant(it) for it in shapes["seconds_per_step"])
    yield f"  from {shortest} to {longest}: {each} s/step by the model's shapes"
    yield f"  ({shapes['basis']}; no earlier run to go by)"


def memory_lines(told: Told) -> Iterator[str]:
    """Yield what memory is wanted, part by part, and whether it is there."""
    device, memory = cast("Told", told["device"]), cast("Told | None", told["memory"])
    free, whole = size(device["free_bytes"]), size(device["memory_bytes"])
    place = f"{device['name']}: {free} of {whole} free"
    if device["note"]:
        place += f" ({device['note']})"
    if memory is None:
        yield f"  memory {UNKNOWN}: the model's files are not on this machine"
        yield f"  {place}"
        return
    verdict = {True: "✓", False: "✗", None: " "}[told["fits"]]
    words = {True: ", fits", False: ", does not fit", None: ""}[told["fits"]]
    yield f"{verdict} memory about {size(told['memory_total'])}{words}"
    yield f"  {place}"
    yield "  " + " · ".join(f"{part} {size(memory[part])}" for part in PARTS)
    if told["to_lower"]:
        yield f"  to save memory: {told['to_lower']}"
    if kept := told.get("vision_cache_bytes"):
        yield f"  vision cache up to {size(kept)} of the host's memory or disk"


def disk_line(disk: Told) -> str:
    """Return what the run writes and what room there is."""
    mark = "✓" if disk["free_bytes"] >= disk["wanted_bytes"] else "✗"
    return f"{mark} disk about {size(disk['wanted_bytes'])} of {size(disk['free_bytes'])} free"


def _plural(word: str, number: int) -> str:
    return word if number == 1 else f"{word}s"
