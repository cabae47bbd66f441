"""Applies a patch to a copy of the program and runs the tests of its row there."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDER = Path(__file__).parent
COPIED = ("trainer", "qvl_tui", "configs", "tests", "pyproject.toml", "README.md", "docs")
LIMIT_SECONDS = 900


def mutants_of(*rows: str) -> list[Path]:
    """Return the patches of these rows ("07"), or all, in order.

    Raises:
        ValueError: a row has none.
    """
    patches = sorted(FOLDER.glob("[0-9][0-9]-*.patch"))
    for row in rows:
        if not any(patch.name.startswith(f"{row}-") for patch in patches):
            raise ValueError(f"row {row} has no patch in {FOLDER}: add {row}-NAME.patch")
    return [patch for patch in patches if not rows or patch.name[:2] in rows]


def outcome_with(patch: Path) -> str:
    """Return "noticed" where the row's tests fail with the patch, or else what happened."""
    with tempfile.TemporaryDirectory(prefix="qvl-mutant-") as folder:
        copy = Path(folder)
        _copy_to(copy)
        applied = subprocess.run(
            ["git", "apply", "--verbose", str(patch)],
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
            # the copy may lie inside a repository, where git would pass over its paths
            env={**os.environ, "GIT_CEILING_DIRECTORIES": str(copy.parent)},
        )
        if applied.returncode:
            return f"DOES NOT APPLY: {applied.stderr.strip()}"
        return _told_by(_tested(copy, patch.name[:2]))


def _copy_to(folder: Path) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.svg")
            )
        else:
            shutil.copy2(source, folder / name)


def _tested(copy: Path, row: str) -> subprocess.CompletedProcess[str]:
    command = ["-m", "pytest", "-n", "0", "-x", "-q", "-p", "no:cacheprovider", "tests/faults"]
    return subprocess.run(
        [sys.executable, *command, "-k", f"fault_{row}", "-m", "not nightly"],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
        env={**os.environ, "PYTHONPATH": str(copy)},  # before what is installed
    )


def _told_by(done: subprocess.CompletedProcess[str]) -> str:
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (failed|passed|error)", done.stdout)}
    if done.returncode == 1 and counts.get("failed") and not counts.get("error"):
        return "noticed"
    if done.returncode == 0 and counts.get("passed"):
        return f"NOT NOTICED: {counts['passed']} tests passed"
    return f"NO ANSWER (exit code {done.returncode}): {done.stdout[-2000:]}{done.stderr[-1000:]}"
