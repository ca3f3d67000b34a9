"""3x3x3 convolution on the CPU with Winograd's minimal filtering F(4, 3) along depth and height.

A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016. Along one axis, four outputs of a
three-tap filter take six products instead of twelve: ``y = A^T [(G g) * (B^T d)]``. Along two axes 36 products replace
144, and the third axis, width, stays a plain sum over three taps: rows are stored width after width with the channels
innermost, so three neighbouring voxels are one contiguous row of 3 C numbers and the sum is part of the matrix product.

The gradient with respect to the weights is the same bilinear form read the other way: ``dG = (B^T d) * (A dy)``. The
gradient with respect to the input is the convolution with flipped weights.

The transforms are themselves small matrix products, B^T (6, 6) by planes of thousands of numbers: BLAS does them about
four times as fast as a sequence of element-wise sums, and a block takes few calls of NumPy, between which the threads
wait for each other.

The points of interpolation are 0, +-sqrt(1/2), +-sqrt(2) and infinity: with them float32 results are within about 1e-6
(relative, L2) of the direct sum; the textbook's 0, +-1, +-2 are twice as far off.

Arrays here are channels-last: (N, D, H, W, C).
"""
import itertools
import math

import numpy

from models.cpu_blocks import workers

TILE = 4  # outputs per tile and axis
POINTS = TILE + 2


def _matrices():
    """A (6, 4), B^T (6, 6) and G (6, 3) of F(4, 3) for the points 0, +-sqrt(1/2), +-sqrt(2), infinity."""
    points = [0.0, math.sqrt(0.5), -math.sqrt(0.5), math.sqrt(2.0), -math.sqrt(2.0)]
    a = [[p ** k for k in range(TILE)] for p in points] + [[0.0, 0.0, 0.0, 1.0]]
    # Row i of B^T: the coefficients of the polynomial that vanishes at all the finite points but the i-th.
    b = [numpy.poly([q for q in points if q != p])[::-1].tolist() + [0.0] for p in points]
    b.append(numpy.poly(points)[::-1])
    g = [[p ** k / math.prod(p - q for q in points if q != p) for k in range(3)] for p in points] + [[0.0, 0.0, 1.0]]
    return numpy.array(a), numpy.array(b), numpy.array(g)


_A, _BT, _G = _matrices()
_G2 = numpy.kron(_G, _G)  # (36, 9): depth and height at once

# Rows per block: the smallest products that run at full speed; larger blocks leave the cache (138 rows: 205 GFLOP/s on
# two cores; 273 rows: 116).
_ROWS = 136


