"""The line that brings a result home."""

import getpass
import socket
from pathlib import Path

import pytest

from trainer.words.transfer import copy_home

PACKED = Path("/runs/my run/final.zip")


@pytest.mark.parametrize(
    ("connection", "options", "address"),
    [
        (None, "", socket.gethostname()),
        ("10.0.0.9 50000 10.0.0.7 22", "", "10.0.0.7"),
        ("10.0.0.9 50000 10.0.0.7 40022", "-P 40022 ", "10.0.0.7"),
        ("fe80::9 50000 fe80::7 22", "", "[fe80::7]"),
    ],
)
def test_the_line_names_the_machine_as_the_user_reached_it(
    monkeypatch: pytest.MonkeyPatch, connection: str | None, options: str, address: str
):
    if connection is None:
        monkeypatch.delenv("SSH_CONNECTION", raising=False)
    else:
        monkeypatch.setenv("SSH_CONNECTION", connection)
    assert copy_home(PACKED) == f"scp {options}'{getpass.getuser()}@{address}:{PACKED}' ."


def test_a_folder_is_fetched_with_all_that_is_in_it(tmp_path: Path):
    assert copy_home(tmp_path).startswith("scp -r ")
