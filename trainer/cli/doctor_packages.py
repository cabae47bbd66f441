"""Check Python and the packages: versions, pairs known to be bad, whether they import at all."""

import json
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.version import Version

import trainer
from trainer.cli.check import Check
from trainer.supervisor.gpu import Gpus

IMPORT_SECONDS = 180.0

# Run in a process of its own: what breaks there is a line of the report and no more.
_PROBE = """
import json, importlib
found = {}
for name in ("torch", "transformers", "accelerate", "peft", "bitsandbytes", "torchvision"):
    try:
        importlib.import_module(name)
        found[name] = None
    except ModuleNotFoundError as error:
        found[name] = "missing" if error.name == name else f"{type(error).__name__}: {error}"
    except BaseException as error:
        found[name] = f"{type(error).__name__}: {error}"
facts = {"imports": found, "cuda": None, "cuda_available": False}
if found["torch"] is None:
    import torch
    facts["cuda"] = torch.version.cuda
    facts["cuda_available"] = torch.cuda.is_available()
print("FACTS" + json.dumps(facts))
"""


def check_python() -> Check:
    """Say whether this Python is one of those the program is made for."""
    version = ".".join(str(it) for it in sys.version_info[:3])
    if (3, 11) <= sys.version_info[:2] < (3, 13):
        return Check("python", "ok", f"Python {version}")
    return Check("python", "bad", f"Python {version}", "use Python 3.11 or 3.12")


def check_versions() -> list[Check]:
    """Say of every package that is needed whether its version is one that works."""
    return [_check_version(wanted) for wanted in requirements()]


def requirements() -> list[Requirement]:
    """Return what the program asks for, from its installation or the pyproject.toml beside it."""
    try:
        lines = metadata.requires("qvl") or []
    except metadata.PackageNotFoundError:
        project = Path(trainer.__file__).parents[1] / "pyproject.toml"
        lines = tomllib.loads(project.read_text())["project"]["dependencies"]
    wanted = [Requirement(line) for line in lines]
    return [it for it in wanted if it.marker is None or it.marker.evaluate({"extra": ""})]


def _check_version(wanted: Requirement) -> Check:
    found = installed_version(wanted.name)
    remedy = f"pip install '{wanted.name}{wanted.specifier}'"
    if found is None:
        return Check(wanted.name, "bad", "not installed", remedy)
    if not wanted.specifier.contains(found, prereleases=True):
        return Check(wanted.name, "bad", f"{found}, but {wanted.specifier} is needed", remedy)
    return Check(wanted.name, "ok", str(found))


def installed_version(name: str) -> Version | None:
    """Return the version of an installed package."""
    try:
        return Version(metadata.version(name))
    except metadata.PackageNotFoundError:
        return None


def check_imports(gpus: Gpus) -> list[Check]:
    """Import the heavy packages elsewhere and hold torch against the driver."""
    facts = probe()
    if isinstance(facts, str):
        return [Check("imports", "bad", facts, "run `python -c 'import torch, transformers'`")]
    checks = [_check_import(name, error) for name, error in facts["imports"].items()]
    known_bad = [check_patch_embedding(installed_version("torch"))]
    return [*filter(None, [*checks, *known_bad]), check_cuda(facts, gpus)]


def probe() -> dict[str, Any] | str:
    """Return what importing the heavy packages told, or why it told nothing."""
    command = [sys.executable, "-c", _PROBE]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=IMPORT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"importing torch and transformers took over {IMPORT_SECONDS:.0f} s"
    for line in done.stdout.splitlines():
        if line.startswith("FACTS"):
            return json.loads(line.removeprefix("FACTS"))
    return f"importing torch and transformers ended with {done.returncode}: {done.stderr[-300:]}"


def _check_import(name: str, error: str | None) -> Check | None:
    if error is None:
        return Check(f"import {name}", "ok", "imports")
    if name == "torchvision":
        # It is not needed, but a broken one takes transformers down when that looks for it.
        return (
            None
            if error == "missing"
            else Check(
                "import torchvision", "bad", error, "pip uninstall torchvision; it is not needed"
            )
        )
    return Check(f"import {name}", "bad", error, f"reinstall {name}")


def check_patch_embedding(torch_version: Version | None) -> Check | None:
    """Say that torch 2.9 computes the vision tower's first layer 10 to 50 times slower."""
    if torch_version is None or torch_version.release[:2] != (2, 9):
        return None
    message = f"torch {torch_version}: its Conv3d makes the vision tower's first layer very slow"
    return Check("torch 2.9", "warning", message, "use torch 2.11 or newer")


def check_cuda(facts: dict[str, Any], gpus: Gpus) -> Check:
    """Hold torch.version.cuda against what the driver can run."""
    built, driver = facts["cuda"], gpus.cuda_version()
    present = driver is not None and not gpus.note
    if not present:
        said = "built for the CPU" if built is None else f"built for CUDA {built}"
        return Check("torch and driver", "ok", f"torch is {said}; no GPU here to compare with")
    newest = ".".join(str(it) for it in driver or ())
    message = f"torch is built for CUDA {built}, driver {gpus.driver_version()} runs up to {newest}"
    if built is None:
        remedy = "reinstall torch from the index for the driver's CUDA version"
        return Check("torch and driver", "bad", f"torch is a CPU build; {message}", remedy)
    if int(str(built).split(".")[0]) > (driver or (0, 0))[0]:
        return Check("torch and driver", "bad", message, "a newer driver, or a torch for its CUDA")
    if not facts["cuda_available"]:
        return Check("torch and driver", "bad", f"torch cannot use CUDA; {message}", "see dmesg")
    return Check("torch and driver", "ok", message)
