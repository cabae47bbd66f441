"""Reading a configuration needs none of the heavy packages."""

import subprocess
import sys

PROGRAM = """
import sys
import trainer.config.load, trainer.config.differences, trainer.config.reference
import trainer.config.suggestions
heavy = {"torch", "transformers", "accelerate", "peft", "numpy", "jinja2", "textual"}
sys.exit(", ".join(sorted(heavy & sys.modules.keys())) or 0)
"""


def test_a_configuration_is_read_without_torch():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
