"""Break every guard in a copy, see its test fail: `python -m tests.faults.mutants [07 …]`."""

import sys

from tests.faults.mutants.breaking import mutants_of, outcome_with


def main() -> int:
    """Try the patches of the named rows, or all; return how many were not noticed."""
    unnoticed = 0
    for patch in mutants_of(*sys.argv[1:]):
        said = outcome_with(patch)
        unnoticed += said != "noticed"
        print(f"{patch.stem}: {said}", flush=True)
    return unnoticed


if __name__ == "__main__":
    sys.exit(main())
