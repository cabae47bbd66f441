"""Ask about records: a `qvl data show` process of our own that answers line by line."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from trainer.run.text import sanitise

LONGEST_ANSWER_BYTES = 512 * 2**20  # pictures travel inside
MESSAGE_CHARACTERS = 2_000


class InquiryFailed(Exception):
    """The process has no answer; the message is fit to be shown."""

    def __init__(self, message: str) -> None:
        super().__init__(sanitise(message, MESSAGE_CHARACTERS, keep_newlines=True).strip())


class Inquiry:
    """One process that has a data set open, and the questions to it.

    It loads what the screen must not. It ends when its standard input does, so with the screen.
    """

    def __init__(self, arguments: Sequence[str], runs: Path) -> None:
        """`arguments` are those of `qvl data show`."""
        self._arguments = tuple(arguments)
        self._runs = runs
        self._process: asyncio.subprocess.Process | None = None
        self._complaints: asyncio.Task[bytes] | None = None
        self._turn = asyncio.Lock()
        self._asked = 0

    async def open(self) -> dict[str, Any]:
        """Start the process and return what it says there is; raises InquiryFailed."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "trainer.cli", "data", "show", *self._arguments, "--serve"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=LONGEST_ANSWER_BYTES,
                env={**os.environ, "QVL_RUNS": str(self._runs)},
                start_new_session=True,
            )
        except OSError as error:
            raise InquiryFailed(f"qvl data show: {error}") from error
        assert self._process.stderr is not None
        self._complaints = asyncio.create_task(self._process.stderr.read())
        return (await self._next_line())["opened"]

    async def ask(self, **question: object) -> dict[str, Any]:
        """Return the answer to a question; raises InquiryFailed.

        Questions wait for each other. One whose asker went away is answered all the same, and
        passed over.
        """
        async with self._turn:
            process = self._process
            if process is None or process.stdin is None:
                raise InquiryFailed("the records are not open")
            self._asked += 1
            number = self._asked
            process.stdin.write(orjson.dumps({"id": number, **question}) + b"\n")
            try:
                await process.stdin.drain()
            except OSError:  # it has gone; its last words follow
                await self._fail()
            while (line := await self._next_line())["id"] != number:
                continue
        answer: dict[str, Any] = line["answer"]
        if "error" in answer:
            raise InquiryFailed(answer["error"])
        return answer

    async def _next_line(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        text = await self._process.stdout.readline()
        if not text.endswith(b"\n"):
            await self._fail()
        line: dict[str, Any] = orjson.loads(text)
        if "error" in line:
            raise InquiryFailed(line["error"])
        return line

    async def _fail(self) -> None:
        """Say with its own words how the process ended."""
        assert self._process is not None
        assert self._complaints is not None
        said = (await self._complaints).decode(errors="replace")
        code = await self._process.wait()
        raise InquiryFailed(said.strip() or f"qvl data show ended with code {code}")

    async def close(self) -> None:
        """End the process."""
        process = self._process
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()
        if self._complaints is not None:
            await self._complaints
