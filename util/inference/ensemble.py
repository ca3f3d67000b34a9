"""Self-ensemble: the mean of a network's outputs over mirrored copies of its input."""
import itertools

import numpy


def mean_over_mirrorings(function, lr, sampling):
    """Super-resolve a volume as the mean over its eight mirrorings along z, y and x.

    Source: R. Timofte et al., "Seven ways to improve example-based single image super resolution", CVPR 2016
    ("enhanced prediction"); mirrorings only, since voxels and rates need not be the same along two axes.

    LR voxel i of n has its centre at HR index ``r * i + offset``. Its mirror image is LR voxel n - 1 - i, which the
    network puts at ``r * (n - 1 - i) + offset``: mirrored back, that is ``r * i + (r - 1 - offset)``. So the output of
    a mirrored copy lies ``r - 1 - 2 * offset`` HR voxels too far (none where LR centres lie amid their blocks) and is
    moved back by as many. What then lies outside of the volume is dropped, and voxels that a mirrored copy does not
    give are the mean of the copies that do.

    Args:
        function: Maps an LR volume (C, z, y, x) to a dict of HR maps, name -> (C, r_z*z, r_y*y, r_x*x), float32.
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
        mirror = (slice(None), *(slice(None, None, -1 if m else 1) for m in mirrored))
        moves = [shift if m else 0 for m, shift in zip(mirrored, shifts)]
        given = (slice(None), *(slice(max(move, 0), side + min(move, 0)) for move, side in zip(moves, shape[1:])))
        place = (slice(None), *(slice(max(-move, 0), side - max(move, 0)) for move, side in zip(moves, shape[1:])))
        for name, sr in function(numpy.ascontiguousarray(lr[mirror])).items():
            if name not in total:
                total[name] = numpy.zeros(shape, numpy.float32)
            total[name][place] += sr[mirror][given]
            del sr  # or it would still be there while the next one is made
    # Along an axis one or both of a copy and its mirror image give a voxel: so many copies give it in all.
    copies_z, copies_y, copies_x = (_given_along(side, shift) for side, shift in zip(shape[1:], shifts))
    for summed in total.values():
        for z, copies in enumerate(copies_z):
            summed[:, z] /= copies * copies_y[:, None] * copies_x
    return total


def _given_along(side, shift):
    """How many of the two mirrorings along an axis give each of its voxels: (side,), float32."""
    copies = numpy.ones(side, numpy.float32)
    copies[max(-shift, 0):side - max(shift, 0)] += 1
    return copies
