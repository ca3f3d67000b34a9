"""Large NumPy arrays whose memory is used again, by a later array, once the last reference to them is gone.

The C library gives arrays of tens of megabytes back to the operating system at once and fetches, and the kernel
zeroes, new pages for the next: about 9 ms for 64 MB, some ten times in a training iteration at rate 2. Nothing is
ever overwritten while any array or view of it lives.
"""
import math
import threading

import numpy

_SMALLEST = 1 << 20  # bytes; the C library keeps smaller ones itself
_MOST_IDLE = 1 << 28  # bytes; beyond it the longest idle goes back to the operating system

_idle = []  # longest idle first; anyone appends, only who holds the lock removes, so positions found stay right
_lock = threading.Lock()


def _keep(memory):
    _idle.append(memory)
    # The garbage collector may call this at any line of this module, also while this thread holds the lock: no waiting.
    if _lock.acquire(blocking=False):
        try:
            while sum(m.nbytes for m in _idle) > _MOST_IDLE:
                del _idle[0]
        finally:
            _lock.release()


def _take(size):
    with _lock:
        for i, memory in enumerate(_idle):
            if memory.nbytes == size:
                return _idle.pop(i)
    return numpy.empty(size, numpy.uint8)


class _Loan:
    """What an array's `base` leads to; it goes when the array and all its views have gone."""

    def __init__(self, shape, dtype):
        self._memory = _take(math.prod(shape) * dtype.itemsize)
        self.__array_interface__ = {'shape': tuple(shape), 'typestr': dtype.str, 'version': 3,
                                    'data': self._memory.__array_interface__['data']}

    def __del__(self):
        _keep(self._memory)


def empty(shape, dtype):
    """`numpy.empty`, with memory used before where some of that size is idle."""
    dtype = numpy.dtype(dtype)
    if math.prod(shape) * dtype.itemsize < _SMALLEST:
        return numpy.empty(shape, dtype)
    return numpy.asarray(_Loan(shape, dtype))
