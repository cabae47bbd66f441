"""What may be found about a record, and the kinds that findings are summed up by."""

import re
from dataclasses import dataclass
from typing import Literal

from trainer.data.errors import RecordError

Severity = Literal["error", "warning"]  # errors are records that a run skips or refuses

LONGEST_WHAT = 400  # characters
_VARIABLE = re.compile(r"'[^']*'|`[^`]*`|<\|[^|]*\|>|(?<!\w)/[^\s:;,]+|(?<![A-Za-z])-?\d[\d.,]*")


@dataclass(frozen=True)
class Remark:
    """One thing about a record that somebody should look at."""

    severity: Severity
    kind: str
    what: str
    remedy: str


def warning(kind: str, what: str, remedy: str) -> Remark:
    """Return a remark about a record that is trained all the same."""
    return Remark("warning", kind, what[:LONGEST_WHAT], remedy)


def remark_of(error: RecordError) -> Remark:
    """Return why a record cannot be used; its kind is the reason without names and numbers."""
    what = error.what[:LONGEST_WHAT]
    return Remark("error", _VARIABLE.sub("…", what), what, error.remedy)
