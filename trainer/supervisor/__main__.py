"""`python -m trainer.supervisor RUN_DIR`: supervise a run whose lock was handed down."""

import os
import sys
from pathlib import Path

from trainer.run.layout import RunLayout
from trainer.run.lock import adopt_run_lock
from trainer.supervisor.supervise import supervise


def main() -> int:
    """Supervise the run and return its exit code."""
    lock = adopt_run_lock(int(os.environ.pop("QVL_LOCK_FD")))
    return supervise(RunLayout(Path(sys.argv[1])), lock)


if __name__ == "__main__":
    sys.exit(main())
