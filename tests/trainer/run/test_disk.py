import pytest

from tests.trainer.run.building import attempt_started, planned, published, step
from trainer.run.disk import SPARE_BYTES, disk_shortage
from trainer.run.events import Telemetry
from trainer.run.state import RunState

SIZE = 10**9
OPTIONS = {"every_steps": 20, "keep_last": 3, "keep_best": True}


def shortage(free_bytes: int, *saved: int, config: object = OPTIONS):
    """At step 40 of 200."""
    state = RunState()
    started = attempt_started()
    started.config["checkpoint"] = config
    for event in (started, planned(200), *[step(n) for n in range(1, 41)]):
        state.apply(event)
    for number in saved:
        state.apply(published(number, bytes=SIZE))
    state.apply(Telemetry(attempt=1, disk_free_bytes=free_bytes))
    return disk_shortage(state)


@pytest.mark.parametrize(("fitting", "step_without_room"), [(0, 60), (1, 80), (2, 100)])
def test_the_first_checkpoint_without_room_is_named(fitting: int, step_without_room: int):
    short = shortage(SPARE_BYTES + fitting * SIZE, 20, 40)
    assert short is not None
    assert short.step == step_without_room
    assert short.seconds == step_without_room - 40  # a second each
    assert short.wanted_bytes == 3 * SIZE + SPARE_BYTES  # five at once, of which two are there


def test_a_checkpoint_takes_the_room_of_the_one_that_goes():
    assert shortage(SPARE_BYTES + 3 * SIZE, 20, 40) is None
    assert shortage(SPARE_BYTES, 20, 40, 60, 80, 100) is None


def test_no_more_is_wanted_than_the_run_still_saves():
    options = {**OPTIONS, "every_steps": 100}
    assert shortage(SPARE_BYTES + 2 * SIZE, 20, config=options) is None
    short = shortage(SPARE_BYTES + SIZE, 20, config=options)
    assert short is not None
    assert short.step == 200


@pytest.mark.parametrize("config", [None, {}, {"keep_last": "many"}])
def test_nothing_is_forecast_from_what_is_not_known(config: object):
    assert shortage(0, 20, config=config) is None
    assert shortage(0) is None  # no checkpoint was measured
