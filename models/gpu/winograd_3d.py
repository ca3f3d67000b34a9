"""3x3x3 and 5x5x5 convolution on an NVIDIA GPU with Winograd's minimal filtering, as `models.winograd_3d` on the CPU.

That module says what is computed, and has the matrices. Here a transform is a kernel of its own, and the 216 matrix
products, tiles by channels, are one batch of `models.gpu.matmul`. Arrays are channels-last, (N, D, H, W, C).
"""
import functools

import numpy
from chainer.backends.cuda import cupy

from models.gpu.matmul import matmul
from models.gpu.sources import kernel
from models.parts import cut
from models.winograd_3d import POINTS, filtering

_LANES = 32
_BYTES = 1 << 28  # of transformed input and output at a time


def _as_struct(name, matrix):
    """A matrix as a type of CUDA C++, whose entries are known when the kernel is compiled."""
    rows = ', '.join('{' + ', '.join(f'{value:.9e}f' for value in row) + '}' for row in matrix)
    return (f'struct {name} {{ static constexpr int TO = {len(matrix)}, FROM = {len(matrix[0])};\n'
            f'static __device__ constexpr float at(int i, int j) {{ constexpr float m[TO][FROM] = {{{rows}}};\n'
            'return m[i][j]; } };\n')


@functools.cache
def _head(k):
    """The constants of winograd_3d.cu."""
    f = filtering(k, numpy.dtype('f'))
    return (f'constexpr int SIDE = {f.tile}, PAD = {f.pad};\n'
            + _as_struct('BT', f.bt) + _as_struct('A', f.a) + _as_struct('AT', f.a.T))


@functools.cache
def _along_three_axes(k, device):
    """G along depth, height and width at once, (216, k^3)."""
    g = filtering(k, numpy.dtype('d')).g
    return cupy.asarray(numpy.kron(numpy.kron(g, g), g).astype(numpy.float32))


class _Tiles:
    """The tiles of a batch of volumes, so many at a time that they take few bytes.

    Args:
        shape (tuple): (N, D, H, W, C).
        k (int): Side of the kernel.
        channels (int): Of the transformed input and output together.
    """

    def __init__(self, shape, k, channels):
        self.k = k
        side = filtering(k, numpy.dtype('f')).tile
        self.counts = [-(-length // side) for length in shape[1:4]]
        self.shape = shape
        total = shape[0] * int(numpy.prod(self.counts))
        most = max(1, _BYTES // (4 * POINTS ** 3 * channels))
        self.parts = [(part.start, part.stop - part.start) for part in cut(total, -(-total // most))]

    def launch(self, name, arrays, channels, first, count, *more):
        sizes = (cupy.int32(size) for size in (*self.shape[1:4], channels, *self.counts))
        kernel('winograd_3d', name, _head(self.k))((-(-count * channels // _LANES),), (_LANES, POINTS),
                                                   (*arrays, *sizes, first, count, *more))

    def points(self, name, a, first, count):
        points = cupy.empty((POINTS ** 3, count, a.shape[4]), cupy.float32)
        self.launch(name, (a, points), a.shape[4], first, count)
        return points


def convolve(x, W, b=None, relu=False, mask=None):
    """Convolution with stride 1 and zero 'same' padding.

    Args:
        x (cupy.ndarray): (N, D, H, W, C_in), C-contiguous, float32.
        W (cupy.ndarray): (C_out, C_in, k, k, k), k 3 or 5, float32.
        b (cupy.ndarray or None): (C_out,).
        relu (bool): Rectify the result.
        mask (cupy.ndarray or None): (N, D, H, W, C_out), C-contiguous; the result is 0 where this is not positive.

    Returns:
        cupy.ndarray: (N, D, H, W, C_out), C-contiguous, float32.
    """
    channels, channels_in, k = W.shape[:3]
    y = cupy.empty(x.shape[:4] + (channels,), cupy.float32)
    tiles = _Tiles(x.shape, k, channels_in + channels)
    g = _along_three_axes(k, cupy.cuda.runtime.getDevice())
    filters = matmul(g, W.transpose(2, 3, 4, 1, 0).reshape(k ** 3, -1)).reshape(POINTS ** 3, channels_in, channels)
    for first, count in tiles.parts:
        products = matmul(tiles.points('points_of_input', x, first, count), filters)
        tiles.launch('store_output', (products, y, 0 if b is None else b, 0 if mask is None else mask), channels,
                     first, count, cupy.int32(relu))
    return y


def weight_gradient(x, gy, ksize):
    """Gradient of `convolve`, before rectification, with respect to the weights.

    Args:
        x (cupy.ndarray): Input, (N, D, H, W, C_in), C-contiguous, float32.
        gy (cupy.ndarray): Gradient of the output, (N, D, H, W, C_out), C-contiguous, float32.
        ksize ((int, int, int)): Kernel size, (3, 3, 3) or (5, 5, 5).

    Returns:
        cupy.ndarray: (C_out, C_in, k, k, k), C-contiguous, float32.
    """
    channels_in, channels, k = x.shape[4], gy.shape[4], ksize[0]
    tiles = _Tiles(x.shape, k, channels_in + channels)
    total = cupy.empty((POINTS ** 3, channels_in, channels), cupy.float32)
    for i, (first, count) in enumerate(tiles.parts):
        matmul(tiles.points('points_of_input', x, first, count).transpose(0, 2, 1),
               tiles.points('points_of_gradient', gy, first, count), out=total, accumulate=i > 0)
    gradient = matmul(_along_three_axes(k, cupy.cuda.runtime.getDevice()).T, total.reshape(POINTS ** 3, -1))
    return cupy.ascontiguousarray(gradient.reshape(k, k, k, channels_in, channels).transpose(4, 3, 0, 1, 2))
