"""Large NumPy arrays whose memory a later array uses again, once the last reference to them is gone.

Without this, the C library gives arrays of tens of megabytes back to the operating system at once. For the next array
it fetches new pages, which the kernel zeroes: about 9 ms for 64 MB, some ten times per training iteration at rate 2.
Nothing is overwritten while an array or a view of it lives.
"""
import math
import threading

import numpy

_SMALLEST = 1 << 20  # bytes; the C library keeps smaller ones itself
_MOST_IDLE = 1 << 28  # bytes; beyond that, what has been idle longest goes back to the operating system

# Longest idle first. Anyone appends; only who holds the lock removes, so positions found stay right.
_idle = []
_lock = threading.Lock()


# All it needs is in its arguments: at the interpreter's end, when the last arrays go, the module's names are gone.
def _keep(memory, idle=_idle, lock=_lock, most=_MOST_IDLE):
    idle.append(memory)
    # The garbage collector may call this at any line, even one where this thread holds the lock: so never wait for it.
    if lock.acquire(blocking=False):
        try:
            while sum(m.nbytes for m in idle) > most:
                del idle[0]
        finally:
            lock.release()


def _take(size):
    with _lock:
        for i, memory in enumerate(_idle):
            if memory.nbytes == size:
                return _idle.pop(i)
    return numpy.empty(size, numpy.uint8)


class _Loan:
    """What an array's `base` leads to; it is deleted after the array and all its views."""

    def __init__(self, shape, dtype):
        self._memory = _take(math.prod(shape) * dtype.itemsize)
        self.__array_interface__ = {'shape': tuple(shape), 'typestr': dtype.str, 'version': 3,
                                    'data': self._memory.__array_interface__['data']}

    def __del__(self, keep=_keep):
        keep(self._memory)


def empty(shape, dtype):
    """`numpy.empty`, in memory used before where a piece of just this size is idle.

    Arrays below 1 MiB are NumPy's own. At most 256 MiB stay idle.

    Args:
        shape (tuple of int): Shape, any number of axes.
        dtype (numpy.dtype or str): Type of the elements.

    Returns:
        numpy.ndarray: C-contiguous; contents undefined.

    Example:
        >>> from models import reused_memory
        >>> first = reused_memory.empty((1000, 1001), 'float32')
        >>> place = first.ctypes.data
        >>> del first
        >>> second = reused_memory.empty((1000, 1001), 'float32')
        >>> second.shape, second.ctypes.data == place
        ((1000, 1001), True)
    """
    dtype = numpy.dtype(dtype)
    if math.prod(shape) * dtype.itemsize < _SMALLEST:
        return numpy.empty(shape, dtype)
    return numpy.asarray(_Loan(shape, dtype))


def release():
    """Give all idle memory back to the operating system, such as at the end of a phase that needed much."""
    with _lock:
        _idle.clear()
