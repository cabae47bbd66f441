"""Which tests do which fault: found in the files, and in the table of docs/reliability.md."""

import re
from collections import defaultdict
from pathlib import Path

FAULTS = 33
FOLDER = Path(__file__).parent
PAGE = FOLDER.parents[1] / "docs/reliability.md"
_TEST = re.compile(r"^def test_fault_(\d\d)_", re.MULTILINE)
_ROW = re.compile(r"^\| (\d\d) \|(.*)\|([^|]*)\|$", re.MULTILINE)


def files_by_row() -> dict[int, set[str]]:
    """Return the names of the test files that have a test for each row."""
    found: dict[int, set[str]] = defaultdict(set)
    for path in sorted(FOLDER.glob("test_*.py")):
        for row in _TEST.findall(path.read_text()):
            found[int(row)].add(path.name)
    return dict(found)


def files_by_row_of_page() -> dict[int, set[str]]:
    """Return the names that the page gives for each row."""
    rows = _ROW.findall(PAGE.read_text())
    return {int(row): set(re.findall(r"`(test_\w+\.py)`", files)) for row, _, files in rows}
