"""Convolution of any odd kernel as one matrix product: every voxel's neighbourhood gathered into a row (im2col).

Arrays here are channels-last, (N, D, H, W, C), of NumPy or CuPy. Rows are gathered slab by slab, so that they stay in the
cache (CPU) or in a bounded piece of memory (GPU).
"""
from chainer.backends import cuda
import numpy

from models.cpu_blocks import workers

_CPU_BYTES = 1 << 19
_GPU_BYTES = 1 << 28


def _slabs(shape, ksize, itemsize, limit):
    """(n, first plane, last plane + 1) such that a slab's gathered rows stay within `limit` bytes, if a plane does."""
    n, depth, height, width, channels = shape
    plane = height * width * channels * itemsize * ksize[0] * ksize[1] * ksize[2]
    count = min(depth, max(1, limit // max(plane, 1)))
    return [(i, start, min(start + count, depth)) for i in range(n) for start in range(0, depth, count)]


def _gather(x, slab, ksize, empty):
    """Rows (voxels of the slab, kd * kh * kw * C) of `x`, zero outside."""
    n, start, stop = slab
    _, depth, height, width, channels = x.shape
    if tuple(ksize) == (1, 1, 1):
        return x[n, start:stop].reshape(-1, channels)
    xp = cuda.get_array_module(x)
    pd, ph, pw = (k // 2 for k in ksize)
    padded = empty('padded', (stop - start + 2 * pd, height + 2 * ph, width + 2 * pw, channels), x.dtype)
    padded[...] = 0
    first, last = max(start - pd, 0), min(stop + pd, depth)
    padded[first - start + pd:last - start + pd, ph:ph + height, pw:pw + width] = x[n, first:last]
    sd, sh, sw, sc = padded.strides
    view = xp.lib.stride_tricks.as_strided(
        padded, (stop - start, height, width) + tuple(ksize) + (channels,), (sd, sh, sw, sd, sh, sw, sc))
    rows = empty('rows', view.shape, x.dtype)
    rows[...] = view
    return rows.reshape((stop - start) * height * width, -1)


def _allocator(xp, scratch):
    return scratch.get if scratch is not None else lambda name, shape, dtype: xp.empty(shape, dtype)


def convolve(x, W, b=None):
    """Convolution with zero 'same' padding.

    Args:
        x: (N, D, H, W, C_in), C-contiguous.
        W: (C_out, C_in, kd, kh, kw) of the same dtype, odd kernel.
        b: (C_out,) or None.

    Returns:
        (N, D, H, W, C_out), C-contiguous.
    """
    xp = cuda.get_array_module(x)
    ksize = W.shape[2:]
    filters = W.transpose(2, 3, 4, 1, 0).reshape(-1, W.shape[0])
    y = xp.empty(x.shape[:4] + (W.shape[0],), x.dtype)

    def compute(slab, scratch):
        n, start, stop = slab
        out = y[n, start:stop].reshape(-1, W.shape[0])
        xp.matmul(_gather(x, slab, ksize, _allocator(xp, scratch)), filters, out=out)
        if b is not None:
            out += b

    if isinstance(x, numpy.ndarray):
        workers.run(compute, _slabs(x.shape, ksize, x.itemsize, _CPU_BYTES))
    else:
        for slab in _slabs(x.shape, ksize, x.itemsize, _GPU_BYTES):
            compute(slab, None)
    return y


def weight_gradient(x, gy, ksize):
    """Gradient with respect to the weights of `convolve`: (C_out, C_in, kd, kh, kw)."""
    xp = cuda.get_array_module(x)

    def compute(slab, scratch):
        n, start, stop = slab
        rows = _gather(x, slab, ksize, _allocator(xp, scratch))
        return xp.matmul(rows.T, gy[n, start:stop].reshape(-1, gy.shape[4]))

    if isinstance(x, numpy.ndarray):
        total = workers.sum(compute, _slabs(x.shape, ksize, x.itemsize, _CPU_BYTES))
    else:
        total = sum(compute(slab, None) for slab in _slabs(x.shape, ksize, x.itemsize, _GPU_BYTES))
    gW = total.reshape(tuple(ksize) + (x.shape[4], gy.shape[4]))
    return xp.ascontiguousarray(gW.transpose(4, 3, 0, 1, 2))
