from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.run.building import evaluation, phase, step, supervisor
from tests.trainer.run.strategies import any_event
from trainer.run import blocks, state
from trainer.run.blocks import decode_lines
from trainer.run.codec import encode
from trainer.run.columns import StepRows, TelemetryRows
from trainer.run.events import AnyEvent, GpuSample, Resumed, Telemetry
from trainer.run.layout import RunLayout
from trainer.run.reader import RunReader
from trainer.run.series import MAX_COLUMNS, Table
from trainer.run.state import RunState
from trainer.run.tail import EventTail


def comparable(state: RunState) -> dict[str, object]:
    """Return the fields of a state; series as bytes, because NaN is not equal to itself."""
    fields: dict[str, object] = {
        name: {column: values.view().tobytes() for column, values in value.columns.items()}
        if isinstance(value, Table)
        else value
        for name, value in vars(state).items()
    }
    return fields | {"_recent_telemetry": list(state.recent_telemetry)}


def slowly(layout: RunLayout) -> RunState:
    """Return the state from line after line."""
    state = RunState()
    for path in (layout.monitor, layout.telemetry, layout.events):
        tail = EventTail(path)
        for event in tail.read(complete=True):
            state.apply(event)
        state.broken_lines += tail.broken_lines
        state.unknown_types += tail.unknown_types
    return state


def read_all(reader: RunReader, max_bytes: int = 2**20, complete: bool = True) -> list[AnyEvent]:
    """Read until the end; return what is worth a line."""
    events: list[AnyEvent] = []
    while True:
        events += reader.apply(reader.read(max_bytes, complete=complete))
        if reader.caught_up:
            return events


def lines_of(*events: AnyEvent) -> bytes:
    return b"".join(map(encode, events))


def fields_of(event: AnyEvent) -> dict[str, Any]:
    return orjson.loads(encode(event))


def sample(number: int, gpus: int = 1, **more: Any) -> Telemetry:
    rows = [
        GpuSample(index=i, uuid=f"u{i}", name="n", utilization=0.5, throttle_reasons=("power cap",))
        for i in range(gpus)
    ]
    return Telemetry(time=1000.0 + number, attempt=1, gpus=tuple(rows), cpu_share=0.5, **more)


ODD = [None, True, "3", "x", 3, 2.5, 7.0, -1, 2**64 - 1, [], [1], ["x"], {}, {"a": 1}, {"a": "x"}]
ODD_VALUES = st.sampled_from(ODD)
FIELD_NAMES = st.sampled_from(
    [*fields_of(step(1)), "reward", "reward", "kl", "learning_rate.language", "time", "gpus"]
)


@st.composite
def step_lines(draw: st.DrawFn) -> list[bytes]:
    """Return lines of consecutive steps; a few of them odd, or one more field in all."""
    first, count = draw(st.integers(1, 30)), draw(st.integers(1, 24))
    attempt = draw(st.integers(0, 3))
    rows = [
        fields_of(step(n, attempt=attempt, mfu=draw(st.sampled_from([0.5, None]))))
        for n in range(first, first + count)
    ]
    for name, value in draw(st.dictionaries(FIELD_NAMES, ODD_VALUES, max_size=2)).items():
        for row in rows:
            row.setdefault(name, value)
    for _ in range(draw(st.integers(0, 2))):
        rows[draw(st.integers(0, count - 1))][draw(FIELD_NAMES)] = draw(ODD_VALUES)
    if draw(st.integers(0, 9)) == 0:
        rows[draw(st.integers(0, count - 1))].pop(draw(FIELD_NAMES), None)
    return [orjson.dumps(row) for row in rows]


@st.composite
def telemetry_lines(draw: st.DrawFn) -> list[bytes]:
    """Return lines of samples, some of them odd."""
    count, gpus = draw(st.integers(1, 20)), draw(st.integers(0, 2))
    rows = [fields_of(sample(n, gpus)) for n in range(count)]
    for _ in range(draw(st.integers(0, 2))):
        row = rows[draw(st.integers(0, count - 1))]
        samples = row.get("gpus")  # which may be odd already, and so may each of them
        known = [it for it in samples if type(it) is dict] if type(samples) is list else []
        changed = draw(st.sampled_from([row, *known]))
        changed[draw(st.sampled_from([*changed, "colour"]))] = draw(ODD_VALUES)
    return [orjson.dumps(row) for row in rows]


GARBAGE = st.sampled_from(
    [b"", b" ", b"null", b"[1]", b"{}", b'{"type":"weather"}', b'{"type":[]}', b"\xff\x00", b'{"a']
)
OTHERS = st.one_of(
    any_event().map(lambda event: encode(event).rstrip(b"\n")),
    st.integers(0, 20).map(lambda n: encode(Resumed(step=n, attempt=2)).rstrip(b"\n")),
    GARBAGE,
)
LINES = st.lists(
    st.one_of(step_lines(), step_lines(), telemetry_lines(), OTHERS.map(lambda line: [line])),
    max_size=6,
).map(lambda some: [line for lines in some for line in lines])


