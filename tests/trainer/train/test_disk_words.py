"""An error of the disk says what to do."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from trainer.train.checkpoint import NotEnoughSpace
from trainer.train.disk_words import disk_words
from trainer.train.save import disk_errors


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "make room there or lower checkpoint.keep_last"),
        (errno.EDQUOT, "make room or raise it"),
        (errno.EROFS, "mount it anew"),
        (errno.EIO, "on another one"),
    ],
)
def test_an_error_of_the_disk_has_its_remedy(number: int, says: str):
    said = disk_words(OSError(number, os.strerror(number), "/runs/a/checkpoints"))
    assert "/runs/a/checkpoints" in said
    assert says in said


def test_other_errors_stay_as_they_are():
    assert disk_words(FileNotFoundError(errno.ENOENT, "No such file", "/x")) == (
        "[Errno 2] No such file: '/x'"
    )
    assert disk_words(NotEnoughSpace("/x: 3 MiB are free; free some space")).endswith("some space")


def test_weights_that_do_not_fit_are_known_as_a_full_disk(disk: Callable[[str], Path]):
    with pytest.raises(OSError, match="weights could not be written") as raised, disk_errors():
        save_file({"a": torch.zeros(2**20)}, disk("size=1m") / "weights")
    assert raised.value.errno == errno.ENOSPC
    assert "lower checkpoint.keep_last" in disk_words(raised.value)
