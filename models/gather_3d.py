"""Convolution of any odd kernel as one matrix product: every voxel's neighbourhood gathered into a row (im2col).

Arrays here are channels-last, (N, D, H, W, C), of NumPy or CuPy. Rows are gathered slab by slab, so that they stay in
the cache (CPU) or in a bounded piece of memory (GPU).
"""
import itertools
import math

from chainer.backends import cuda
import numpy

from models import reused_memory
from models.cpu_blocks import workers

_CPU_BYTES = 1 << 18
_GPU_BYTES = 1 << 28


def _cut(length, parts):
    parts = max(1, min(length, parts))
    return [slice(length * i // parts, length * (i + 1) // parts) for i in range(parts)]


def _slabs(x, ksize):
    """(n, planes, lines) such that a slab's gathered rows take few bytes: several planes, or some lines of one."""
    n, depth, height, width, channels = x.shape
    limit = _CPU_BYTES if isinstance(x, numpy.ndarray) else _GPU_BYTES
    line = width * channels * x.itemsize * math.prod(ksize)
    lines = _cut(height, -(-height * line // limit))
    planes = _cut(depth, depth if len(lines) > 1 else -(-depth * height * line // limit))
    return list(itertools.product(range(n), planes, lines))


def _rows(a, slab):
    """The slab's voxels of `a` as rows (voxels, C); a view, since a slab has whole planes or lines of one plane."""
    return a[slab].reshape(-1, a.shape[4])


def _reach(part, pad, length):
    """What a part of an axis reads: where it lies in the axis, and where in the padded part."""
    first, last = max(part.start - pad, 0), min(part.stop + pad, length)
    return slice(first, last), slice(first - part.start + pad, last - part.start + pad)


def _gather(x, slab, ksize, scratch):
    """Rows (voxels of the slab, kd * kh * kw * C) of `x`, zero outside."""
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


def convolve(x, W, b=None, relu=False):
    """Convolution with zero 'same' padding.

    Args:
        x: (N, D, H, W, C_in), C-contiguous.
        W: (C_out, C_in, kd, kh, kw) of the same dtype, odd kernel.
        b: (C_out,) or None.
        relu (bool): rectify the result.

    Returns:
        (N, D, H, W, C_out), C-contiguous.
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

    if isinstance(x, numpy.ndarray):
        workers.run(compute, _slabs(x, ksize))
    else:
        for slab in _slabs(x, ksize):
            compute(slab, None)
    return y


def weight_gradient(x, gy, ksize):
    """Gradient with respect to the weights of `convolve` (before rectification).

    Args:
        x: (N, D, H, W, C_in), C-contiguous.
        gy: (N, D, H, W, C_out), C-contiguous.
        ksize: (kd, kh, kw).

    Returns:
        (C_out, C_in, kd, kh, kw), C-contiguous.
    """
    xp = cuda.get_array_module(x)

    def compute(slab, scratch):
        return xp.matmul(_rows(gy, slab).T, _gather(x, slab, ksize, scratch))

    if isinstance(x, numpy.ndarray):
        total = workers.sum(compute, _slabs(x, ksize))
    else:
        total = sum(compute(slab, None) for slab in _slabs(x, ksize))
    total = total.reshape((gy.shape[4],) + tuple(ksize) + (x.shape[4],))
    return xp.ascontiguousarray(total.transpose(0, 4, 1, 2, 3))
