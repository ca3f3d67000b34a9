"""3x3x3 convolution on the CPU with Winograd's minimal filtering F(4, 3) along depth and height.

A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016. Along one axis, four outputs of a
three-tap filter take six products instead of twelve: ``y = A^T [(G g) * (B^T d)]``. Along two axes 36 products replace
144, and the third axis, width, stays a plain sum over three taps: rows are stored width after width with the channels
innermost, so three neighbouring voxels are one contiguous row of 3 C numbers and the sum is part of the matrix product.

The gradient with respect to the weights is the same bilinear form read the other way: ``dG = (B^T d) * (A dy)``. The
gradient with respect to the input is the convolution with flipped weights.

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
_A, _B = math.sqrt(0.5), math.sqrt(2.0)


def _filter_matrix():
    """G (6, 3): the filter's value at the points, over the product of each point's distances to the other ones."""
    points = [0.0, _A, -_A, _B, -_B]
    rows = [[p ** k / math.prod(p - q for q in points if q != p) for k in range(3)] for p in points]
    return numpy.array(rows + [[0.0, 0.0, 1.0]])


_G2 = numpy.kron(_filter_matrix(), _filter_matrix())  # (36, 9): depth and height at once


def _transform_input(d, v, t):
    """v = B^T d: six input planes to six points; t is a temporary of the same shape."""
    numpy.multiply(d[2], 0.5, out=t)
    numpy.subtract(d[0], t, out=v[0])
    numpy.subtract(d[4], t, out=v[3])
    numpy.multiply(d[2], 2.0, out=t)
    numpy.subtract(d[4], t, out=v[1])
    numpy.add(v[0], v[1], out=v[0])
    numpy.multiply(d[3], 2.5, out=t)
    numpy.subtract(d[1], t, out=v[5])
    numpy.add(v[5], d[5], out=v[5])
    numpy.multiply(d[1], 2.0, out=t)
    numpy.subtract(d[3], t, out=t)
    numpy.multiply(t, _A, out=t)
    numpy.subtract(v[1], t, out=v[2])
    numpy.add(v[1], t, out=v[1])
    numpy.multiply(d[1], 0.5, out=t)
    numpy.subtract(d[3], t, out=t)
    numpy.multiply(t, _B, out=t)
    numpy.subtract(v[3], t, out=v[4])
    numpy.add(v[3], t, out=v[3])


def _transform_output(m, y, t):
    """y = A^T m: six points to four output planes."""
    numpy.add(m[1], m[2], out=y[0])
    numpy.add(m[3], m[4], out=y[2])
    numpy.multiply(y[0], 0.5, out=t)
    numpy.add(y[0], m[0], out=y[0])
    numpy.add(y[0], y[2], out=y[0])
    numpy.multiply(y[2], 2.0, out=y[2])
    numpy.add(y[2], t, out=y[2])
    numpy.subtract(m[1], m[2], out=y[1])
    numpy.subtract(m[3], m[4], out=y[3])
    numpy.multiply(y[1], _A, out=y[1])
    numpy.multiply(y[3], _B, out=y[3])
    numpy.multiply(y[1], 0.5, out=t)
    numpy.add(y[1], y[3], out=y[1])
    numpy.multiply(y[3], 2.0, out=y[3])
    numpy.add(y[3], t, out=y[3])
    numpy.add(y[3], m[5], out=y[3])


def _transform_gradient(y, m, t):
    """m = A y: four planes of the output's gradient to six points."""
    numpy.copyto(m[0], y[0])
    numpy.copyto(m[5], y[3])
    for square, root, i in ((0.5, _A, 1), (2.0, _B, 3)):
        numpy.multiply(y[2], square, out=t)
        numpy.add(y[0], t, out=m[i])
        numpy.multiply(y[3], square, out=t)
        numpy.add(y[1], t, out=t)
        numpy.multiply(t, root, out=t)
        numpy.subtract(m[i], t, out=m[i + 1])
        numpy.add(m[i], t, out=m[i])


# Rows per block: the smallest products that run at full speed; larger blocks leave the cache (138 rows: 205 GFLOP/s on
# two cores; 273 rows: 116).
_ROWS = 136


