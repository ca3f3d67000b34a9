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

    def find(self, array):
        """The first scan of the same voxels.

        A copy of another type or scale may be rounded: voxels agree if, after the best linear map of intensities, they
        do to within the coarser volume's step, the least difference of two of its values.

        Args:
            array (numpy.ndarray): (C, z, y, x), not constant.

        Returns:
            Path: The scan's; None if there is none.

        Raises:
            UserError: If a scan seen before cannot be read any more.
        """
        small = thumbnail(array)
        for turn in _TURNS:
            turned, turned_small = _turned(array, turn), _turned(small, turn)
            for path, other in self._seen.get(turned.shape, ()):
                if ((turned_small - other) ** 2).sum() < _CLOSE and same_voxels(turned, read_volume(path).array):
                    return path
        return None

    def add(self, path, array):
        """Remember a scan.

        Args:
            path (Path): Where it can be read again.
            array (numpy.ndarray): Its voxels, (C, z, y, x).
        """
        self._seen.setdefault(array.shape, []).append((path, thumbnail(array)))


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
    if not (numpy.ptp(one) and numpy.ptp(other)):
        return False
    step, other_step, one, other = _step(one), _step(other), _centred(one), _centred(other)
    slope = (one * other).sum(dtype=float) / (one * one).sum(dtype=float)
    tolerance = max(step * abs(slope), other_step) + 1e-5 * numpy.ptp(other)  # nothing is more exact than float32
    residual = one * numpy.float32(slope) - other
    # where nearly all is background, or a step is large, the share that agrees says little and the variance says all
    return bool((numpy.abs(residual) <= tolerance).mean() >= 0.99
                and (residual ** 2).sum(dtype=float) <= 0.02 * (other ** 2).sum(dtype=float))


def thumbnail(array):
    """Block means of an array (C, z, y, x), at most 7 per axis, of mean 0 and unit length."""
    for axis in (1, 2, 3):
        side = array.shape[axis]
        edges = numpy.rint(numpy.linspace(0, side, min(side, _BLOCKS) + 1)).astype(int)
        sums = numpy.add.reduceat(array, edges[:-1], axis=axis, dtype=float)
        array = sums / numpy.diff(edges).reshape([-1 if k == axis else 1 for k in range(4)])
    array = array - array.mean()
    return array / (numpy.sqrt((array ** 2).sum()) or 1)


def _turned(array, turn):
    order, steps = turn
    return array.transpose(0, *(axis + 1 for axis in order))[(slice(None), *(slice(None, None, s) for s in steps))]


def _centred(array):
    return (array - array.mean(dtype=float)).astype(numpy.float32)


def _step(array):
    return float(numpy.diff(numpy.unique(array).astype(float)).min())
