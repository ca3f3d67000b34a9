"""Convolution of any odd kernel as one matrix product: every voxel's neighbourhood gathered into a row (im2col).

Arrays here are channels-last, (N, D, H, W, C), of NumPy or CuPy. Rows are gathered slab by slab, so that they stay in
the cache (CPU) or in a bounded piece of memory (GPU).
"""
from chainer.backends import cuda
import numpy

from models import reused_memory
from models.cpu_blocks import workers

_CPU_BYTES = 1 << 18
_GPU_BYTES = 1 << 28


def _slabs(x, ksize):
    """(n, first plane, last plane + 1) such that a slab's gathered rows take few bytes, if a plane's do."""
    n, depth, height, width, channels = x.shape
    plane = height * width * channels * x.itemsize * ksize[0] * ksize[1] * ksize[2]
    parts = min(depth, -(-depth * plane // (_CPU_BYTES if isinstance(x, numpy.ndarray) else _GPU_BYTES)))
    edges = [depth * i // parts for i in range(parts + 1)]
    return [(i, start, stop) for i in range(n) for start, stop in zip(edges, edges[1:])]


def _gather(x, slab, ksize, scratch):
    """Rows (voxels of the slab, kd * kh * kw * C) of `x`, zero outside."""
    n, start, stop = slab
    _, depth, height, width, channels = x.shape
    if tuple(ksize) == (1, 1, 1):
        return x[n, start:stop].reshape(-1, channels)
    xp = cuda.get_array_module(x)
    empty = scratch.get if scratch is not None else lambda name, shape, dtype: xp.empty(shape, dtype)
    pd, ph, pw = (k // 2 for k in ksize)
    padded = empty('padded', (stop - start + 2 * pd, height + 2 * ph, width + 2 * pw, channels), x.dtype)
    padded[...] = 0
    first, last = max(start - pd, 0), min(stop + pd, depth)
    padded[first - start + pd:last - start + pd, ph:ph + height, pw:pw + width] = x[n, first:last]
    voxels, taps = (stop - start, height, width), tuple(ksize)
    if channels == 1:
        # One row per tap instead of one per voxel: whole lines are copied, and BLAS takes the transpose as well.
        view = xp.lib.stride_tricks.as_strided(padded, taps + voxels, padded.strides[:3] * 2)
        rows = empty('rows', view.shape, x.dtype)
        rows[...] = view
        return rows.reshape(ksize[0] * ksize[1] * ksize[2], -1).T
    view = xp.lib.stride_tricks.as_strided(padded, voxels + taps + (channels,), padded.strides[:3] + padded.strides)
    rows = empty('rows', view.shape, x.dtype)
    rows[...] = view
    return rows.reshape((stop - start) * height * width, -1)


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
        n, start, stop = slab
        out = y[n, start:stop].reshape(-1, W.shape[0])
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
        n, start, stop = slab
        return xp.matmul(gy[n, start:stop].reshape(-1, gy.shape[4]).T, _gather(x, slab, ksize, scratch))

    if isinstance(x, numpy.ndarray):
        total = workers.sum(compute, _slabs(x, ksize))
    else:
        total = sum(compute(slab, None) for slab in _slabs(x, ksize))
    total = total.reshape((gy.shape[4],) + tuple(ksize) + (x.shape[4],))
    return xp.ascontiguousarray(total.transpose(0, 4, 1, 2, 3))
