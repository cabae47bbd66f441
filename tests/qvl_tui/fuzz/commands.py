"""Commands that the screen runs, answered without running anything."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from trainer.forecast.device import Device
from trainer.forecast.duration import Unknown
from trainer.forecast.forecast import Forecast
from trainer.forecast.memory import Memory
from trainer.forecast.records import Look


@dataclass(frozen=True)
class Answer:
    """How every command ends from now on."""

    code: int = 0
    words: str = ""  # from outside, wherever a command repeats some


class Commands:
    """Stands where processes are started; what comes back is what `qvl` writes."""

    def __init__(self, runs: Path) -> None:
        self.answer = Answer()
        self.asked: list[str] = []
        self._runs = runs

    async def start(self, _python: str, _m: str, _module: str, *words: str, **_: Any) -> "_Process":
        """Answer `python -m trainer.cli WORDS`, in place of asyncio.create_subprocess_exec."""
        command, name = words[0], words[1]
        self.asked.append(command)
        if self.answer.code:
            return _Process(self.answer.code, b"", self.answer.words.encode(errors="replace"))
        told = self._told(command, name)
        return _Process(0, orjson.dumps(told), self.answer.words.encode(errors="replace"))

    def _told(self, command: str, name: str) -> dict[str, Any]:
        words = self.answer.words.encode(errors="replace").decode()
        match command:
            case "preflight":
                return _forecast(words)
            case "train":
                some = next(it for it in self._runs.iterdir() if it.is_dir())
                return {"name": some.name, "path": str(some)}
            case "delete":
                return {"name": name, "path": words, "restore": f"mv {words} {name}"}
            case _:
                return {"name": name}


@dataclass(frozen=True)
class _Process:
    returncode: int
    output: bytes
    complaints: bytes

    async def communicate(self) -> tuple[bytes, bytes]:
        return self.output, self.complaints


def _forecast(words: str) -> dict[str, Any]:
    told = Forecast(
        train=Look(records=12, looked_at=9, visual_tokens=[4, 9], images=2, remote_images=1),
        validation=Look(records=0),
        samples_per_step=4,
        steps_per_epoch=3,
        total_steps=9,
        pace=None,
        step=Unknown(why=words),
        device=Device(name=words, gpu=True, memory_bytes=10**9, free_bytes=10**6, note=words),
        checkpoint=words,
        memory=Memory(weights=10**9, training=1, activations=1, head=1, overhead=1),
        to_lower=words,
    )
    disk = {"wanted_bytes": 10**9, "free_bytes": 10**6}
    return {**told.as_json(), "refusals": [words], "disk": disk}
