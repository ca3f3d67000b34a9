"""Whether two volumes hold the same scan, whatever their orientation, type and intensity scale."""
import itertools

import numpy

from util.volumes.reading import read_volume

# Odd, so that the blocks' borders lie symmetrically and a mirrored volume has the mirrored thumbnail.
_BLOCKS = 7
# Of thumbnails of unit length: a correlation of 0.999. Far below what copies reach, so that volumes are read in full
# only where they may well be the same.
_CLOSE = 2 * (1 - 0.999)
# Axis orders and mirrorings: all 48 ways to lay a volume's axes along those of another. Headers are not asked: a copy's
# may be wrong.
_TURNS = list(itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)))


class SeenScans:
    """Scans by path; of each, only a thumbnail is kept in memory."""

    def __init__(self):
        self._seen = {}  # (channels, z, y, x) -> list of (path, thumbnail)

    def find_or_add(self, path, array):
        """The first scan of the same voxels; if there is none, this one is remembered.

        A copy of another type or scale may be rounded: voxels agree if, after the best linear map of intensities, they
        do to within the coarser volume's step, the least difference of two of its values.

        Args:
            path (Path): Where the scan can be read again.
            array (numpy.ndarray): Its voxels, (C, z, y, x), not constant.

        Returns:
            Path: The other scan's; None if there is none.

        Raises:
            UserError: If a scan seen before cannot be read any more.
        """
        small = thumbnail(array)
        for turn in _TURNS:
            turned, turned_small = _turned(array, turn), _turned(small, turn)
            for other_path, other in self._seen.get(turned.shape, ()):
                if (((turned_small - other) ** 2).sum() < _CLOSE
                        and same_voxels(turned, read_volume(other_path).array)):
                    return other_path
        self._seen.setdefault(array.shape, []).append((path, small))
        return None


def same_voxels(one, other):
    """Whether two arrays of one shape are the same but for a linear map of intensities, rounding and a few voxels.

    A few: one in a hundred. Two scans of one head, taken without a pause, are not the same: noise sets most of the head
    apart.

    Args:
        one (numpy.ndarray): (C, z, y, x).
        other (numpy.ndarray): The same.

    Returns:
        bool: Whether they are.
    """
    if numpy.array_equal(one, other):
        return True
    span, other_span = _span(one), _span(other)
    if not (span and other_span):
        return False
    step, other_step = _step(one) / span, _step(other) / other_span
    one, other = _centred(one, span), _centred(other, other_span)
    slope = (one * other).sum(dtype=float) / (one * one).sum(dtype=float)
    tolerance = max(step * abs(slope), other_step) + 1e-5  # nothing is more exact than float32
    residual = one * numpy.float32(slope) - other
    # where nearly all is background, or a step is large, the share that agrees says little and the variance says all
    return bool((numpy.abs(residual) <= tolerance).mean() >= 0.99
                and (residual ** 2).sum(dtype=float) <= 0.02 * (other ** 2).sum(dtype=float))


def thumbnail(array):
    """Block means of an array (C, z, y, x), at most 7 per axis, of mean 0 and unit length."""
    along_z, along_y, along_x = map(_block_means, array.shape[1:])
    # plane by plane, which stays in the cache: sums over blocks of the whole array take six times as long
    planes = numpy.array([[along_y @ plane.astype(float) @ along_x.T for plane in channel] for channel in array])
    array = (along_z @ planes.reshape(*planes.shape[:2], -1)).reshape(len(array), -1, *planes.shape[2:])
    array = array - array.mean()
    return array / (numpy.sqrt((array ** 2).sum()) or 1)


def _block_means(side):
    """What an axis is multiplied by to get the means of its blocks: (blocks, side)."""
    edges = numpy.rint(numpy.linspace(0, side, min(side, _BLOCKS) + 1)).astype(int)
    voxels = numpy.arange(side)
    inside = (edges[:-1, None] <= voxels) & (voxels < edges[1:, None])
    return inside / inside.sum(axis=1, keepdims=True)


def _turned(array, turn):
    order, steps = turn
    return array.transpose(0, *(axis + 1 for axis in order))[(slice(None), *(slice(None, None, s) for s in steps))]


def _span(array):
    return float(array.max()) - float(array.min())


def _centred(array, span):
    """Of mean 0 and span 1, so that squares of very large or small intensities are numbers of float32."""
    return ((array - array.mean(dtype=float)) / span).astype(numpy.float32)


def _step(array):
    return float(numpy.diff(numpy.unique(array).astype(float)).min())
