"""3x3x3 and 5x5x5 convolution on the CPU with Winograd's minimal filtering, F(4, 3) or F(2, 5) along all three axes.

Source: A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, section 4.

Along one axis, four outputs of a three-tap filter take six products instead of twelve: ``y = A^T [(G g) * (B^T d)]``.
Along three axes 216 products replace 1728. For each product of the transformed domain, a block takes one matrix
product, tiles by channels. Two outputs of a five-tap filter take the same six products, and the same B^T.

The gradient with respect to the weights is the same trilinear form read another way: ``dg = G^T [(B^T d) * (A dy)]``.
The gradient with respect to the input is the convolution with flipped weights.

The transforms are themselves small matrix products: B^T (6, 6) by planes, lines or voxels. BLAS does them about four
times as fast as element-wise sums one after another. A block also takes few calls of NumPy this way; between calls
threads wait for each other.

The points of interpolation are 0, +-sqrt(1/2), +-sqrt(2) and infinity. With them float32 results are within 2e-6 (L2)
of the exact sum; with the textbook's 0, +-1, +-2 they are within 6e-6.

Arrays here are channels-last, (N, D, H, W, C). In the transformed domain a block is (6 * 6, tiles, 6, C): points along
depth and height, tiles along height and width, points along width, channels.
"""
import functools
import itertools
import math
from typing import NamedTuple

import numpy

from models import reused_memory
from models.cpu_blocks import workers

KERNELS = 3, 5
POINTS = 6


class Filtering(NamedTuple):
    """F(tile, k) along one axis: outputs per tile, zeros before the first input, and matrices of one dtype."""
    tile: int
    pad: int
    a: numpy.ndarray  # (6, tile)
    bt: numpy.ndarray  # (6, 6)
    g: numpy.ndarray  # (6, k)


@functools.cache
def filtering(k, dtype):
    """Winograd's minimal filtering with a kernel of ``k`` along an axis, its matrices of that dtype."""
    points = [0.0, math.sqrt(0.5), -math.sqrt(0.5), math.sqrt(2.0), -math.sqrt(2.0)]
    tile = POINTS + 1 - k

    def powers(length):
        return [[p ** i for i in range(length)] for p in points] + [[0.0] * (length - 1) + [1.0]]

    # Row i of B^T: the coefficients of the polynomial that vanishes at all the finite points but the i-th.
    b = [numpy.poly([q for q in points if q != p])[::-1].tolist() + [0.0] for p in points]
    b.append(numpy.poly(points)[::-1])
    scale = [[math.prod(p - q for q in points if q != p)] for p in points] + [[1.0]]
    return Filtering(tile, k // 2, *(numpy.ascontiguousarray(m, dtype)
                                      for m in (powers(tile), b, numpy.divide(powers(k), scale))))


# Tiles per block, by their side. With fewer, threads wait for the interpreter lock more often, filters (5.5 MB for
# 100 x 64 channels) are read from far away more often, and more input is transformed twice; with more, what a block
# touches leaves the core's cache.
_MOST_TILES = {4: 32, 2: 64}


