"""A real sshd on 127.0.0.1 with keys of its own."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"


class LoopbackSsh:
    """An SSH server that this user can log in to with a fresh key."""

    def __init__(self, folder: Path) -> None:
        if not Path(SSHD).exists():
            raise RuntimeError("sshd is not installed: apt-get install openssh-server")
        self._folder = folder
        for name in ("host", "user"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)],
                check=True,
            )
        shutil.copy(folder / "user.pub", folder / "authorized_keys")
        self.port = _free_port()
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self._server = subprocess.Popen([SSHD, "-D", "-e", "-f", str(self._config())])
        self._wait()

    def _config(self) -> Path:
        path = self._folder / "sshd_config"
        path.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self._folder / 'host'}\n"
            f"AuthorizedKeysFile {self._folder / 'authorized_keys'}\nStrictModes no\nUsePAM no\n"
            "PidFile none\nLogLevel ERROR\nPasswordAuthentication no\n"
        )
        return path

    def _wait(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("sshd does not listen")

    def command(self, remote: str) -> list[str]:
        """Return the command that logs in with a terminal and runs `remote` in a shell."""
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
        named = [word for option in options for word in ("-o", option)]
        return [
            "ssh", "-tt", "-F", "/dev/null", *named, "-i", str(self._folder / "user"),
            "-p", str(self.port), f"{getpass.getuser()}@127.0.0.1", remote,
        ]  # fmt: skip

    def close(self) -> None:
        """Stop the server."""
        self._server.terminate()
        self._server.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
