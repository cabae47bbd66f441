"""States of runs made of a few events, and what a chart shows of them."""

from collections.abc import Sequence
from dataclasses import replace

from qvl_tui.charts.axes import Snapshot
from qvl_tui.charts.catalogue import (
    chart_data,
)
from qvl_tui.charts.data import ChartData, Curve, XAxis
from tests.qvl_tui.recorded import STEP_SECONDS, Recipe, step_event
from trainer.run.events import (
    AnyEvent,
    Evaluation,
    Step,
)
from trainer.run.state import RunState

RECIPE = Recipe()


def state_of(events: Sequence[AnyEvent]) -> RunState:
    state = RunState()
    for event in events:
        state.apply(event)
    return state


def steps_of(count: int, **changes: object) -> list[Step]:
    return [
        replace(step_event(n, RECIPE), time=1000.0 + n * STEP_SECONDS, attempt=1, **changes)
        for n in range(1, count + 1)
    ]


def evaluation_at(step: int, loss: float, time: float = 0.0) -> Evaluation:
    return Evaluation(
        step=step,
        loss=loss,
        perplexity=None,
        token_accuracy=None,
        entropy=None,
        target_tokens=1,
        samples=1,
        seconds=1,
        time=time,
        attempt=1,
    )


def shown(state: RunState, key: str, x_axis: XAxis = "step", smoothing: float = 0.0) -> ChartData:
    return chart_data(Snapshot(state), key, x_axis, smoothing)


def curve(data: ChartData, label: str) -> Curve:
    return next(it for it in data.curves if it.label == label)
