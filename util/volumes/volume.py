"""A volume with its place in space. `reading` and `writing` have its files."""
import zlib
from dataclasses import dataclass

import numpy

from util.script import UserError

_PIECE = 1 << 19  # bytes that are written at a time


@dataclass(frozen=True, eq=False)
class Volume:
    """A 3D image of one or more channels, and where its voxels lie.

    Args:
        array (numpy.ndarray): (C, z, y, x).
        spacing ((float, float, float)): mm between voxel centres, x, y, z.
        origin ((float, float, float)): Position of the centre of voxel (0, 0, 0), x, y, z in mm (LPS, as ITK has it).
        direction (tuple): 9 numbers, row by row: the columns are the unit vectors of the axes x, y, z.

    Raises:
        ValueError: If the array has not four axes.
    """
    array: numpy.ndarray
    spacing: tuple
    origin: tuple
    direction: tuple

    def __post_init__(self):
        if self.array.ndim != 4:
            raise ValueError(f'a volume has the axes (C, z, y, x); got an array of shape {self.array.shape}')

    @property
    def size(self):
        """Voxels along z, y, x."""
        return self.array.shape[1:]


def voxel_bytes(array, order='<'):
    """The bytes of an array, first axis slowest, a few slices at a time: no second volume in memory.

    Args:
        array (numpy.ndarray): Of numbers; two axes or more, any view.
        order (str): ``'<'``: little-endian; ``'>'``: big-endian.

    Yields:
        numpy.ndarray: uint8, (bytes,).
    """
    wanted = array.dtype.newbyteorder(order)
    step = max(_PIECE * len(array) // array.nbytes, 1)
    for start in range(0, len(array), step):
        yield numpy.ascontiguousarray(array[start:start + step], wanted).reshape(-1).view(numpy.uint8)


def checksum(*arrays):
    """One number (CRC-32) for the shapes and voxels of arrays, of two axes or more: the same on any machine."""
    value = 0
    for array in arrays:
        value = zlib.crc32(repr(array.shape).encode(), value)
        for piece in voxel_bytes(array):
            value = zlib.crc32(piece, value)
    return value


def check_finite(path, array):
    """Refuse values that are not finite as float32, the type of everything computed from them.

    Args:
        path (Path): The file, for the message.
        array (numpy.ndarray): Of any shape and type; integers are finite.

    Raises:
        UserError: If there is a NaN, an infinity or a value beyond float32; it says how many.
    """
    if array.dtype.kind != 'f':
        return
    with numpy.errstate(over='ignore', invalid='ignore'):
        if numpy.isfinite(numpy.float32([array.min(), array.max()])).all():  # a NaN is the least and the largest
            return
        bad = array.size - numpy.count_nonzero(numpy.isfinite(array.astype(numpy.float32, copy=False)))
    raise UserError(f'{path}: {bad} of {array.size} values are not finite (NaN, infinite, or beyond float32)')