@given(lines=LINES, max_bytes=st.integers(200, 20_000), chunk=st.integers(8, 40))
def test_the_state_is_that_of_line_after_line_whatever_the_lines_and_the_bites(
    lines: list[bytes], max_bytes: int, chunk: int
):
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "CHUNK_LINES", chunk)
        layout = RunLayout(Path(folder))
        layout.events.write_bytes(b"\n".join(lines))
        reader = RunReader(layout)
        read_all(reader, max_bytes)
        assert comparable(reader.state) == comparable(slowly(layout))


@pytest.mark.parametrize("kind", ["step", "telemetry", "gpu"])
def test_an_odd_value_among_lines_that_are_alike_counts_as_it_does_alone(tmp_path: Path, kind: str):
    layout = RunLayout(tmp_path)
    event = step(6) if kind == "step" else sample(6)
    names = list(fields_of(event)["gpus"][0] if kind == "gpu" else fields_of(event))
    for name in names:
        for odd in ODD:
            rows = [fields_of(step(n) if kind == "step" else sample(n)) for n in range(1, 13)]
            (rows[5]["gpus"][0] if kind == "gpu" else rows[5])[name] = odd
            layout.events.write_bytes(b"\n".join(map(orjson.dumps, rows)))
            reader = RunReader(layout)
            read_all(reader)
            assert comparable(reader.state) == comparable(slowly(layout)), (name, odd)


def test_lines_that_are_alike_are_decoded_as_blocks_and_not_one_by_one():
    steps = [encode(step(n, mfu=None if n % 3 else 0.4)) for n in range(1, 51)]
    samples = [encode(sample(n, gpus=2)) for n in range(50)]
    assert [type(it) for it in decode_lines(steps).items] == [StepRows]
    assert [type(it) for it in decode_lines(samples).items] == [TelemetryRows]
    oddly_ordered = decode_lines([*steps[:20], *steps[10:30]]).items
    assert not [it for it in oddly_ordered if isinstance(it, StepRows)]


@pytest.mark.parametrize("in_blocks", [True, False])
def test_numbers_of_a_step_that_no_field_knows_become_columns(tmp_path: Path, in_blocks: bool):
    rows = [fields_of(step(n)) | {"reward": n / 2, "name": "x"} for n in range(1, 21)]
    rows[4]["reward"] = None
    rows[6] |= {"further": {"kl": 0.25, "loss": 99.0}} if not in_blocks else {}
    layout = RunLayout(tmp_path)
    layout.events.write_bytes(b"\n".join(map(orjson.dumps, rows)) + b"\n")
    reader = RunReader(layout)
    read_all(reader, complete=False)
    steps = reader.state.steps
    assert (len(steps), list(steps["reward"][:4])) == (20, [0.5, 1.0, 1.5, 2.0])
    assert steps["reward"][4] != steps["reward"][4]
    assert len(steps["name"]) == 0
    assert 99.0 not in steps["loss"]
    assert (0.25 in steps["kl"]) == (not in_blocks)
    assert reader.state.last_step
    assert reader.state.last_step.further == {"reward": 10.0}


def test_a_stream_of_ever_new_names_does_not_add_columns_for_ever():
    table = Table("step")
    for n in range(1, 1000):
        table.append({"step": n, f"metric{n}": 1.0})
    assert len(table.columns) == MAX_COLUMNS
    assert len(table) == 999


def test_what_is_worth_a_line_is_returned_in_the_order_of_the_file(tmp_path: Path):
    layout = RunLayout(tmp_path)
    told: list[AnyEvent] = [phase("train"), evaluation(2), phase("train", "finished")]
    progress = phase("train", "progress")
    layout.events.write_bytes(lines_of(told[0], step(1), progress, step(2), *told[1:]))
    layout.monitor.write_bytes(lines_of(supervisor()))
    assert read_all(RunReader(layout)) == [supervisor(), *told]


def test_a_file_that_was_replaced_begins_a_new_state(tmp_path: Path):
    layout = RunLayout(tmp_path)
    layout.events.write_bytes(lines_of(step(1), step(2), evaluation(2)))
    layout.monitor.write_bytes(lines_of(supervisor()))
    reader = RunReader(layout)
    read_all(reader)
    before = reader.state
    layout.events.unlink()
    layout.events.write_bytes(lines_of(step(1, loss=9.0)))
    assert read_all(reader) == [supervisor()]
    assert reader.state is not before
    assert comparable(reader.state) == comparable(slowly(layout))
    after = reader.state
    assert not reader.read()
    assert reader.state is after


