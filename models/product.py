"""Products of matrices, and of volumes with a matrix along each axis, wherever they are."""
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


def along_axes(volume, matrices):
    """A volume multiplied by a matrix along each axis.

    Args:
        volume (numpy.ndarray or cupy.ndarray): (..., z, y, x), such as (C, z, y, x).
        matrices (sequence): Three, (z', z), (y', y) and (x', x), where the volume is, and of its dtype.

    Returns:
        numpy.ndarray or cupy.ndarray: (..., z', y', x').
    """
    along_z, along_y, along_x = matrices
    depth, height, width = volume.shape[-3:]
    part = product(volume.reshape(-1, width), along_x.T)  # one product: slice by slice BLAS is slow
    part = product(along_y, part.reshape(-1, height, len(along_x)))
    part = product(along_z, part.reshape(-1, depth, len(along_y) * len(along_x)))
    return part.reshape(*volume.shape[:-3], len(along_z), len(along_y), len(along_x))
