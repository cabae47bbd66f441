"""How fast records are converted, and that memory does not grow with the file.

    python -m tests.benchmarks.convert_memory [MEGABYTES]

A JSON array of LLaVA records with a picture inside each is written and converted; the same with
ten times the records must need as much memory.
"""

import base64
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PICTURE_BYTES = 50_000
CHILD = """
import resource, sys
from pathlib import Path
from trainer.data.convert import Reading, convert
done = convert(sys.argv[1], Path(sys.argv[2]), Reading(), force=True, progress=lambda *_: None)
print(done.written, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def write_array(path: Path, records: int) -> None:
    """Write a JSON array of LLaVA records."""
    picture = base64.b64encode(b"\xff\xd8\xff" + bytes(PICTURE_BYTES)).decode()
    turns = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A picture."}]
    record = json.dumps({"image": "data:image/jpeg;base64," + picture, "conversations": turns})
    with path.open("w") as file:
        file.write("[\n" + record)
        for _ in range(records - 1):
            file.write(",\n" + record)
        file.write("\n]\n")


def main() -> None:
    """Convert a small and a large file and tell both."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    large = megabytes * 1_000_000 // (PICTURE_BYTES * 4 // 3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for records in (large // 10, large):
            write_array(folder / "in.json", records)
            started = time.monotonic()
            command = [sys.executable, "-c", CHILD, folder / "in.json", folder / "out.jsonl"]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            written, kilobytes = map(int, said.split())
            seconds = time.monotonic() - started
            print(
                f"{written} records in {seconds:.1f} s ({written / seconds:.0f} a second), "
                f"at most {kilobytes // 1024} MiB"
            )


if __name__ == "__main__":
    main()
