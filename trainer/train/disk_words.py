"""Say what an error of the disk means for a run, and what to do about it."""

import errno

FULL = "the disk is full; make room there or lower checkpoint.keep_last, then resume"
REMEDIES = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: "the quota is used up; make room or raise it, then resume",
    errno.EROFS: "the disk can only be read; `dmesg` says why, then mount it anew and resume",
    errno.EIO: "the disk fails; look at `dmesg`, and resume from a copy of the run on another one",
}


def disk_words(error: OSError) -> str:
    """Return an error with its remedy, where it is one of the disk."""
    remedy = REMEDIES.get(error.errno or 0, "")
    return f"{error}; {remedy}" if remedy else str(error)
