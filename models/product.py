"""Products of matrices, wherever they are."""
from chainer.backends import cuda

from models import gpu
from models.gpu.matmul import matmul


def product(a, b):
    """``a @ b``, of arrays of one device.

    Args:
        a (numpy.ndarray or cupy.ndarray): (batch, rows, depth), or (rows, depth) for all of a batch.
        b (numpy.ndarray or cupy.ndarray): (batch, depth, columns), or (depth, columns), dtype of ``a``.

    Returns:
        numpy.ndarray or cupy.ndarray: (batch, rows, columns) or (rows, columns), dtype of ``a``.
    """
    if gpu.takes(a, b):
        return matmul(a, b)
    return cuda.get_array_module(a).matmul(a, b)
