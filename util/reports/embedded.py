"""Volumes as text of a page: whole numbers of a step, predicted from their neighbours, deflated, base64.

Not PNG or WebP, which browsers know by themselves: 8 bits over a fixed window are too few to look into a narrow one,
and cut off a bright vessel; and some browsers disturb what a canvas gives back, against fingerprinting. This is smaller
than PNG, has no largest value, and is never wrong by more than half a step. page/decode.js reads it.
"""
import base64
import zlib

import numpy

from models.cpu_blocks import workers

_SLAB = 16  # slices at a time, so that no second volume of numbers lies in memory: what is kept are bytes
_ESCAPE = 255  # this byte stands for the next of the numbers that take more than a byte
_MOST = 2.0 ** 24  # codes; nine neighbours of that size still fit into int32


def encode(array, inside, step):
    """A volume as text.

    A voxel's code is round(value / step), and 0 outside of the mask. What is kept is the code less
    (2 (a + b + c) - ab - ac - bc) // 3, where a, b, c are the voxels before it along z, y, x, and ab, ac, bc before it
    along two of these; 0 beyond the border. As an unsigned number (0, -1, 1, -2 ... are 0, 1, 2, 3 ...) it is a byte.

    Args:
        array (numpy.ndarray): (z, y, x), finite.
        inside (numpy.ndarray): Mask of the voxels that are kept, (z, y, x), bool.
        step (float): Twice the error that a kept voxel may have; it is made larger where values are 2^24 times larger.

    Returns:
        dict: ``step``; ``bytes``, one per kept voxel, and ``large``, int32 in little-endian order, of those that are
        255: deflated (RFC 1950), in base64.
    """
    step = max(float(step), float(max(array.max(), -array.min())) / _MOST)
    numbers = {}

    def of_slab(z, _):
        part = slice(max(z - 1, 0), z + _SLAB)  # with the slice before, which predicts the first
        codes = numpy.where(inside[part], numpy.rint(array[part] / step), 0).astype(numpy.int32)
        residual = (codes - _predicted(codes))[z - part.start:][inside[z:part.stop]]
        number = (residual << 1) ^ (residual >> 31)
        numbers[z] = numpy.minimum(number, _ESCAPE).astype(numpy.uint8).tobytes(), number[number >= _ESCAPE]

    slabs = range(0, len(array), _SLAB)
    workers.run(of_slab, slabs)
    # Huffman's code alone: the residuals are noise, in which looking for repetitions finds nothing and takes the time.
    pack = zlib.compressobj(6, zlib.DEFLATED, 15, 9, zlib.Z_HUFFMAN_ONLY)
    packed = [pack.compress(numbers[z][0]) for z in slabs]
    large = [numbers[z][1] for z in slabs]
    packed.append(pack.flush())
    return {'step': step, 'bytes': _text(b''.join(packed)),
            'large': _text(zlib.compress(numpy.concatenate(large).astype('<i4').tobytes()))}


def _predicted(codes):
    p = numpy.pad(codes, ((1, 0),) * 3)
    a, b, c = p[:-1, 1:, 1:], p[1:, :-1, 1:], p[1:, 1:, :-1]
    ab, ac, bc = p[:-1, :-1, 1:], p[:-1, 1:, :-1], p[1:, :-1, :-1]
    return (2 * (a + b + c) - ab - ac - bc) // 3


def _text(data):
    return base64.b64encode(data).decode('ascii')
