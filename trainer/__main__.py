"""Run one trainer process: `python -m trainer RUN_DIRECTORY`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    from trainer.train.rank import main

    sys.exit(main(Path(sys.argv[1])))
