import subprocess
import sys
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.qvl_tui.recorded import record_run
from tests.trainer.run.strategies import any_event
from trainer.run.codec import encode
from trainer.run.events import AnyEvent, Resumed, Telemetry
from trainer.run.plain import NotPlain, make_plain

ODD = st.sampled_from(
    [None, True, 0, 1, -1.5, 2**53 + 1, 2**80, "", "1", "train", [], ["a", 1], {}, {"a": "b"}]
)


@cache
def validator(kind: type[AnyEvent]) -> TypeAdapter[AnyEvent]:
    return TypeAdapter(kind)


@given(any_event(), st.data())
def test_what_is_made_without_a_validator_is_what_the_validator_makes(
    event: AnyEvent, data: st.DataObject
):
    line = orjson.loads(encode(event))
    names = st.sampled_from([field.name for field in fields(event)] + ["unheard_of"])
    line |= data.draw(st.dictionaries(names, ODD, max_size=2))
    for name in data.draw(st.sets(names, max_size=1)):
        line.pop(name, None)
    try:
        made = make_plain(type(event), line)
    except NotPlain:
        return
    assert repr(made) == repr(validator(type(event)).validate_python(line))


@given(any_event())
def test_every_line_that_a_run_writes_needs_no_validator(event: AnyEvent):
    line = orjson.loads(encode(event))
    made = make_plain(type(event), line)
    assert made == validator(type(event)).validate_python(line)


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (Resumed, {}),
        (Resumed, {"step": "3"}),
        (Resumed, {"step": True}),
        (Resumed, {"step": 3.0}),
        (Resumed, {"step": 3, "checkpoint": 1}),
        (Resumed, {"step": 3, "time": 2**53 + 1}),
        (Resumed, {"step": 3, "type": "step"}),
        (Telemetry, {"gpus": {}}),
        (Telemetry, {"gpus": [{"index": "0"}]}),
    ],
)
def test_a_field_that_is_missing_or_of_another_type_is_left_to_the_validator(
    kind: type[AnyEvent], line: dict[str, Any]
):
    with pytest.raises(NotPlain):
        make_plain(kind, line)


def test_looking_at_a_whole_run_does_not_load_pydantic(tmp_path: Path):
    layout = record_run(tmp_path, "run", end="finished")
    program = (
        "import sys; from pathlib import Path; from trainer.run.layout import RunLayout; "
        "from trainer.run.liveness import load_state; from trainer.run.summary import summarise; "
        "layout = RunLayout(Path(sys.argv[1])); summarise(layout); state = load_state(layout); "
        "print(state.step > 0, *{'pydantic', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(layout.root)], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr
