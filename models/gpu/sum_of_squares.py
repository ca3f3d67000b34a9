"""The sum of the squares of an array on an NVIDIA GPU."""
from chainer.backends.cuda import cupy

from models.gpu.sources import kernel

_BLOCKS, _THREADS = 512, 256


def sum_of_squares(x):
    """Sum of the squares of all numbers.

    Args:
        x (cupy.ndarray): Any shape, C-contiguous, float32.

    Returns:
        cupy.ndarray: Scalar, float32.
    """
    parts, total = cupy.empty(_BLOCKS, cupy.float32), cupy.empty((), cupy.float32)
    kernel('sum_of_squares', 'squares')((_BLOCKS,), (_THREADS,), (x, parts, x.size))
    kernel('sum_of_squares', 'total')((1,), (_THREADS,), (parts, total, _BLOCKS))
    return total
