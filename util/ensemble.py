"""Self-ensemble: the mean of a network's outputs over mirrored copies of its input."""
import itertools

import numpy

from util.reconstruction import reconstruct


def reconstruct_ensemble(net, lr, offset, **kwargs):
    """Super-resolve a volume as the mean over its eight mirrorings along z, y and x.

    Source: R. Timofte et al., "Seven ways to improve example-based single image super resolution", CVPR 2016
    ("enhanced prediction"); mirrorings only, since voxels and rates need not be the same along two axes.

    LR voxel i of n has its centre at HR index ``r * i + offset``. Its mirror image is LR voxel n - 1 - i, which the
    network puts at ``r * (n - 1 - i) + offset``: mirrored back, that is ``r * i + (r - 1 - offset)``. So the output of
    a mirrored copy lies ``r - 1 - 2 * offset`` HR voxels too far (none where LR centres lie amid their blocks) and is
    moved back by as many. What then lies outside the volume is dropped, and voxels that a mirrored copy does not give
    are the mean of the copies that do.

    Args:
        net (~chainer.Chain): As for :func:`util.reconstruction.reconstruct`.
        lr (numpy.ndarray): LR volume, (z, y, x), float32.
        offset ((float, float, float)): HR index of the centre of LR voxel 0, (z, y, x); whole or half numbers.
        kwargs: Further arguments of :func:`util.reconstruction.reconstruct`.

    Returns:
        numpy.ndarray: HR volume, (r_z*z, r_y*y, r_x*x), float32.
    """
    sides = [r * side for r, side in zip(net.rate, lr.shape)]
    shifts = [r - 1 - round(2 * o) for r, o in zip(net.rate, offset)]
    total, copies = numpy.zeros(sides, numpy.float32), numpy.zeros(sides, numpy.float32)
    for mirrored in itertools.product((False, True), repeat=3):
        mirror = tuple(slice(None, None, -1 if m else 1) for m in mirrored)
        sr = reconstruct(net, numpy.ascontiguousarray(lr[mirror]), **kwargs)[mirror]
        moves = [shift if m else 0 for m, shift in zip(mirrored, shifts)]
        given = tuple(slice(max(move, 0), side + min(move, 0)) for move, side in zip(moves, sides))
        place = tuple(slice(max(-move, 0), side - max(move, 0)) for move, side in zip(moves, sides))
        total[place] += sr[given]
        copies[place] += 1
    return total / copies
