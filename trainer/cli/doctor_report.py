"""All that the doctor looks at, and how it is shown."""

from pathlib import Path

from trainer.cli.check import Check
from trainer.cli.doctor_machine import (
    check_clock,
    check_disks,
    check_gpus,
    check_logout,
    check_shared_memory,
    check_terminal,
)
from trainer.cli.doctor_packages import check_imports, check_python, check_versions
from trainer.supervisor.gpu import Gpus, visible_from_environment

GLYPHS = {"ok": "✓", "warning": "⚠", "bad": "✗"}


def all_checks(runs: Path) -> list[Check]:
    """Return every check, in the order of the report."""
    gpus = Gpus(visible_from_environment())
    checks = [
        check_python(),
        *check_versions(),
        *check_imports(gpus),
        *check_gpus(gpus),
        check_shared_memory(),
        *check_disks(runs),
        *check_terminal(),
        check_logout(),
        check_clock(),
    ]
    gpus.close()
    return checks


def report_lines(checks: list[Check]) -> list[str]:
    """Return the report, remedies under what they mend."""
    width = max(len(it.name) for it in checks)
    lines: list[str] = []
    for it in checks:
        lines.append(f"{GLYPHS[it.status]} {it.name.ljust(width)}  {it.message}")
        if it.remedy and it.status != "ok":
            lines.append(f"  {''.ljust(width)}  → {it.remedy}")
    bad = sum(it.status == "bad" for it in checks)
    warnings = sum(it.status == "warning" for it in checks)
    return [*lines, f"{bad} bad, {warnings} warnings"]
