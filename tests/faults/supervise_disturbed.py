"""A supervisor in a process of its own, whose ranks are disturbed.

Usage: supervise_disturbed.py RUN_DIRECTORY RANKS, with DISTURBED for the ranks.
"""

import sys
from pathlib import Path

from trainer.run.layout import RunLayout
from trainer.run.lock import acquire_run_lock
from trainer.supervisor.supervise import supervise

RANK = Path(__file__).with_name("disturbed_rank.py")
WITHOUT_STAND_IN = ("env", "-u", "LD_LIBRARY_PATH")  # of NVML, which is for the supervisor alone


def main() -> int:
    """Supervise one run to its end."""
    root = Path(sys.argv[1])
    command = [*WITHOUT_STAND_IN, sys.executable, "-P", str(RANK), str(root)]
    lock = acquire_run_lock(root)
    return supervise(RunLayout(root), lock, command=command, ranks=int(sys.argv[2]))


if __name__ == "__main__":
    sys.exit(main())
