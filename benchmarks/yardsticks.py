"""What the machine can do at best, measured in turn with the networks: a matrix product and a copy."""
from concurrent.futures import ThreadPoolExecutor
import os

import numpy

GEMM_SIDE = {'cpu': 2048, 'gpu': 8192}
COPIED = 2 ** 28  # bytes of an array; with its copy twice that, more than any cache


def _xp(gpu):
    if gpu < 0:
        return numpy
    import util  # noqa: F401
    from util.device import get_device
    get_device(gpu)
    import cupy
    return cupy


def prepare_gemm(case, gpu):
    """A large float32 matrix product, the same for every case.

    Args:
        case (Case): Not used.
        gpu (int): GPU number, or negative for the CPU.

    Returns:
        callable: The step; it returns the product, (2048, 2048) on the CPU and (8192, 8192) on a GPU.
    """
    xp, side = _xp(gpu), GEMM_SIDE['cpu' if gpu < 0 else 'gpu']
    a, b = (xp.asarray(numpy.random.default_rng(i).random((side, side), dtype=numpy.float32)) for i in range(2))
    c = xp.empty_like(a)
    return lambda: xp.matmul(a, b, out=c)


def prepare_copy(case, gpu):
    """A copy of a large float32 array, on the CPU by one thread per core; the same for every case.

    Args:
        case (Case): Not used.
        gpu (int): GPU number, or negative for the CPU.

    Returns:
        callable: The step; it returns the copy, (COPIED / 4,).
    """
    xp = _xp(gpu)
    source, copy = xp.ones(COPIED // 4, xp.float32), xp.zeros(COPIED // 4, xp.float32)
    cores = len(os.sched_getaffinity(0)) if gpu < 0 else 1
    parts = list(zip(numpy.array_split(copy, cores), numpy.array_split(source, cores))) if gpu < 0 else []
    pool = ThreadPoolExecutor(cores)

    def step():
        if gpu < 0:
            list(pool.map(lambda part: numpy.copyto(*part), parts))
        else:
            copy[...] = source
        return copy
    return step


def multiply_adds_per_second(seconds, gpu):
    """The speed of the matrix product.

    Args:
        seconds (float): Of one product.
        gpu (int): GPU number, or negative for the CPU.

    Returns:
        float: Multiply-adds per second; a multiply-add is two FLOP.
    """
    return GEMM_SIDE['cpu' if gpu < 0 else 'gpu'] ** 3 / seconds


def bytes_per_second(seconds):
    """The speed of the copy.

    Args:
        seconds (float): Of one copy.

    Returns:
        float: Bytes read and bytes written, together, per second.
    """
    return 2 * COPIED / seconds
