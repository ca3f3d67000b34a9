"""Does SR agree with the LR that it was made of? What can be said of a scan without a truth.

SR that agrees may still be wrong: linear interpolation agrees well. SR that does not agree is wrong.
"""
import numpy

from models.product import along_axis
from util.scores.metrics import robust_range

DETAIL = 1.0  # sigma of the Gaussian that is taken off, in voxels: what is left is finer than some 4 voxels


def slice_means(sr, sampling):
    """What LR would be if each of its voxels were the mean over its own extent, with nothing in between.

    Along each axis LR voxel i is the mean of SR, each voxel constant, from r i + o - r / 2 to r i + o + r / 2, with
    rate r and offset o. Of offset (r - 1) / 2 that is the block mean of Tanno et al. 2017; of offset 0 and rate 4 it
    has the weights 1/8, 1/4, 1/4, 1/4, 1/8 (trapezoidal rule), centred on HR voxel r i.

    Args:
        sr (numpy.ndarray): (C, r_z*z, r_y*y, r_x*x).
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.

    Returns:
        (numpy.ndarray, tuple of slice): the means, (C, z, y, x), float32; and where, z, y, x, SR has the whole extent:
        with offset 0 it ends amid the first LR voxel.
    """
    means, whole = sr, []
    for axis, (r, offset) in enumerate(zip(sampling.rate, sampling.offset)):
        if r == 1:
            whole.append(slice(None))
            continue
        size = sr.shape[1 + axis]
        centres, edges = r * numpy.arange(size // r)[:, None] + offset, numpy.arange(size) - 0.5
        overlap = numpy.minimum(edges + 1, centres + r / 2) - numpy.maximum(edges, centres - r / 2)
        weights = numpy.maximum(overlap, 0) / r
        inside = numpy.flatnonzero(weights.sum(axis=1) > 1 - 1e-6)
        whole.append(slice(int(inside[0]), int(inside[-1]) + 1))
        means = along_axis(means, weights.astype(numpy.float32), axis)
    return means, tuple(whole)


def data_consistency(lr, sr, sampling, head):
    """How far SR, averaged back over each slice, is from LR.

    Args:
        lr (numpy.ndarray): (C, z, y, x).
        sr (numpy.ndarray): (C, r_z*z, r_y*y, r_x*x), in LR's intensity units.
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.
        head (numpy.ndarray): The head in LR, bool, (z, y, x): `util.volumes.head_mask`.

    Returns:
        float: Root mean square of LR less :func:`slice_means`, over the head's voxels whose whole extent SR has,
        relative to the head's range: 99.5th percentile of LR there less its minimum. The mean over the channels.
    """
    means, whole = slice_means(sr, sampling)
    inside = head[whole]
    errors = (lr[(slice(None), *whole)] - means[(slice(None), *whole)])[:, inside]
    return float(numpy.mean([numpy.sqrt(numpy.mean(error ** 2, dtype=numpy.float64)) / robust_range(channel[head])
                             for channel, error in zip(lr, errors)]))


def detail_kept(lr, sr, sampling, head):
    """How much of LR's detail in plane SR has, slice by slice of those that it makes of one.

    Detail is what a Gaussian of sigma :data:`DETAIL` takes off along the axes of rate 1; noise is detail, too. Thin
    slices have no less of it than thick ones, which are their means: below 1, some is lost. Interpolation loses it
    between slices, where it averages two.

    Args:
        lr, sr, sampling, head: As of :func:`data_consistency`. One axis must have a rate above 1.

    Returns:
        numpy.ndarray: (r,), float64: over the head, the energy of detail in HR slices r i + p over that of LR slices i.
    """
    from scipy import ndimage  # here, since it takes a while

    axis, = (axis for axis, r in enumerate(sampling.rate) if r > 1)
    sigma = [0.0, *(DETAIL * (r == 1) for r in sampling.rate)]

    def energy(image):
        return numpy.sum((image - ndimage.gaussian_filter(image, sigma))[:, head] ** 2, dtype=numpy.float64)

    phases = [sr[(slice(None), *(slice(p if a == axis else 0, None, r) for a, r in enumerate(sampling.rate)))]
              for p in range(sampling.rate[axis])]
    return numpy.array([energy(phase) for phase in phases]) / energy(lr)
