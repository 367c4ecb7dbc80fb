"""How we compile with Numba: sums may be reordered, NaN and infinity stay what they are, the result is kept."""

import numba

from runner.errors import ConfigError

# NaN and infinity stay, because a training has to see them.
FAST = {"contract", "reassoc", "nsz", "arcp", "afn"}
kernel = numba.njit(fastmath=FAST, error_model="numpy")
inline = numba.njit(fastmath=FAST, error_model="numpy", inline="always")


def entry(function):
    """What Python calls: compiled once and kept on the disk. Raises ConfigError where nothing can be kept.

    Numba finds out that a kept function is stale by the date of its own file only: what it calls has to lie in that.
    """
    try:
        return numba.njit(fastmath=FAST, error_model="numpy", nogil=True, cache=True)(function)
    except RuntimeError as error:
        raise ConfigError(
            f"--engine fused keeps what it compiles, and cannot ({error}); "
            "set NUMBA_CACHE_DIR to a folder that can be written, or take --engine plain"
        ) from None
