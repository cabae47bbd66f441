"""The light packages never load the heavy ones."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "accelerate", "peft", "bitsandbytes")
IMPORT_ALL = """
import importlib, pkgutil, sys
for name in sys.argv[1].split(","):
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(getattr(package, "__path__", ()), name + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
print(*sorted(set(sys.argv[2].split(",")) & set(sys.modules)))
"""


@pytest.mark.parametrize(
    "names",
    [
        "trainer.run",
        "trainer.config",
        "trainer.supervisor",
        "trainer.cli",
        "qvl_tui",
        "trainer.run,trainer.config,qvl_tui",
        "trainer.data.index,trainer.data.records,trainer.data.check",
        "trainer.demo.report",
    ],
)
def test_a_light_package_imports_nothing_heavy(names: str):
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, names, ",".join(HEAVY)], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
