"""GPUs through the real pynvml, before a library that stands in for the driver's."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.trainer.supervisor.stand_in_nvml import build_stand_in_nvml
from trainer.supervisor.gpu import Gpus, visible_devices
from trainer.supervisor.python import python_environment

UUIDS = ("GPU-aaaa-1", "GPU-aabb-2", "GPU-cccc-3")
SCRIPT = """
import json, os
from dataclasses import asdict
from trainer.supervisor.gpu import Gpus, visible_from_environment
gpus = Gpus(visible_from_environment())
samples = [asdict(it) for it in gpus.sample()]
print(json.dumps([samples, gpus.note, gpus.driver_version(), gpus.cuda_version()]))
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_stand_in_nvml(tmp_path_factory.mktemp("nvml"))


def ask(library: Path, **environment: str):
    inherited = {k: v for k, v in python_environment().items() if k != "CUDA_VISIBLE_DEVICES"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        env={**inherited, "LD_LIBRARY_PATH": str(library), **environment},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_number_of_a_gpu_is_read(library: Path):
    (first, second), note, driver, cuda = ask(library)
    assert first == {
        "index": 0,
        "uuid": "GPU-aaaa",
        "name": "Stand-in GPU",
        "utilization": 0.97,
        "memory_used_bytes": 10 * 2**30,
        "memory_total_bytes": 12 * 2**30,
        "power_watts": 162.0,
        "power_limit_watts": 170.0,
        "temperature_celsius": 71.0,
        "sm_clock_mhz": 1777,
        "throttle_reasons": ["power cap", "thermal (hardware)"],
        "lost": False,
    }
    assert second["power_watts"] is None  # this one does not support the query
    assert (note, driver, cuda) == ("", "580.65.06", [13, 0])


def test_only_the_visible_gpus_are_sampled_found_by_uuid(library: Path):
    samples, _, _, _ = ask(library, CUDA_VISIBLE_DEVICES="GPU-bb")
    assert [it["uuid"] for it in samples] == ["GPU-bbbb"]


def test_hidden_gpus_are_not_available_and_the_note_says_why(library: Path):
    samples, note, _, _ = ask(library, CUDA_VISIBLE_DEVICES="")
    assert samples == []
    assert note == "not available: CUDA_VISIBLE_DEVICES='' hides all 2"


@pytest.mark.parametrize(
    ("visible", "chosen"),
    [
        (None, [0, 1, 2]),
        ("2,0", [2, 0]),
        ("", []),
        ("-1", []),
        ("1,-1,0", [1]),  # CUDA stops at the first that is none
        ("9", []),
        ("GPU-cccc-3,GPU-aabb", [2, 1]),
        ("GPU-aa", []),  # names two
        ("MIG-GPU-cccc-3/1/0", [2]),
        ("1,1", [1]),
    ],
)
def test_cuda_visible_devices_is_understood_as_cuda_does(visible: str | None, chosen: list[int]):
    assert visible_devices(UUIDS, visible) == chosen


def test_without_a_driver_there_is_a_note_and_no_sample():
    gpus = Gpus(None)
    if not gpus.note:
        pytest.skip("this machine has a GPU")
    assert gpus.note.startswith("not available: ")
    assert gpus.sample() == ()
