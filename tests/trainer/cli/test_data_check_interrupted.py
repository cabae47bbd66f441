"""A check that is interrupted leaves at once, leaves nobody behind, and goes on where it was."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.supervisor.python import python_environment

RECORDS = 30_000
SHARD = 1_000


def wait_for(reached: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def anybody_left(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)]
)
def test_an_interrupted_check_goes_on_from_what_it_kept(
    tmp_path: Path, sent: signal.Signals, code: int
):
    data = tmp_path / "many.jsonl"
    lines = (json.dumps({"prompt": f"{it}?" * 60, "response": "yes"}) for it in range(RECORDS))
    data.write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "trainer.cli", "data", "check", str(data), "--json"]
    environment = {**python_environment(), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def kept() -> int:
        return len(list((tmp_path / "cache").glob("qvl/shards/*/*.check.npz")))

    process = subprocess.Popen(
        [*command, "--workers", "2"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    wait_for(lambda: kept() >= 2)
    os.killpg(process.pid, sent)  # as a terminal does
    _out, complaint = process.communicate(timeout=10)
    assert process.returncode == code
    assert b"Traceback" not in complaint
    wait_for(lambda: not anybody_left(process.pid), seconds=5)

    done_before = kept()
    assert 2 <= done_before < RECORDS / SHARD
    again = subprocess.run([*command, "--workers", "0"], env=environment, capture_output=True)
    assert again.returncode == 0
    told = json.loads(again.stdout)["splits"]["train"]
    assert told["looked_at_now"] == RECORDS - SHARD * done_before
    assert told["usable"] == RECORDS
