"""Convolution with any odd kernel as a matrix product: the neighbourhood of each voxel becomes a row (im2col).

Arrays here are channels-last, (N, D, H, W, C), of NumPy or CuPy. Rows are gathered slab by slab. On the CPU they so
stay in the cache, on a GPU in a bounded piece of memory.

Source: K. Chellapilla, S. Puri and P. Simard, "High Performance Convolutional Neural Networks for Document Processing",
IWFHR 2006.
"""
import itertools
import math

from chainer.backends import cuda
import numpy

from models import reused_memory
from models.cpu_blocks import workers
from models.parts import cut

_CPU_BYTES = 1 << 18
_GPU_BYTES = 1 << 28


def _slabs(x, ksize):
    """Slabs (n, planes, lines) of item n, so small that their gathered rows take few bytes.

    A slab is several whole planes, or some lines of one plane.
    """
    n, depth, height, width, channels = x.shape
    limit = _CPU_BYTES if isinstance(x, numpy.ndarray) else _GPU_BYTES
    line = width * channels * x.itemsize * math.prod(ksize)
    lines = cut(height, -(-height * line // limit))
    planes = cut(depth, depth if len(lines) > 1 else -(-depth * height * line // limit))
    return list(itertools.product(range(n), planes, lines))


def _rows(a, slab):
    """The slab's voxels of `a` as rows (voxels, C), a view: a slab has whole planes, or lines of one plane."""
    return a[slab].reshape(-1, a.shape[4])


def _reach(part, pad, length):
    """What a part of an axis reads, as two slices: of the axis, and of the padded part."""
    first, last = max(part.start - pad, 0), min(part.stop + pad, length)
    return slice(first, last), slice(first - part.start + pad, last - part.start + pad)


def _gather(x, slab, ksize, scratch):
    """Neighbourhoods of the slab's voxels as rows (voxels, k_z * k_y * k_x * C); zero outside the volume."""
    _, depth, height, width, channels = x.shape
    if tuple(ksize) == (1, 1, 1):
        return _rows(x, slab)
    xp = cuda.get_array_module(x)
    empty = scratch.get if scratch is not None else lambda name, shape, dtype: xp.empty(shape, dtype)
    n, planes, lines = slab
    pd, ph, pw = (k // 2 for k in ksize)
    voxels, taps = (planes.stop - planes.start, lines.stop - lines.start, width), tuple(ksize)
    padded = empty('padded', (voxels[0] + 2 * pd, voxels[1] + 2 * ph, width + 2 * pw, channels), x.dtype)
    padded[...] = 0
    from_planes, to_planes = _reach(planes, pd, depth)
    from_lines, to_lines = _reach(lines, ph, height)
    padded[to_planes, to_lines, pw:pw + width] = x[n, from_planes, from_lines]
    if channels == 1:
        # One row per tap instead of one per voxel: whole lines are copied, and BLAS takes the transpose as well.
        view = xp.lib.stride_tricks.as_strided(padded, taps + voxels, padded.strides[:3] * 2)
        rows = empty('rows', view.shape, x.dtype)
        rows[...] = view
        return rows.reshape(math.prod(taps), -1).T
    view = xp.lib.stride_tricks.as_strided(padded, voxels + taps + (channels,), padded.strides[:3] + padded.strides)
    rows = empty('rows', view.shape, x.dtype)
    rows[...] = view
    return rows.reshape(math.prod(voxels), -1)


def convolve(x, W, b=None, relu=False, mask=None):
    """Convolution with stride 1 and zero 'same' padding.

    Args:
        x (numpy.ndarray or cupy.ndarray): (N, D, H, W, C_in), C-contiguous, float32 or float64.
        W (numpy.ndarray or cupy.ndarray): (C_out, C_in, k_z, k_y, k_x), each k odd, dtype of ``x``.
        b (numpy.ndarray, cupy.ndarray or None): (C_out,).
        relu (bool): Rectify the result.
        mask (numpy.ndarray, cupy.ndarray or None): (N, D, H, W, C_out), C-contiguous; the result is 0 where this is
            not positive.

    Returns:
        numpy.ndarray or cupy.ndarray: (N, D, H, W, C_out), C-contiguous, dtype of ``x``.

    Example:
        >>> import numpy
        >>> from models import gather_3d
        >>> x = numpy.arange(4.0).reshape(1, 1, 1, 4, 1)
        >>> gather_3d.convolve(x, numpy.ones((1, 1, 1, 1, 3)), numpy.array([10.0])).ravel().tolist()
        [11.0, 13.0, 16.0, 15.0]
    """
    xp = cuda.get_array_module(x)
    ksize = W.shape[2:]
    filters = W.transpose(2, 3, 4, 1, 0).reshape(-1, W.shape[0])
    empty = reused_memory.empty if isinstance(x, numpy.ndarray) else xp.empty
    y = empty(x.shape[:4] + (W.shape[0],), x.dtype)

    def compute(slab, scratch):
        out = _rows(y, slab)
        xp.matmul(_gather(x, slab, ksize, scratch), filters, out=out)
        if b is not None:
            out += b
        if relu:
            xp.maximum(out, 0, out=out)
        if mask is not None:
            out *= _rows(mask, slab) > 0

    if isinstance(x, numpy.ndarray):
        workers.run(compute, _slabs(x, ksize))
    else:
        for slab in _slabs(x, ksize):
            compute(slab, None)
    return y


def weight_gradient(x, gy, ksize):
    """Gradient of `convolve`, before rectification, with respect to the weights.

    Args:
        x (numpy.ndarray or cupy.ndarray): Input, (N, D, H, W, C_in), C-contiguous.
        gy (numpy.ndarray or cupy.ndarray): Gradient of the output, (N, D, H, W, C_out), C-contiguous, dtype of ``x``.
        ksize ((int, int, int)): Odd kernel size, (k_z, k_y, k_x).

    Returns:
        numpy.ndarray or cupy.ndarray: (C_out, C_in, k_z, k_y, k_x), C-contiguous, dtype of ``x``.
    """
    xp = cuda.get_array_module(x)

    shape = gy.shape[4], math.prod(ksize) * x.shape[4]

    def add(slab, scratch, total):
        total += xp.matmul(_rows(gy, slab).T, _gather(x, slab, ksize, scratch))

    if isinstance(x, numpy.ndarray):
        total = workers.sum(add, _slabs(x, ksize), shape, x.dtype)
    else:
        total = xp.zeros(shape, x.dtype)
        for slab in _slabs(x, ksize):
            add(slab, None, total)
    total = total.reshape((gy.shape[4],) + tuple(ksize) + (x.shape[4],))
    return xp.ascontiguousarray(total.transpose(0, 4, 1, 2, 3))