def test_telemetry_that_was_rotated_goes_on_where_it_ended(tmp_path: Path):
    layout = RunLayout(tmp_path)
    layout.telemetry.write_bytes(lines_of(*[sample(n) for n in range(10)]))
    reader = RunReader(layout)
    read_all(reader)
    before = reader.state
    layout.telemetry.rename(tmp_path / "telemetry.jsonl.1")
    layout.telemetry.write_bytes(lines_of(*[sample(n) for n in range(10, 15)]))
    read_all(reader)
    assert reader.state is before
    assert list(reader.state.telemetry["time"]) == [1000.0 + n for n in range(15)]
    assert reader.share == 1.0


def test_of_long_telemetry_only_the_end_is_read(tmp_path: Path):
    layout = RunLayout(tmp_path)
    layout.telemetry.write_bytes(lines_of(*[sample(n) for n in range(100)]))
    size = len(encode(sample(99)))
    reader = RunReader(layout, telemetry_bytes=10 * size)
    read_all(reader)
    assert list(reader.state.telemetry["time"]) == [1000.0 + n for n in range(90, 100)]
    assert reader.state.broken_lines == 0


def test_of_all_telemetry_before_some_samples_are_read_evenly_from_both_files(tmp_path: Path):
    layout = RunLayout(tmp_path)
    layout.telemetry_before.write_bytes(lines_of(*[sample(n) for n in range(1_000)]))
    layout.telemetry.write_bytes(lines_of(*[sample(n) for n in range(1_000, 2_000)]))
    size = len(encode(sample(1_999)))
    reader = RunReader(layout, telemetry_bytes=10 * size, past_samples=100)
    read_all(reader)
    *past, last = [time - 1000 for time in reader.state.telemetry["time"]]
    assert [*past[-9:], last] == list(range(1_990, 2_000))
    spread = past[:-9]
    assert spread[0] == 0.0
    assert len(spread) == pytest.approx(100, abs=1)
    steps = [after - before for before, after in pairwise(spread)]
    assert steps == pytest.approx([2_000 / 100] * len(steps), abs=2.5)
    assert reader.state.broken_lines == 0


def test_past_samples_come_once_and_again_where_reading_begins_anew(tmp_path: Path):
    layout = RunLayout(tmp_path)
    layout.telemetry_before.write_bytes(lines_of(*[sample(n) for n in range(30)]))
    layout.events.write_bytes(lines_of(step(1), step(2)))
    reader = RunReader(layout, past_samples=5)
    read_all(reader, 100)
    before = reader.state
    assert len(before.telemetry) == 5
    layout.events.write_bytes(lines_of(step(1)))
    read_all(reader)
    assert reader.state is not before
    assert len(reader.state.telemetry) == 5


def test_the_history_of_telemetry_is_bounded_alike_in_blocks_and_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(state, "TELEMETRY_POINTS", 40)
    monkeypatch.setattr(state, "TELEMETRY_SLACK", 50)
    layout = RunLayout(tmp_path)
    layout.telemetry.write_bytes(lines_of(*[sample(n) for n in range(137)]))
    reader = RunReader(layout)
    read_all(reader)
    assert comparable(reader.state) == comparable(slowly(layout))
    assert len(reader.state.recent_telemetry) == 137
    assert len(reader.state.telemetry) <= 50


def test_the_share_that_is_read_grows_to_one_while_a_torn_line_waits(tmp_path: Path):
    layout = RunLayout(tmp_path)
    layout.events.write_bytes(lines_of(*[step(n) for n in range(1, 101)]) + b'{"type":"st')
    reader = RunReader(layout)
    shares = [0.0]
    while not reader.caught_up:
        reader.apply(reader.read(4_000))
        shares.append(reader.share)
    assert shares == sorted(shares)
    assert shares[1] < 0.2
    assert shares[-1] == 1.0
    assert reader.state.broken_lines == 0
    reader.apply(reader.read(complete=True))
    assert reader.state.broken_lines == 1


def test_an_empty_run_is_read_at_once(tmp_path: Path):
    reader = RunReader(RunLayout(tmp_path / "nothing"))
    assert not reader.read()
    assert reader.caught_up
    assert comparable(reader.state) == comparable(RunState())


def test_nothing_is_lost_by_a_file_that_cannot_be_read_for_a_while(tmp_path: Path):
    layout = RunLayout(tmp_path)
    layout.monitor.write_bytes(encode(supervisor()))
    layout.events.mkdir()
    reader = RunReader(layout)
    with pytest.raises(OSError, match="no regular file"):
        reader.read()
    layout.events.rmdir()
    layout.events.write_bytes(encode(step(3)))
    reader.apply(reader.read())
    assert reader.state.current.supervisor is not None
    assert reader.state.step == 3


def test_a_run_that_is_no_folder_can_be_asked_for(tmp_path: Path):
    tmp_path.joinpath("file").touch()
    tmp_path.joinpath("loop").symlink_to("loop")
    for name in ("file", "loop"):
        reader = RunReader(RunLayout(tmp_path / name))
        with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
            reader.read()
