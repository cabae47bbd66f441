"""The tests of the faults can fail: each is run against a program whose guard is broken."""

from pathlib import Path

import pytest

from tests.faults.mutants.breaking import mutants_of, outcome_with

QUICK = ("02", "08")  # rows whose tests take seconds; `-m nightly` tries all


@pytest.mark.nightly
@pytest.mark.timeout(1000)
@pytest.mark.parametrize("patch", mutants_of(), ids=lambda patch: patch.stem)
def test_a_broken_guard_is_noticed(patch: Path):
    assert outcome_with(patch) == "noticed"


@pytest.mark.parametrize("patch", mutants_of(*QUICK), ids=lambda patch: patch.stem)
def test_a_broken_guard_of_publishing_is_noticed(patch: Path):
    assert outcome_with(patch) == "noticed"


def test_a_row_without_a_patch_is_named():
    with pytest.raises(ValueError, match="row 99 has no patch"):
        mutants_of("99")
