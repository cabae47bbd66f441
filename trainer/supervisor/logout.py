"""Find out whether a run outlives the login session it is started from."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

SCOPE_COMMAND = ("systemd-run", "--user", "--scope", "--quiet", "--collect", "--")
LINGER_REMEDY = "run `loginctl enable-linger` once, or start the run with --foreground inside tmux"


@dataclass(frozen=True, kw_only=True)
class Logout:
    """What becomes of a detached run at logout.

    survives: nothing has to be done. scope: it has to be started in a scope of its own.
    dies: nothing we could do keeps it alive.
    """

    fate: Literal["survives", "scope", "dies"]
    reason: str
    remedy: str = ""


def what_logout_does(cgroup: Path = Path("/proc/self/cgroup")) -> Logout:
    """Return whether a detached process outlives this login session."""
    if not in_login_session(cgroup):
        return Logout(fate="survives", reason="not part of a login session that systemd ends")
    manager = _properties("show-session")
    if manager.get("KillUserProcesses") != "yes":
        return Logout(fate="survives", reason="KillUserProcesses is off")
    user = _user_name()
    if user in manager.get("KillExcludeUsers", "").split():
        return Logout(fate="survives", reason=f"user {user} is in KillExcludeUsers")
    return _fate_of_a_killed_session(user)


def in_login_session(cgroup: Path) -> bool:
    """Return whether a process lies in the scope of a login session."""
    try:
        lines = cgroup.read_text().splitlines()
    except OSError:
        return False
    return any(part.startswith("session-") for line in lines for part in line.split("/"))


def _fate_of_a_killed_session(user: str) -> Logout:
    lingers = _properties("show-user", user).get("Linger") == "yes"
    reason = "systemd's KillUserProcesses ends all processes of a session at logout"
    if not user_manager_answers():
        return Logout(fate="dies", reason=reason, remedy=LINGER_REMEDY)
    if not lingers:
        reason += "; a scope of its own lasts until the last session of the user ends"
        return Logout(fate="scope", reason=reason, remedy=LINGER_REMEDY)
    return Logout(fate="scope", reason=f"{reason}; runs are started in a scope of their own")


def user_manager_answers() -> bool:
    """Return whether systemd-run can reach a systemd of this user."""
    if shutil.which("systemd-run") is None:
        return False
    return _output("systemctl", "--user", "show", "--property=Version") != ""


def parse_properties(text: str) -> dict[str, str]:
    """Return `KEY=value` lines as a mapping."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key: value for key, _, value in pairs}


def _properties(*arguments: str) -> dict[str, str]:
    return parse_properties(_output("loginctl", *arguments))


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run under a number that has no name
        return str(os.getuid())
