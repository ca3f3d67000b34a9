"""SR that agrees with its LR: of all volumes that a degradation makes that LR of, the nearest to what a network gives.

With A the degradation, y the LR and x the SR volume that is x + A+ (y - A x), A+ being the pseudo-inverse. The truth is
among those volumes if LR was made so, without noise, and a projection leads away from none of them: SR then comes no
farther from the truth, whatever the network and the head are. A is a matrix along each axis, and so is A+.
"""
import numpy

from models.product import along_axes
from util.volumes.axis_matrices import degradation_matrix

LEAST = 0.1  # singular values of an axis below this share of its largest are left out: they would blow up LR's noise
SLAB = 32    # HR slices that are computed at a time


def make_consistent(sr, lr, sampling, degradation):
    """Make SR agree with LR, in place.

    What is left out of the pseudo-inverse (:data:`LEAST`) is what LR hardly tells, such as the finest waves after a
    wide Gaussian; there SR stays as it is.

    Args:
        sr (numpy.ndarray): (C, r_z*z, r_y*y, r_x*x), float32, in LR's intensity units.
        lr (numpy.ndarray): (C, z, y, x), float32.
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.
        degradation (~util.config.Degradation): How LR is made of HR.

    Returns:
        float: What is left of the disagreement, its root mean square over that of LR.
    """
    forward = [degradation_matrix(n, r, offset, degradation.name, **degradation.settings)
               for n, r, offset in zip(sr.shape[1:], sampling.rate, sampling.offset)]
    back = [numpy.linalg.pinv(matrix.astype(numpy.float64), LEAST).astype(numpy.float32) for matrix in forward]
    missing = lr.copy()
    slabs = [slice(start, start + SLAB) for start in range(0, sr.shape[1], SLAB)]  # so that no second HR volume is held
    for slab in slabs:
        missing -= along_axes(sr[:, slab], [forward[0][:, slab], *forward[1:]])
    for slab in slabs:
        sr[:, slab] += along_axes(missing, [back[0][slab], *back[1:]])
    missing -= along_axes(missing, [one @ other for one, other in zip(forward, back)])
    # in float64: float32's squares end at intensities of 1e19
    left, whole = (numpy.linalg.norm(array.astype(numpy.float64)) for array in (missing, lr))
    return float(left / max(whole, numpy.finfo(numpy.float32).tiny))
