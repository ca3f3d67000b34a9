"""Self-ensemble: the mean of a network's outputs over mirrored copies of its input."""
import itertools

import numpy


def mean_over_mirrorings(parts, lr, sampling):
    """Super-resolve a volume as the mean over its eight mirrorings along z, y and x.

    Source: R. Timofte et al., "Seven ways to improve example-based single image super resolution", CVPR 2016
    ("enhanced prediction"); mirrorings only, since voxels and rates need not be the same along two axes.

    LR voxel i of n has its centre at HR index ``r * i + offset``. Its mirror image is LR voxel n - 1 - i, which the
    network puts at ``r * (n - 1 - i) + offset``: mirrored back, that is ``r * i + (r - 1 - offset)``. So the output of
    a mirrored copy lies ``r - 1 - 2 * offset`` HR voxels too far (none where LR centres lie amid their blocks) and is
    moved back by as many. What then lies outside of the volume is dropped, and voxels that a mirrored copy does not
    give are the mean of the copies that do.

    Args:
        parts: Function of an LR volume (C, z, y, x) that gives the parts of its HR maps, as
            `util.inference.tiling.tiles` does: (place in the HR volume, name -> (C, z, y, x), float32). Part by part,
            so that the sum is the only HR volume in memory.
        lr (numpy.ndarray): LR volume, (C, z, y, x), float32.
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.

    Returns:
        dict: Name -> numpy.ndarray, HR map, float32: the mean over the mirrorings. For a map of variances that is an
        upper bound: the mean of several predictions varies no more than they do on average.
    """
    shape = sampling.hr_shape(lr.shape)
    shifts = [r - 1 - round(2 * o) for r, o in zip(sampling.rate, sampling.offset)]
    total = {}
    for mirrored in itertools.product((False, True), repeat=3):
        flip = (slice(None), *(slice(None, None, -1 if m else 1) for m in mirrored))
        for place, maps in parts(numpy.ascontiguousarray(lr[flip])):
            moves = [_moved(part, side, shift) if m else (part, slice(None))
                     for part, side, shift, m in zip(place, shape[1:], shifts, mirrored)]
            target, given = ((slice(None), *slices) for slices in zip(*moves))
            for name, part in maps.items():
                if name not in total:
                    total[name] = numpy.zeros(shape, numpy.float32)
                total[name][target] += part[flip][given]
    # Along an axis one or both of a copy and its mirror image give a voxel: so many copies give it in all.
    copies_z, copies_y, copies_x = (_given_along(side, shift) for side, shift in zip(shape[1:], shifts))
    for summed in total.values():
        for z, copies in enumerate(copies_z):
            summed[:, z] /= copies * copies_y[:, None] * copies_x
    return total


def _moved(part, side, shift):
    """Where a part of a mirrored copy lies in the volume, and what of the part, mirrored back, lies there."""
    start, stop = side - part.stop - shift, side - part.start - shift
    inside = slice(min(max(start, 0), side), max(min(stop, side), 0))
    return inside, slice(inside.start - start, inside.stop - start)


def _given_along(side, shift):
    """How many of the two mirrorings along an axis give each of its voxels: (side,), float32."""
    copies = numpy.ones(side, numpy.float32)
    copies[max(-shift, 0):side - max(shift, 0)] += 1
    return copies
