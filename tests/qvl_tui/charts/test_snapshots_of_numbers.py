"""What a chart shows at one moment stays of one piece while the run goes on."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qvl_tui.charts.album import Album
from qvl_tui.charts.axes import X_AXES
from qvl_tui.charts.reading import nearest_known
from tests.qvl_tui.charts.states import evaluation_at, state_of, steps_of
from trainer.run.events import AnyEvent, Resumed, Telemetry

LATER: Sequence[list[AnyEvent]] = (
    [*steps_of(12)[10:], evaluation_at(12, 1.0), Telemetry(cpu_share=0.5, time=1020.0, attempt=1)],
    [Resumed(step=4, attempt=2)],
    [Resumed(step=0, attempt=2), *steps_of(3)],
)


@given(st.data())
@pytest.mark.parametrize("later", LATER, ids=["more", "less", "less and more"])
def test_columns_that_are_asked_for_later_have_the_length_of_those_before(
    later: list[AnyEvent], data: st.DataObject
):
    samples = [Telemetry(cpu_share=0.1, time=1000.0 + it, attempt=1) for it in range(20)]
    state = state_of([*steps_of(10), evaluation_at(10, 1.0), *samples])
    album = Album([state])
    keys = st.sampled_from(sorted(album.titles))
    looks = st.lists(st.tuples(keys, st.sampled_from(X_AXES)), max_size=3)
    for key, axis in data.draw(looks):
        album.data(key, axis, 0.9)
    for event in later:
        state.apply(event)
    for key, axis in data.draw(looks):
        for curve in album.data(key, axis, 0.9).curves:
            assert len(curve.x) == len(curve.y)
            nearest_known(curve, 5.0)
        album.bounds(axis)
        album.place(5, axis)
        album.carried(5, "step", axis)
