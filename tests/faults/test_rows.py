"""Every fault of docs/reliability.md has its tests, and the page names where they are."""

from tests.faults.rows import FAULTS, files_by_row, files_by_row_of_page


def test_every_fault_has_a_test():
    missing = set(range(1, FAULTS + 1)) - set(files_by_row())
    assert not missing, f"no test_fault_NN for {sorted(missing)}"


def test_the_page_names_the_files_of_every_fault():
    found = files_by_row()
    table = files_by_row_of_page()
    assert sorted(table) == list(range(1, FAULTS + 1))
    apart = {row: (found[row], table[row]) for row in found if found[row] != table[row]}
    assert not apart, f"row: (in tests/faults, on the page): {apart}"
