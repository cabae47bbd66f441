"""Give large pieces of memory back to the system as soon as they are free."""

import ctypes

MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of <malloc.h>
LARGE_BYTES = 512 * 2**10


def return_large_memory() -> None:
    """Keep the C library from holding on to what charts computed with, where it is glibc.

    It raises the size from which memory goes back at once to the largest piece that ever went,
    up to 32 MB: arrays of a million steps would be cut out of a heap that only grows.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(MMAP_THRESHOLD, LARGE_BYTES)
