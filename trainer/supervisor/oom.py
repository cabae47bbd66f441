"""Count what the kernel has killed for want of memory, to tell such a kill from any other."""

from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class OomKills:
    """Processes killed so far; None: this kernel or container does not tell."""

    here: int | None  # in this process's control group: a container, a job, a login session
    anywhere: int | None  # on the machine

    def since(self, earlier: "OomKills") -> str:
        """Return what is used up, as far as the kernel killed for it since then; else nothing."""
        if _grew(earlier.here, self.here):
            return "the memory that this container or job may use"
        return "the machine's memory" if _grew(earlier.anywhere, self.anywhere) else ""


def oom_kills(proc: Path = PROC, cgroups: Path = CGROUPS) -> OomKills:
    """Return the kernel's counts of now."""
    told = (_count(path) for path in _own_counts(proc, cgroups))
    return OomKills(next((it for it in told if it is not None), None), _count(proc / "vmstat"))


def _own_counts(proc: Path, cgroups: Path) -> list[Path]:
    """Return where the count of this control group may be, of version 1 and of version 2.

    A container may see its own group at the top, and still be told the path outside.
    """
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return []
    groups = dict(line.split(":", 2)[1:] for line in lines if line.count(":") >= 2)
    found: list[Path] = []
    for name, top, file in (("memory", "memory", "memory.oom_control"), ("", "", "memory.events")):
        if name in groups:
            found += [cgroups / top / groups[name].lstrip("/") / file, cgroups / top / file]
    return found


def _count(path: Path) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    counts = [line.split()[1] for line in lines if line.startswith("oom_kill ")]
    return int(counts[0]) if counts and counts[0].isdecimal() else None


def _grew(before: int | None, now: int | None) -> bool:
    return before is not None and now is not None and now > before
