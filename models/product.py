"""Products of matrices, and of volumes with a matrix along each axis, wherever they are."""
from chainer import function_node
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
    for axis in reversed(range(3)):
        volume = along_axis(volume, matrices[axis], axis)
    return volume


def along_axis(volume, matrix, axis):
    """A volume multiplied by a matrix along one axis.

    Args:
        volume (numpy.ndarray or cupy.ndarray): (..., z, y, x), such as (C, z, y, x).
        matrix (numpy.ndarray or cupy.ndarray): (m, n), where the volume is, and of its dtype.
        axis (int): 0, 1 or 2: z, y or x, of n voxels.

    Returns:
        numpy.ndarray or cupy.ndarray: The volume's shape, but m voxels along the axis.
    """
    *before, depth, height, width = volume.shape
    if axis == 2:
        part = product(volume.reshape(-1, width), matrix.T)  # one product: slice by slice BLAS is slow
        return part.reshape(*before, depth, height, len(matrix))
    if axis == 1:
        return product(matrix, volume.reshape(-1, height, width)).reshape(*before, depth, len(matrix), width)
    part = product(matrix, volume.reshape(-1, depth, height * width))
    return part.reshape(*before, len(matrix), height, width)


class AlongAxes(function_node.FunctionNode):
    """Function node of :func:`along_axes`, (..., D, H, W) -> (..., D', H', W').

    Args:
        along_z, along_y, along_x (array): (D', D), (H', H) and (W', W), dtype of the input.
    """

    def __init__(self, *matrices):
        self.matrices = matrices

    def forward(self, inputs):
        return along_axes(inputs[0], self.matrices),

    def backward(self, indexes, grad_outputs):
        return AlongAxes(*(matrix.T for matrix in self.matrices)).apply(grad_outputs)
