"""Convolution with any odd kernel on an NVIDIA GPU, as `models.gather_3d` on the CPU: gathered rows, one product.

Arrays are channels-last, (N, D, H, W, C).
"""
import math

from chainer.backends.cuda import cupy

from models.gpu.matmul import matmul
from models.gpu.sources import kernel
from models.parts import cut

_BYTES = 1 << 28  # of gathered rows at a time
_THREADS = 256


def _parts(x, ksize):
    """The voxels of a batch, as slices of so many at a time that their rows take few bytes."""
    voxels = math.prod(x.shape[:4])
    return cut(voxels, -(-4 * voxels * math.prod(ksize) * x.shape[4] // _BYTES)) if voxels else []


def _rows(x, ksize, part):
    """Neighbourhoods of these voxels as rows (voxels, k_z * k_y * k_x * C)."""
    if math.prod(ksize) == 1:
        return x.reshape(-1, x.shape[4])[part]
    voxels = part.stop - part.start
    rows = cupy.empty((voxels, math.prod(ksize) * x.shape[4]), cupy.float32)
    sizes = (cupy.int32(size) for size in (*x.shape[1:], *ksize))
    kernel('gather_3d', 'gather')((-(-rows.size // _THREADS),), (_THREADS,), (x, rows, *sizes, part.start, voxels))
    return rows


def convolve(x, W, b=None, relu=False, mask=None):
    """Convolution with stride 1 and zero 'same' padding.

    Args:
        x (cupy.ndarray): (N, D, H, W, C_in), C-contiguous, float32.
        W (cupy.ndarray): (C_out, C_in, k_z, k_y, k_x), each k odd, float32.
        b (cupy.ndarray or None): (C_out,).
        relu (bool): Rectify the result.
        mask (cupy.ndarray or None): (N, D, H, W, C_out), C-contiguous; the result is 0 where this is not positive.

    Returns:
        cupy.ndarray: (N, D, H, W, C_out), C-contiguous, float32.
    """
    channels, ksize = W.shape[0], W.shape[2:]
    filters = W.transpose(2, 3, 4, 1, 0).reshape(-1, channels)
    y = cupy.empty(x.shape[:4] + (channels,), cupy.float32)
    flat, flat_mask = y.reshape(-1, channels), None if mask is None else mask.reshape(-1, channels)
    for part in _parts(x, ksize):
        matmul(_rows(x, ksize, part), filters, b, relu, None if mask is None else flat_mask[part], out=flat[part])
    return y


def weight_gradient(x, gy, ksize):
    """Gradient of `convolve`, before rectification, with respect to the weights.

    Args:
        x (cupy.ndarray): Input, (N, D, H, W, C_in), C-contiguous, float32.
        gy (cupy.ndarray): Gradient of the output, (N, D, H, W, C_out), C-contiguous, float32.
        ksize ((int, int, int)): Kernel size, (k_z, k_y, k_x).

    Returns:
        cupy.ndarray: (C_out, C_in, k_z, k_y, k_x), C-contiguous, float32.
    """
    total = cupy.empty((gy.shape[4], math.prod(ksize) * x.shape[4]), cupy.float32)
    for i, part in enumerate(_parts(x, ksize)):
        matmul(gy.reshape(-1, gy.shape[4])[part].T, _rows(x, ksize, part), out=total, accumulate=i > 0)
    return cupy.ascontiguousarray(total.reshape(-1, *ksize, x.shape[4]).transpose(0, 4, 1, 2, 3))
