"""A builder of batches that fails as it is told; light, so that processes start at once."""

import os
import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from trainer.data.errors import Source
from trainer.data.samples import BatchArrays, collate
from trainer.data.worker import Request


def _stop_halfway(pipe: Connection, message: bytes, *_: object) -> None:
    os.write(pipe.fileno(), message[: len(message) // 2])
    os.kill(os.getpid(), signal.SIGSTOP)


@dataclass
class Acting:
    """Builds empty batches and does as it is told by the record's number."""

    folder: Path

    def __call__(self, request: Request) -> BatchArrays:
        for record in request.samples:
            (self.folder / f"{record}").touch()
            if record == 1000:
                time.sleep(3600)
            if record == 1001:
                raise ZeroDivisionError("a fault of ours")
            if record == 1002:
                os._exit(7)
            if record == 1003:
                os.kill(os.getpid(), signal.SIGKILL)
            if record == 1004:
                Connection._send = _stop_halfway  # pyright: ignore
            if record >= 2000:
                time.sleep(0.05)
        arrays = collate([], [], 0)
        source = Source(request.split, request.samples[0], os.getpid())
        filler = np.zeros((2**20, 1), dtype=np.uint8)
        return BatchArrays(**{**vars(arrays), "sources": (source,), "patches": filler})

    def describe(self, request: Request) -> str:
        return f"{request.split} " + " ".join(map(str, request.samples))
