import math

import orjson
import pytest
from hypothesis import given

from tests.trainer.run.strategies import any_event
from trainer.run.codec import UnknownEventType, decode, encode
from trainer.run.events import AnyEvent, NonFinite, Notice, Step


@given(any_event())
def test_every_event_comes_back_from_its_line_as_it_was(event: AnyEvent):
    line = encode(event)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode(line) == event


def test_numbers_that_are_not_finite_become_null_and_come_back_as_unknown():
    step = Step(
        step=1,
        epoch=0.5,
        loss=math.nan,
        token_accuracy=0.5,
        entropy=math.inf,
        gradient_norm=-math.inf,
        learning_rates={"language": 1e-4},
        target_tokens=3,
        tokens=5,
        padding_share=0.0,
        samples=1,
    )
    line = encode(step)
    assert b"NaN" not in line
    back = decode(line)
    assert isinstance(back, Step)
    assert (back.loss, back.entropy, back.gradient_norm) == (None, None, None)


def test_unknown_fields_are_ignored_and_missing_optional_ones_have_their_default():
    line = b'{"type":"non_finite","step":3,"what":"loss","in_a_row":1,"colour":"red"}'
    assert decode(line) == NonFinite(step=3, what="loss", in_a_row=1)


def test_lone_surrogates_of_odd_file_names_do_not_stop_the_run():
    event = decode(encode(Notice(topic="file", message="bad\udcff name \U0001f600")))
    assert isinstance(event, Notice)
    assert event.message == "bad� name \U0001f600"


def test_an_event_of_a_type_of_the_future_is_told_from_a_broken_line():
    with pytest.raises(UnknownEventType):
        decode(b'{"type":"weather","time":1}')


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[1]",
        b'"text"',
        b"{}",
        b'{"type":"resumed"}',
        b'{"type":"resumed","step":"many"}',
        b'{"type":"step","step":NaN}',
        b"\x00\xff\xfe",
        pytest.param(b"[" * 100_000, id="deep"),
    ],
)
def test_a_line_that_is_no_event_is_a_value_error(line: bytes):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        decode(line)
    assert not isinstance(caught.value, UnknownEventType)


def test_a_line_begins_with_what_every_line_carries():
    line = orjson.loads(encode(Notice(topic="a", message="b", seq=4, time=2.0, attempt=3)))
    assert list(line)[:5] == ["seq", "time", "elapsed", "attempt", "type"]
