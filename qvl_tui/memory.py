"""When memory that is free is given back: what is large at once, objects now and then."""

import ctypes
import gc

from textual._styles_cache import StylesCache

MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of <malloc.h>
LARGE_BYTES = 512 * 2**10
GARBAGE_THRESHOLD = 20_000  # new objects; Python's own is 700
COLLECT_SECONDS = 30.0


def collect_garbage_rarely() -> None:
    """Leave what was made at the start alone: going through it each time slows reading down.

    So rarely, a screen that was closed would stay for hours: all of it is collected every
    COLLECT_SECONDS besides.
    """
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 20)
    gc.enable()


def collect_garbage() -> None:
    """Free all that nobody can reach any more, and the lines of widgets that are gone.

    Textual remembers sums of a few numbers in a cache that holds on to the drawn lines of up to
    1,024 widgets: 0.7 MB each time help is opened.
    """
    StylesCache.get_inner_outer.cache_clear()
    gc.collect()


def return_large_memory() -> None:
    """Keep the C library from holding on to what charts computed with, where it is glibc.

    It raises the size from which memory goes back at once to the largest piece that ever went,
    up to 32 MB: arrays of a million steps would be cut out of a heap that only grows.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(MMAP_THRESHOLD, LARGE_BYTES)
