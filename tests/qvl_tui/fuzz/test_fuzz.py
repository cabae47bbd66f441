"""No stream of events, no garbage and no order of keys brings the screen down.

All screens, sizes from 40x12 to 200x60, files that are replaced and commands that fail. The same
scenes every time; QVL_FUZZ_EXAMPLES sets how many there are. The long run of a night, in other
scenes than those of every day:

    QVL_FUZZ_EXAMPLES=50000 QVL_FUZZ_SEED=1 python -m pytest tests/qvl_tui/fuzz
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.qvl_tui.fuzz.scenes import Scene, any_scene
from tests.qvl_tui.fuzz.theatre import Theatre

EXAMPLES = int(os.environ.get("QVL_FUZZ_EXAMPLES", "1000"))
SEED = int(os.environ.get("QVL_FUZZ_SEED", "0"))
PARTS = 8  # that processors can share
EXAMPLE_SECONDS = 2  # on a machine that is busy


@pytest.mark.slow
@pytest.mark.timeout(600 + EXAMPLES // PARTS * EXAMPLE_SECONDS)
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_that_happens_brings_the_screen_down(part: int, tmp_path: Path):
    theatre = Theatre(tmp_path)
    played = 0

    @seed(SEED * PARTS + part)
    @settings(
        max_examples=-(-EXAMPLES // PARTS),
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(any_scene())
    def play(scene: Scene) -> None:
        nonlocal played
        played += 1
        theatre.play(scene)

    try:
        play()
    finally:
        theatre.close()
    assert played >= EXAMPLES // PARTS
