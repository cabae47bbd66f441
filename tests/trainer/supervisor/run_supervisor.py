"""A supervisor in a process of its own, with a child instead of a trainer.

Usage: run_supervisor.py RUN_DIR MODE[,MODE...] [RANKS]. The exit code is the run's, or 9 with a
message where somebody else holds the run.
"""

import sys
from pathlib import Path

from trainer.run.layout import RunLayout
from trainer.run.lock import RunIsHeld, acquire_run_lock
from trainer.supervisor.supervise import supervise

CHILD = str(Path(__file__).with_name("child_rank.py"))


def main() -> int:
    root, modes = Path(sys.argv[1]), sys.argv[2]
    ranks = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    try:
        lock = acquire_run_lock(root, timeout_seconds=0.2)
    except RunIsHeld as error:
        sys.stderr.write(f"{error}\n")
        return 9
    command = [sys.executable, "-P", CHILD, str(root), modes]
    return supervise(RunLayout(root), lock, command=command, ranks=ranks)


if __name__ == "__main__":
    sys.exit(main())
