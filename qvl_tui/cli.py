"""The `qvl` script: the headless commands."""

from trainer.cli.app import main

__all__ = ["main"]