def _blocks(shape):
    """Blocks of segments (n, depth tile, first height tile, last height tile + 1) of about _ROWS rows each."""
    n, depth, height, width = shape[:4]
    depth_tiles, height_tiles = -(-depth // TILE), -(-height // TILE)
    parts = min(height_tiles, max(1, round(height_tiles * (width + 1) / _ROWS)))
    edges = [height_tiles * i // parts for i in range(parts + 1)]
    segments = [(i, j, start, stop) for i, j in itertools.product(range(n), range(depth_tiles))
                for start, stop in itertools.pairwise(edges)]
    rows = max(stop - start for start, stop in itertools.pairwise(edges)) * (width + 1)
    together = max(1, _ROWS // rows)
    return [segments[i:i + together] for i in range(0, len(segments), together)]


def _lines(block):
    return sum(stop - start for _, _, start, stop in block)


def _planes(a, n, first, last, top, bottom):
    """Rows top..bottom of planes first..last of item n, one plane a row; a view."""
    part = a[n, first:last, top:bottom]
    return part.reshape(len(part), -1)


def _grid(points, lines, width):
    """The rows of (36, rows, C) as (depth point, line, height point, W * C), without the zeros between lines; a view."""
    channels = points.shape[2]
    grid = points[:, :lines * (width + 1)].reshape(POINTS, POINTS, lines, (width + 1) * channels)
    return grid[..., :width * channels].transpose(0, 2, 1, 3)


def _points_of_input(x, block, scratch):
    """B^T d B of a block: (36, rows, C) with one zero row before each line of W voxels, and two and more at the end."""
    _, depth, height, width, channels = x.shape
    lines = _lines(block)
    rows = lines * (width + 1)
    points = scratch.get('input points', (POINTS * POINTS, 3 * -(-rows // 3) + 2, channels), x.dtype)
    points[:, :rows + 1:width + 1] = 0
    points[:, rows + 1:] = 0
    grid = _grid(points[:, 1:], lines, width)
    bt = _BT.astype(x.dtype)
    line = 0
    for n, tile, start, stop in block:
        count = stop - start
        top, bottom = TILE * start - 1, TILE * stop + 1
        first, last = max(top, 0), min(bottom, height)
        middle = scratch.get('input middle', (POINTS, bottom - top, width * channels), x.dtype)
        middle[:, :first - top] = 0
        middle[:, last - top:] = 0
        z = TILE * tile - 1
        near, far = max(z, 0), min(z + POINTS, depth)
        numpy.matmul(bt[:, near - z:far - z], _planes(x, n, near, far, first, last),
                     out=middle[:, first - top:last - top].reshape(POINTS, -1))
        plane, row, item = middle.strides
        tiles = numpy.lib.stride_tricks.as_strided(
            middle, (POINTS, count, POINTS, width * channels), (plane, TILE * row, row, item))
        numpy.matmul(bt, tiles, out=grid[:, line:line + count])
        line += count
    return points


def _points_of_gradient(gy, block, scratch):
    """A dy A^T of a block: (36, rows, C) with one zero row after each line of W voxels."""
    _, depth, height, width, channels = gy.shape
    lines = _lines(block)
    rows = lines * (width + 1)
    points = scratch.get('gradient points', (POINTS * POINTS, rows, channels), gy.dtype)
    points[:, width::width + 1] = 0
    grid = _grid(points, lines, width)
    a = _A.astype(gy.dtype)
    line = 0
    for n, tile, start, stop in block:
        count = stop - start
        first, last = TILE * start, min(TILE * stop, height)
        middle = scratch.get('gradient middle', (POINTS, TILE * count, width * channels), gy.dtype)
        middle[:, last - first:] = 0
        z = TILE * tile
        far = min(z + TILE, depth)
        numpy.matmul(a[:, :far - z], _planes(gy, n, z, far, first, last),
                     out=middle[:, :last - first].reshape(POINTS, -1))
        numpy.matmul(a, middle.reshape(POINTS, count, TILE, -1), out=grid[:, line:line + count])
        line += count
    return points


def _windows(points, offset, rows):
    """Every third run of three neighbouring rows, from `offset` on, as one row of 3 C: (36, rows / 3, 3 C), no copy."""
    channels, item = points.shape[2], points.itemsize
    return numpy.lib.stride_tricks.as_strided(
        points[:, offset:], (len(points), rows // 3, 3 * channels), (points.strides[0], 3 * channels * item, item))


def convolve(x, W, b=None):
    """Convolution with zero 'same' padding.

    Args:
        x: (N, D, H, W, C_in), C-contiguous, float32 or float64.
        W: (C_out, C_in, 3, 3, 3), of the same dtype.
        b: (C_out,) or None.

    Returns:
        (N, D, H, W, C_out), C-contiguous.
    """
    n, depth, height, width, channels_in = x.shape
    channels = len(W)
    at = numpy.ascontiguousarray(_A.T.astype(x.dtype))
    y = numpy.empty((n, depth, height, width, channels), x.dtype)

    def compute(block, scratch):
        points = _points_of_input(x, block, scratch)
        lines = _lines(block)
        rows = points.shape[1] - 2
        products = scratch.get('products', (POINTS * POINTS, rows, channels), x.dtype)
        for j in range(3):
            numpy.matmul(_windows(points, j, rows), filters, out=products[:, j::3])
        middle = scratch.get('output middle', (POINTS, lines, TILE, width * channels), x.dtype)
        numpy.matmul(at, _grid(products, lines, width), out=middle)
        middle = middle.reshape(POINTS, -1, width * channels)
        line = 0
        for n, tile, start, stop in block:
            first, last = TILE * start, min(TILE * stop, height)
            z = TILE * tile
            far = min(z + TILE, depth)
            numpy.matmul(at[:far - z], middle[:, line:line + last - first].reshape(POINTS, -1),
                         out=_planes(y, n, z, far, first, last))
            if b is not None:
                y[n, z:far, first:last] += b
            line += TILE * (stop - start)

    with workers.alone():
        filters = _G2.astype(W.dtype) @ W.transpose(2, 3, 4, 1, 0).reshape(9, -1)
        filters = filters.reshape(POINTS * POINTS, 3 * channels_in, channels)
        workers.run(compute, _blocks(x.shape))
    return y


def weight_gradient(x, gy):
    """Gradient with respect to the weights of `convolve`.

    Args:
        x: (N, D, H, W, C_in), C-contiguous.
        gy: (N, D, H, W, C_out), C-contiguous.

    Returns:
        (C_out, C_in, 3, 3, 3), C-contiguous.
    """
    channels_in, channels = x.shape[4], gy.shape[4]

    def compute(block, scratch):
        points = _points_of_input(x, block, scratch).transpose(0, 2, 1)
        gradient = _points_of_gradient(gy, block, scratch)
        rows = gradient.shape[1]
        products = scratch.get('weight products', (3, POINTS * POINTS, channels_in, channels), x.dtype)
        for k in range(3):
            numpy.matmul(points[:, :, k:k + rows], gradient, out=products[k])
        return products

    with workers.alone():
        total = workers.sum(compute, _blocks(x.shape)).transpose(1, 0, 2, 3).reshape(POINTS * POINTS, -1)
        gW = _G2.T.astype(x.dtype) @ total
    gW = gW.reshape(3, 3, 3, channels_in, channels)
    return numpy.ascontiguousarray(gW.transpose(4, 3, 0, 1, 2))
