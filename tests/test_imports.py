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
        "trainer.words",
        "trainer.config",
        "trainer.supervisor",
        "trainer.forecast",
        "trainer.cli",
        "qvl_tui",
        "trainer.run,trainer.config,qvl_tui",
        "trainer.data.index,trainer.data.records,trainer.data.check",
        "trainer.data.pictures,trainer.data.labels",
        "trainer.data.build,trainer.data.worker",  # all that a data worker imports
        "trainer.demo.report",
        "trainer.bench.configure,trainer.bench.measure,trainer.bench.words,trainer.bench.turns",
    ],
)
def test_a_light_package_imports_nothing_heavy(names: str):
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, names, ",".join(HEAVY)], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_looking_for_runs_and_their_holders_does_not_load_what_decodes_events():
    program = "import sys, trainer.run.layout, trainer.run.liveness, trainer.run.summary; "
    program += "print(*{'pydantic', 'numpy', 'yaml'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
