from pathlib import Path

import pytest

from trainer.run.commands import Command, parse_command, send_command
from trainer.run.layout import RunLayout
from trainer.run.tail import Tail


def test_a_sent_command_is_a_line_that_comes_back_and_no_two_have_the_same_id(tmp_path: Path):
    layout = RunLayout(tmp_path)
    sent = [send_command(layout, 2, "stop"), send_command(layout, 2, "checkpoint")]
    assert [parse_command(line) for line in Tail(layout.commands).read()] == sent
    assert sent[0].id != sent[1].id
    assert (sent[0].attempt, sent[0].command) == (2, "stop")


def test_a_command_of_another_version_can_be_read_and_so_refused_by_name():
    line = b'{"id":"a","attempt":1,"command":"dance","why":"joy"}'
    assert parse_command(line) == Command(id="a", attempt=1, command="dance")


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'{"id":"a"}', b"\xff"])
def test_a_line_that_is_no_command_is_a_value_error(line: bytes):
    with pytest.raises(ValueError):  # noqa: PT011
        parse_command(line)