def _blocks(shape):
    """Blocks of segments (n, depth tile, first height tile, last height tile + 1) of about _ROWS rows each."""
    n, depth, height, width = shape[:4]
    depth_tiles, height_tiles = -(-depth // TILE), -(-height // TILE)
    parts = max(1, round(height_tiles * (width + 1) / _ROWS))
    edges = [height_tiles * i // parts for i in range(parts + 1)] if parts < height_tiles else range(height_tiles + 1)
    segments = [(i, j, start, stop) for i, j in itertools.product(range(n), range(depth_tiles))
                for start, stop in itertools.pairwise(edges)]
    rows = max(stop - start for start, stop in itertools.pairwise(edges)) * (width + 1)
    together = max(1, _ROWS // rows)
    return [segments[i:i + together] for i in range(0, len(segments), together)]


def _lines(block):
    return sum(stop - start for _, _, start, stop in block)


def _points_of_input(x, block, scratch):
    """B^T d B of a block: (36, rows, C) with one zero row before each line of W voxels, and two and more at the end."""
    _, depth, height, width, channels = x.shape
    lines = _lines(block)
    rows = lines * (width + 1)
    points = scratch.get('input points', (POINTS, POINTS, 3 * -(-rows // 3) + 2, channels), x.dtype)
    points[:, :, 0] = 0
    points[:, :, rows + 1:] = 0
    grid = points[:, :, 1:rows + 1].reshape(POINTS, POINTS, lines, width + 1, channels)
    grid[:, :, :, width] = 0
    line = 0
    for n, tile, start, stop in block:
        count = stop - start
        top = TILE * start - 1
        middle = scratch.get('input middle', (POINTS, TILE * count + 2, width, channels), x.dtype)
        spare = scratch.get('spare', middle.shape[1:], x.dtype)
        first, last = max(top, 0), min(top + middle.shape[1], height)
        middle[:, :first - top] = 0
        middle[:, last - top:] = 0
        planes = []
        for z in range(TILE * tile - 1, TILE * tile + TILE + 1):
            if 0 <= z < depth:
                planes.append(x[n, z, first:last])
            else:
                zeros = scratch.get('zeros', (last - first, width, channels), x.dtype)
                zeros[...] = 0
                planes.append(zeros)
        inside = slice(first - top, last - top)
        _transform_input(planes, middle[:, inside], spare[inside])
        spare = scratch.get('spare', (POINTS, count, width, channels), x.dtype)
        _transform_input([middle[:, k:k + TILE * count - 3:TILE] for k in range(POINTS)],
                         grid[:, :, line:line + count, :width].swapaxes(0, 1), spare)
        line += count
    return points.reshape(POINTS * POINTS, -1, channels)


def _windows(points, offset, rows):
    """Every third run of three neighbouring rows, from `offset` on, as one row of 3 C: (36, rows / 3, 3 C), no copy."""
    channels = points.shape[2]
    step = points.itemsize
    return numpy.lib.stride_tricks.as_strided(
        points[:, offset:], (points.shape[0], rows // 3, 3 * channels), (points.strides[0], 3 * channels * step, step),
        writeable=False)


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
    channels = W.shape[0]
    taps = W.transpose(2, 3, 4, 1, 0).reshape(9, -1)
    filters = (_G2.astype(W.dtype) @ taps).reshape(POINTS * POINTS, 3 * channels_in, channels)
    y = numpy.empty((n, depth, height, width, channels), x.dtype)

    def compute(block, scratch):
        points = _points_of_input(x, block, scratch)
        lines = _lines(block)
        rows = points.shape[1] - 2
        products = scratch.get('products', (POINTS, POINTS, rows, channels), x.dtype)
        for j in range(3):
            numpy.matmul(_windows(points, j, rows), filters,
                         out=products.reshape(POINTS * POINTS, rows, channels)[:, j::3])
        grid = products[:, :, :lines * (width + 1)].reshape(POINTS, POINTS, lines, width + 1, channels)
        middle = scratch.get('output middle', (TILE, POINTS, lines, width + 1, channels), x.dtype)
        spare = scratch.get('spare', middle.shape[1:], x.dtype)
        _transform_output(grid.swapaxes(0, 1), middle, spare)
        # Depth last, so that whole planes of the result are finished in the cache.
        result = scratch.get('output', (TILE, TILE, lines, width + 1, channels), x.dtype)
        spare = scratch.get('spare', result.shape[1:], x.dtype)
        _transform_output(middle.swapaxes(0, 1), result, spare)
        if b is not None:
            result += b
        line = 0
        for i, tile, start, stop in block:
            here = result[:, :, line:line + stop - start, :width].swapaxes(1, 2)
            first, last = TILE * start, min(TILE * stop, height)
            for z in range(TILE * tile, min(TILE * tile + TILE, depth)):
                for k in range(TILE):
                    into = y[i, z, first + k:last:TILE]
                    into[...] = here[z - TILE * tile, :len(into), k]
            line += stop - start

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
    _, depth, height, width, channels_in = x.shape
    channels = gy.shape[4]

    def compute(block, scratch):
        points = _points_of_input(x, block, scratch)
        lines = _lines(block)
        rows = lines * (width + 1)
        gradient = scratch.get('gradient points', (POINTS, POINTS, rows, channels), x.dtype)
        grid = gradient.reshape(POINTS, POINTS, lines, width + 1, channels)
        grid[:, :, :, width] = 0
        line = 0
        for n, tile, start, stop in block:
            count = stop - start
            planes = []
            first, last = TILE * start, min(TILE * stop, height)
            for z in range(TILE * tile, TILE * tile + TILE):
                if z < depth and last == TILE * stop:
                    planes.append(gy[n, z, first:last])
                    continue
                padded = scratch.get(f'padded {z % TILE}', (TILE * count, width, channels), x.dtype)
                padded[...] = 0
                if z < depth:
                    padded[:last - first] = gy[n, z, first:last]
                planes.append(padded)
            middle = scratch.get('gradient middle', (POINTS, TILE * count, width, channels), x.dtype)
            spare = scratch.get('spare', middle.shape[1:], x.dtype)
            _transform_gradient(planes, middle, spare)
            spare = scratch.get('spare', (POINTS, count, width, channels), x.dtype)
            _transform_gradient([middle[:, k::TILE] for k in range(TILE)],
                                grid[:, :, line:line + count, :width].swapaxes(0, 1), spare)
            line += count
        gradient = gradient.reshape(POINTS * POINTS, rows, channels)
        shape = (3, POINTS * POINTS, channels_in, channels)
        products = scratch.get('weight products', shape, x.dtype)
        for k in range(3):
            numpy.matmul(points[:, k:k + rows].transpose(0, 2, 1), gradient, out=products[k])
        return products

    total = workers.sum(compute, _blocks(x.shape)).transpose(1, 0, 2, 3).reshape(POINTS * POINTS, -1)
    gW = (_G2.T.astype(x.dtype) @ total).reshape(3, 3, 3, channels_in, channels)
    return numpy.ascontiguousarray(gW.transpose(4, 3, 0, 1, 2))
