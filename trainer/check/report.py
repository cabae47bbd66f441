"""What a check found, as one JSON object."""

from dataclasses import asdict
from typing import Any

import numpy as np

from trainer.check.checking import Checked
from trainer.check.epoch import Enlarged, Groups
from trainer.check.preview import previews_of
from trainer.check.tally import Kind, Located, Tally

PERCENTILE = 95


def report(checked: Checked, forecast: dict[str, Any] | None) -> dict[str, Any]:
    """Return all that is told; `forecast` is that of the run, where there is one."""
    every = [it for tally in checked.tallies.values() for it in tally.every or ()]
    return {
        "splits": {name: split_as_json(tally) for name, tally in checked.tallies.items()},
        "estimated": checked.estimated,
        "errors": checked.errors,
        "warnings": sum(tally.count("warning") for tally in checked.tallies.values()),
        "findings": [located_as_json(it) for it in every],
        "groups": _groups(checked.groups),
        "enlarged": _enlarged(checked.enlarged),
        "forecast": forecast,
    }


def _groups(groups: Groups | None) -> dict[str, Any] | None:
    if groups is None:
        return None
    return {
        "records_each": groups.size,
        "groups": len(groups.tokens),
        "summaries": groups.summaries,
        "over_long": groups.over_long,
        "tokens": spread(groups.tokens[groups.tokens > 0]),
    }


def _enlarged(enlarged: Enlarged | None) -> dict[str, Any] | None:
    if enlarged is None:
        return None
    return {
        "tokens": spread(enlarged.tokens[enlarged.tokens > 0]),
        "patches": spread(enlarged.patches[enlarged.patches > 0]),
        "over_long": enlarged.over_long,
        "certain": enlarged.certain,
    }


def split_as_json(tally: Tally) -> dict[str, Any]:
    """Return what the records of a split take and the kinds of what is wrong with them."""
    columns, dataset = tally.columns, tally.records.dataset
    usable = columns["tokens"] > 0
    formats = [it.name for it in tally.records.formats]
    return {
        "files": [
            {"file": file.path, "format": name, "records": file.records, "bytes": file.size_bytes}
            for file, name in zip(dataset.files, formats, strict=True)
        ],
        "records": len(tally.records),
        "looked_at_now": tally.fresh,
        "usable": tally.usable,
        "with_images": int((columns["images"] > 0).sum()),
        "images": int(columns["images"].sum()),
        "tokens": spread(columns["tokens"][usable]),
        "target_tokens": spread(columns["target_tokens"][usable]),
        "visual_tokens": spread(columns["visual_tokens"][columns["visual_tokens"] > 0]),
        "patches": spread(columns["patches"][columns["patches"] > 0]),
        "preview": [asdict(it) for it in previews_of(tally.records)],
        "histogram": histogram(columns["tokens"][usable]),
        "kinds": [kind_as_json(kind) for kind in tally.sorted_kinds()],
    }


def spread(values: np.ndarray) -> dict[str, int] | None:
    """Return least, median, 95th percentile, most and sum; None of nothing."""
    if not len(values):
        return None
    return {
        "min": int(values.min()),
        "median": int(np.median(values)),
        f"p{PERCENTILE}": int(np.percentile(values, PERCENTILE)),
        "max": int(values.max()),
        "sum": int(values.sum(dtype=np.int64)),
    }


def histogram(tokens: np.ndarray) -> list[dict[str, int]]:
    """Return how many records have from `first` to `last` tokens, each range twice as far."""
    if not len(tokens):
        return []
    exponents = np.frexp(tokens)[1] - 1  # 2 ** exponent <= tokens
    counts = np.bincount(exponents)
    return [
        {"first": 2**exponent, "last": 2 ** (exponent + 1) - 1, "records": int(counts[exponent])}
        for exponent in range(int(exponents.min()), len(counts))
    ]


def kind_as_json(kind: Kind) -> dict[str, Any]:
    """Return a kind of remark with its examples."""
    return {
        "severity": kind.severity,
        "kind": kind.kind,
        "count": kind.count,
        "examples": [located_as_json(it) for it in kind.examples],
    }


def located_as_json(located: Located) -> dict[str, Any]:
    """Return a remark with its place."""
    remark = located.remark
    return {
        "file": located.file,
        "line": located.line,
        "severity": remark.severity,
        "kind": remark.kind,
        "what": remark.what,
        "remedy": remark.remedy,
    }
