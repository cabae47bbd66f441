"""Choose the lines of a long monitor.jsonl that readers of a run still need."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import orjson

KEPT_LINES = 1_000  # of every type of event


def carried_lines(lines: Sequence[bytes], limit_bytes: int) -> list[bytes]:
    """Return the newest lines of every type, at most so many bytes, in their order.

    So starts and ends of attempts outlive thousands of alerts and answers to commands. Lines that
    are no events are left behind.
    """
    counts: Counter[str] = Counter()
    chosen: list[bytes] = []
    for line in reversed(lines):
        kind = _type_of(line)
        if not kind or counts[kind] == KEPT_LINES:
            continue
        limit_bytes -= len(line) + 1
        if limit_bytes < 0:
            break
        counts[kind] += 1
        chosen.append(line)
    return chosen[::-1]


def _type_of(line: bytes) -> str:
    try:
        given: Any = orjson.loads(line)
    except ValueError:
        return ""
    kind = cast(dict[str, Any], given).get("type") if isinstance(given, dict) else None
    return kind if isinstance(kind, str) and kind != "monitor_moved" else ""
