"""A library of two GPUs that stands in for the driver's."""

import shutil
import subprocess
from pathlib import Path

import pytest

LOST_FILE = "STAND_IN_NVML_LOST_FILE"  # once the file it names is there, the second GPU is lost


def build_stand_in_nvml(folder: Path) -> Path:
    """Return the folder for LD_LIBRARY_PATH; skips the test where nothing can be compiled."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no gcc here to build the stand-in")
    source = Path(__file__).with_name("fake_nvml.c")
    target = folder / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", target, source], check=True)
    return folder