def _blocks(shape, side):
    """Cut a batch of `shape` (N, D, H, W, C) into blocks of tiles of that side, all of about the same size.

    A block is a list of segments. A segment is (n, depth tile, first height tile, last height tile + 1), with all tiles
    along the width.

    On average a block has at most `_MOST_TILES` tiles, unless a line along the width has more, which is never cut. The
    number of blocks is a multiple of the number of workers; where segments are too few for that, each is a block.
    """
    n, depth, height, width = shape[:4]
    most = _MOST_TILES[side]
    down, high, across = (-(-length // side) for length in (depth, height, width))
    parts = min(high, -(-high * across // most))
    edges = [high * i // parts for i in range(parts + 1)]
    segments = [(i, j, *edge) for i, j in itertools.product(range(n), range(down))
                for edge in itertools.pairwise(edges)]
    count = max(-(-n * down * high * across // most), min(workers.count, len(segments)))
    count = min(len(segments), -(-count // workers.count) * workers.count)
    edges = [len(segments) * i // count for i in range(count + 1)]
    return [segments[first:last] for first, last in itertools.pairwise(edges)]


def _tiles(block, width, side):
    """Where the tiles of each segment lie in the block's axis of tiles, as slices; and how many tiles there are."""
    across = -(-width // side)
    ends = list(itertools.accumulate((stop - start) * across for _, _, start, stop in block))
    return [slice(first, last) for first, last in zip([0] + ends, ends)], ends[-1]


def _lines(a, n, planes, rows):
    """Planes and rows of item n as (row, plane, W * C), a view: one matrix per row, its columns a line's voxels."""
    part = a[n, planes[0]:planes[1], rows[0]:rows[1]]
    return part.reshape(part.shape[0], part.shape[1], -1).transpose(1, 0, 2)


def _by_height(points, count):
    """(36, tiles, 6, C) as (depth point, height tile, height point, the rest), a view."""
    return points.reshape(POINTS, POINTS, count, -1).transpose(0, 2, 1, 3)


def _sliding(a, axis, step):
    """Overlapping tiles of six along `axis` as two axes (tile, six); a view."""
    count = (a.shape[axis] - POINTS) // step + 1
    shape = a.shape[:axis] + (count, POINTS) + a.shape[axis + 1:]
    strides = a.strides[:axis] + (step * a.strides[axis],) + a.strides[axis:]
    return numpy.lib.stride_tricks.as_strided(a, shape, strides)


def _points_of_input(x, segment, points, matrices, scratch):
    """B^T of the segment's input tiles along each axis, to `points` (36, tiles, 6, C)."""
    _, depth, height, width, channels = x.shape
    n, tile, start, stop = segment
    side, pad, bt = matrices.tile, matrices.pad, matrices.bt
    count, across = stop - start, -(-width // side)
    z, top, bottom = side * tile - pad, side * start - pad, side * stop + pad
    near, far, first, last = max(z, 0), min(z + POINTS, depth), max(top, 0), min(bottom, height)
    inside = slice(first - top, last - top)

    planes = scratch.get('planes', (POINTS, bottom - top, side * across + 2 * pad, channels), x.dtype)
    planes[:, inside, :pad] = 0
    planes[:, inside, pad + width:] = 0
    numpy.matmul(bt[:, near - z:far - z], _lines(x, n, (near, far), (first, last)),
                 out=planes[:, inside, pad:pad + width].reshape(POINTS, last - first, -1).transpose(1, 0, 2))
    rows = scratch.get('rows', (POINTS, bottom - top, across, POINTS, channels), x.dtype)
    rows[:, :first - top] = 0
    rows[:, last - top:] = 0
    numpy.matmul(bt, _sliding(planes[:, inside], 2, side), out=rows[:, inside])
    numpy.matmul(bt, _sliding(rows.reshape(POINTS, bottom - top, -1), 1, side), out=_by_height(points, count))


def _points_of_gradient(gy, segment, points, matrices, scratch):
    """A times the segment's tiles of the gradient of the output along each axis, to `points` (36, tiles, 6, C)."""
    _, depth, height, width, channels = gy.shape
    n, tile, start, stop = segment
    side, a = matrices.tile, matrices.a
    count, across = stop - start, -(-width // side)
    z, first, last = side * tile, side * start, min(side * stop, height)
    far = min(z + side, depth)

    planes = scratch.get('planes', (POINTS, side * count, side * across, channels), gy.dtype)
    planes[:, :last - first, width:] = 0
    planes[:, last - first:] = 0
    numpy.matmul(a[:, :far - z], _lines(gy, n, (z, far), (first, last)),
                 out=planes[:, :last - first, :width].reshape(POINTS, last - first, -1).transpose(1, 0, 2))
    rows = scratch.get('rows', (POINTS, side * count, across, POINTS, channels), gy.dtype)
    numpy.matmul(a, planes.reshape(POINTS, side * count, across, side, channels), out=rows)
    numpy.matmul(a, rows.reshape(POINTS, count, side, -1), out=_by_height(points, count))


def _store_output(products, segment, y, matrices, scratch):
    """A^T of the products (36, tiles, 6, C) along each axis, to the segment's place in y."""
    _, depth, height, width, channels = y.shape
    n, tile, start, stop = segment
    side, at = matrices.tile, matrices.a.T
    count, across = stop - start, -(-width // side)
    z, first, last = side * tile, side * start, min(side * stop, height)
    far = min(z + side, depth)

    rows = scratch.get('rows', (POINTS, count, side, across * POINTS * channels), y.dtype)
    numpy.matmul(at, _by_height(products, count), out=rows)
    planes = scratch.get('planes', (POINTS, side * count, across, side, channels), y.dtype)
    numpy.matmul(at, rows.reshape(POINTS, side * count, across, POINTS, channels), out=planes)
    planes = planes.reshape(POINTS, side * count, -1)[:, :last - first, :width * channels]
    numpy.matmul(at[:far - z], planes.transpose(1, 0, 2), out=_lines(y, n, (z, far), (first, last)))


def convolve(x, W, b=None, relu=False, mask=None):
    """Convolution with stride 1 and zero 'same' padding.

    Args:
        x (numpy.ndarray): (N, D, H, W, C_in), C-contiguous, float32 or float64.
        W (numpy.ndarray): (C_out, C_in, k, k, k), k 3 or 5, dtype of ``x``.
        b (numpy.ndarray or None): (C_out,).
        relu (bool): Rectify the result.
        mask (numpy.ndarray or None): (N, D, H, W, C_out), C-contiguous; the result is 0 where this is not positive.

    Returns:
        numpy.ndarray: (N, D, H, W, C_out), C-contiguous, dtype of ``x``.

    Example:
        >>> import numpy
        >>> from models import winograd_3d
        >>> y = winograd_3d.convolve(numpy.ones((1, 3, 3, 3, 1)), numpy.ones((1, 1, 3, 3, 3)))
        >>> y[0, 1, 1, :, 0].round(9).tolist()
        [18.0, 27.0, 18.0]
    """
    channels, channels_in, k = W.shape[:3]
    matrices = filtering(k, x.dtype)
    side, g = matrices.tile, matrices.g
    y = reused_memory.empty(x.shape[:4] + (channels,), x.dtype)

    def compute(block, scratch):
        slices, tiles = _tiles(block, x.shape[3], side)
        points = scratch.get('input points', (POINTS * POINTS, tiles, POINTS, channels_in), x.dtype)
        products = scratch.get('products', (POINTS * POINTS, tiles, POINTS, channels), x.dtype)
        for segment, part in zip(block, slices):
            _points_of_input(x, segment, points[:, part], matrices, scratch)
        numpy.matmul(points.transpose(0, 2, 1, 3), filters, out=products.transpose(0, 2, 1, 3))
        for segment, part in zip(block, slices):
            _store_output(products[:, part], segment, y, matrices, scratch)
            n, tile, start, stop = segment
            place = n, slice(side * tile, side * tile + side), slice(side * start, side * stop)
            out = y[place]
            if b is not None:
                out += b
            if relu:
                numpy.maximum(out, 0, out=out)
            if mask is not None:
                out *= mask[place] > 0

    with workers.alone():
        filters = numpy.matmul(g, W.transpose(2, 3, 4, 1, 0).reshape(k, k, k, -1))
        filters = numpy.matmul(g, filters.reshape(k, k, -1))
        filters = numpy.matmul(g, filters.reshape(k, -1)).reshape(POINTS * POINTS, POINTS, channels_in, channels)
        workers.run(compute, _blocks(x.shape, side))
    return y


def weight_gradient(x, gy, ksize):
    """Gradient of `convolve`, before rectification, with respect to the weights.

    Args:
        x (numpy.ndarray): Input, (N, D, H, W, C_in), C-contiguous, float32 or float64.
        gy (numpy.ndarray): Gradient of the output, (N, D, H, W, C_out), C-contiguous, dtype of ``x``.
        ksize ((int, int, int)): Kernel size, (3, 3, 3) or (5, 5, 5).

    Returns:
        numpy.ndarray: (C_out, C_in, k, k, k), C-contiguous, dtype of ``x``.
    """
    channels_in, channels = x.shape[4], gy.shape[4]
    k = ksize[0]
    matrices = filtering(k, x.dtype)
    side, g = matrices.tile, matrices.g.T

    def add(block, scratch, total):
        slices, tiles = _tiles(block, x.shape[3], side)
        points = scratch.get('input points', (POINTS * POINTS, tiles, POINTS, channels_in), x.dtype)
        gradient = scratch.get('gradient points', (POINTS * POINTS, tiles, POINTS, channels), x.dtype)
        for segment, part in zip(block, slices):
            _points_of_input(x, segment, points[:, part], matrices, scratch)
            _points_of_gradient(gy, segment, gradient[:, part], matrices, scratch)
        # A sixth of the products at a time, which stay in the cache until they are added.
        products = scratch.get('products', (POINTS, POINTS, channels, channels_in), x.dtype)
        for i in range(0, POINTS * POINTS, POINTS):
            part = slice(i, i + POINTS)
            numpy.matmul(gradient[part].transpose(0, 2, 3, 1), points[part].transpose(0, 2, 1, 3), out=products)
            total[part] += products

    with workers.alone():
        shape = (POINTS * POINTS, POINTS, channels, channels_in)
        total = workers.sum(add, _blocks(x.shape, side), shape, x.dtype)
        total = numpy.matmul(g, total.reshape(POINTS * POINTS, POINTS, -1))
        total = numpy.matmul(g, total.reshape(POINTS, POINTS, -1))
        total = numpy.matmul(g, total.reshape(POINTS, -1))
    return numpy.ascontiguousarray(total.reshape(k, k, k, channels, channels_in).transpose(3, 4, 0, 1, 2))
