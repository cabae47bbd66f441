"""How to copy a result to one's own machine."""

import getpass
import os
import shlex
import socket
from pathlib import Path

from trainer.run.regular import is_folder

SSH_PORT = "22"


def copy_home(path: Path) -> str:
    """Return the command that, typed at home, fetches a file or folder of this machine.

    Over SSH the address and port are those the user came by; a rented box's own name is seldom
    known outside.
    """
    _client, _client_port, host, port = _connection()
    options = "" if port == SSH_PORT else f"-P {port} "
    options += "-r " if is_folder(path) else ""
    address = f"[{host}]" if ":" in host else host
    return f"scp {options}{shlex.quote(f'{getpass.getuser()}@{address}:{path}')} ."


def _connection() -> tuple[str, str, str, str]:
    """Return client, its port, host and port of this login."""
    parts = os.environ.get("SSH_CONNECTION", "").split()
    if len(parts) == 4:
        return parts[0], parts[1], parts[2], parts[3]
    return "", "", socket.gethostname(), SSH_PORT
