"""Start a supervisor with a child instead of a trainer, and follow it as `qvl train` does.

Usage: follow_child.py RUN_DIR MODE[,MODE...] [--events]
"""

import subprocess
import sys
import time
from pathlib import Path

from trainer.cli.follow import Follower, follow
from trainer.run.layout import RunLayout

SUPERVISOR = Path(__file__).parents[1] / "supervisor" / "run_supervisor.py"


def main() -> int:
    layout = RunLayout(Path(sys.argv[1]))
    follower = Follower(layout, copy_events="--events" in sys.argv)
    subprocess.Popen(
        [sys.executable, "-P", str(SUPERVISOR), str(layout.root), sys.argv[2]],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not layout.monitor.exists():
        time.sleep(0.05)
    return follow(follower, follower.next_attempt)


if __name__ == "__main__":
    sys.exit(main())
