"""The tests of the faults can fail: each is run against a program whose guard is broken."""

import subprocess
from pathlib import Path

import pytest

from tests.faults.mutants.breaking import ROOT, mutants_of, outcome_with

QUICK = ("08",)  # a row whose tests take seconds; `-m nightly` tries all


@pytest.mark.nightly
@pytest.mark.timeout(1000)
@pytest.mark.parametrize("patch", mutants_of(), ids=lambda patch: patch.stem)
def test_a_broken_guard_is_noticed(patch: Path):
    assert outcome_with(patch) == "noticed"


@pytest.mark.parametrize("patch", mutants_of(*QUICK), ids=lambda patch: patch.stem)
def test_a_broken_guard_of_publishing_is_noticed(patch: Path):
    assert outcome_with(patch) == "noticed"


def test_every_row_has_a_patch_and_every_patch_applies():
    patches = mutants_of()
    assert {patch.name[:2] for patch in patches} == {f"{row:02}" for row in range(1, 34)}
    for patch in patches:
        told = subprocess.run(
            ["git", "apply", "--check", str(patch)], cwd=ROOT, capture_output=True, text=True
        )
        assert told.returncode == 0, told.stderr


def test_a_row_without_a_patch_is_named():
    with pytest.raises(ValueError, match="row 99 has no patch"):
        mutants_of("99")
