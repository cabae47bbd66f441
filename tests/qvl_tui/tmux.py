"""A real terminal: a tmux server of its own, keys sent, the screen read back."""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

PROMPT = "shell>"


class Tmux:
    """One tmux session with a shell in it."""

    def __init__(
        self,
        folder: Path,
        *,
        size: tuple[int, int] = (120, 40),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        if shutil.which("tmux") is None:
            raise RuntimeError("tmux is not installed: apt-get install tmux")
        self._socket = folder / "tmux.socket"
        columns, rows = size
        start_up = folder / "bashrc"
        start_up.write_text(f"PS1='{PROMPT} '\n")
        environ = {**os.environ, **(environment or {})}
        self._run(
            "-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows),
            "-c", str(folder), f"bash --rcfile {start_up}", environment=environ,
        )  # fmt: skip

    def _run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self._socket), *arguments],
            capture_output=True,
            text=True,
            env=environment,
            timeout=30,
        )
        if done.returncode:
            raise RuntimeError(f"tmux {arguments[0]}: {done.stderr}")
        return done.stdout

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names, such as Enter, Escape, Down, C-p or a letter."""
        for key in keys:
            self._run("send-keys", key)
            time.sleep(0.05)

    def type(self, text: str) -> None:
        """Type text as it is."""
        self._run("send-keys", "-l", text)

    def command(self, line: str) -> None:
        """Type a line into the shell."""
        self.type(line)
        self.press("Enter")

    def picture(self) -> str:
        """Return what is on the screen."""
        return self._run("capture-pane", "-p")

    def wait_for(self, *texts: str, seconds: float = 30.0, gone: str = "") -> str:
        """Return the screen once every text is on it, and `gone` is not."""
        deadline = time.monotonic() + seconds
        while True:
            picture = self.picture()
            if all(text in picture for text in texts) and not (gone and gone in picture):
                return picture
            if time.monotonic() > deadline:
                raise AssertionError(f"{texts} did not appear in {seconds} s:\n{picture}")
            time.sleep(0.1)

    def wait_for_shell(self, seconds: float = 20.0) -> str:
        """Return the screen once the shell waits for a command."""
        deadline = time.monotonic() + seconds
        while not (picture := self.picture()).rstrip().endswith(PROMPT):
            if time.monotonic() > deadline:
                raise AssertionError(f"no prompt in {seconds} s:\n{picture}")
            time.sleep(0.1)
        return picture

    def close(self) -> None:
        """End the session and everything in it."""
        subprocess.run(["tmux", "-S", str(self._socket), "kill-server"], capture_output=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
