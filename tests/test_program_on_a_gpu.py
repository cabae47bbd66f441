"""The whole program on a machine with a GPU: what it says of the GPU is what the GPU says."""

import json
from collections.abc import Callable

import pytest
import torch

from tests.program import Program
from trainer.run.events import Step, Telemetry
from trainer.run.tail import EventTail

pytestmark = [pytest.mark.gpu, pytest.mark.slow]


@pytest.fixture
def program(make_program: Callable[..., Program]) -> Program:
    return make_program(
        "model.device=cuda",
        "training.max_steps=5000",
    )


def test_a_run_on_the_gpu_is_watched_and_stopped(program: Program):
    program.call(*program.train("--detach"))
    program.wait_for(lambda: len(program.events(Step)) >= 20)
    program.wait_for(lambda: len(samples(program)) >= 4)

    name = torch.cuda.get_device_name(0)
    gpu = samples(program)[-1].gpus[0]
    assert gpu.name == name
    assert gpu.uuid.removeprefix("GPU-") in str(torch.cuda.get_device_properties(0).uuid)
    assert gpu.memory_used_bytes is not None
    assert gpu.memory_total_bytes is not None
    assert 0 < gpu.memory_used_bytes < gpu.memory_total_bytes
    assert gpu.utilization is not None
    assert 0 <= gpu.utilization <= 1

    frame = program.call("watch", "real", "--once")
    assert "GPU0" in frame
    assert json.loads(program.call("status", "real", "--json"))["state"] == "running"
    assert "stopped at step" in program.call("stop", "real", "--wait")


def samples(program: Program) -> list[Telemetry]:
    read = EventTail(program.layout.telemetry).read()
    return [event for event in read if isinstance(event, Telemetry)]


def test_doctor_names_the_gpu(program: Program):
    told, _complaints = program.start("doctor", "--json").communicate(timeout=120)
    (gpu,) = [check for check in json.loads(told) if check["name"] == "GPU 0"]
    assert gpu["status"] == "ok"
    assert torch.cuda.get_device_name(0) in gpu["message"]
