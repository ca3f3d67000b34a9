"""Does SR agree with the LR that it was made of? What can be said of a scan without a truth.

SR that agrees may still be wrong: linear interpolation agrees well. SR that does not agree is wrong.
"""
import numpy

from models.product import along_axis
from util.scores.metrics import robust_range

DETAIL = 1.0  # sigma of the Gaussian that is taken off, in voxels: what is left is finer than some 4 voxels
DOT = 0.1     # how far beyond the scan, of its range in the head: B-spline interpolation is hardly anywhere
RUNNING = 9   # thin slices in the running mean that stripes are taken about


def slice_means(sr, sampling):
    """What LR would be if each of its voxels were the mean over its own extent, with nothing in between.

    Along each axis LR voxel i is the mean of SR, each voxel constant, from r i + o - r / 2 to r i + o + r / 2, with
    rate r and offset o. Of offset (r - 1) / 2 that is the block mean of Tanno et al. 2017; of offset 0 and rate 4 it
    has the weights 1/8, 1/4, 1/4, 1/4, 1/8 (trapezoidal rule), centred on HR voxel r i.

    Args:
        sr (numpy.ndarray): (C, r_z*z, r_y*y, r_x*x), float32.
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.

    Returns:
        (numpy.ndarray, tuple of slice): The means, (C, z, y, x), float32; and where, z, y, x, SR has the whole extent:
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
        lr (numpy.ndarray): (C, z, y, x), float32.
        sr (numpy.ndarray): (C, r_z*z, r_y*y, r_x*x), float32, in LR's intensity units.
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.
        head (numpy.ndarray): The head in LR, bool, (z, y, x): `util.volumes.head_mask`.

    Returns:
        float: Root mean square of LR less :func:`slice_means`, over the head's voxels whose whole extent SR has,
        relative to the head's range: 99.5th percentile of LR there less its minimum. The mean over the channels.
    """
    means, whole = slice_means(sr, sampling)
    inside = head[whole]
    errors = (lr[(slice(None), *whole)] - means[(slice(None), *whole)])[:, inside]
    return float(numpy.mean([numpy.sqrt(numpy.mean(_squares(error))) / robust_range(channel[head])
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

    axis = _thick_axis(sampling)
    sigma = [0.0, *(DETAIL * (r == 1) for r in sampling.rate)]

    def energy(image):
        return numpy.sum(_squares((image - ndimage.gaussian_filter(image, sigma))[:, head]))

    phases = [sr[(slice(None), *(slice(p if a == axis else 0, None, r) for a, r in enumerate(sampling.rate)))]
              for p in range(sampling.rate[axis])]
    return numpy.array([energy(phase) for phase in phases]) / energy(lr)


def dots(lr, sr, sampling, head):
    """How much of SR lies beyond all that LR has around it: bright and dark dots that no scan voxel hints at.

    Args:
        lr, sr, sampling, head: As of :func:`data_consistency`.

    Returns:
        float: Share of the head's HR voxels that lie above the largest, or below the smallest, of the 3 x 3 x 3 LR
        voxels about their own by more than :data:`DOT` of the head's range. The mean over the channels.
    """
    from scipy import ndimage

    around, shares = [1, 3, 3, 3], []
    bounds = ndimage.minimum_filter(lr, around), ndimage.maximum_filter(lr, around)
    inside = sampling.over_blocks(head)
    for channel, image, low, high in zip(lr, sr, *bounds):
        image, reach = image[inside], DOT * robust_range(channel[head])
        low, high = (sampling.over_blocks(bound)[inside] for bound in (low, high))
        shares.append(numpy.mean((image < low - reach) | (image > high + reach)))
    return float(numpy.mean(shares))


def stripes(sr, sampling, head):
    """How uneven in brightness thin slices are, one to the next: how much of the scan's own unevenness is kept.

    Args:
        sr, sampling, head: As of :func:`data_consistency`. One axis must have a rate above 1.

    Returns:
        float: Of the means of thin slices within the middle third of the head's extent along each axis, the standard
        deviation about their running mean of :data:`RUNNING`, relative to the mean's amount. The mean over the
        channels.
    """
    from scipy import ndimage

    axis = _thick_axis(sampling)
    block = []
    for voxels, r in zip(numpy.nonzero(head), sampling.rate):
        first, size = r * int(voxels.min()), r * (int(voxels.max()) + 1 - int(voxels.min()))
        block.append(slice(first + size // 3, max(first + 2 * size // 3, first + size // 3 + 1)))
    thirds = [slice(None), *block[:axis], slice(None), *block[axis + 1:]]
    means = numpy.moveaxis(sr[tuple(thirds)], 1 + axis, 1).mean(axis=(2, 3), dtype=numpy.float64)
    off = means - ndimage.uniform_filter1d(means, RUNNING, axis=1, mode='nearest')
    mean = numpy.maximum(numpy.abs(means[:, block[axis]].mean(axis=1)), numpy.finfo(numpy.float32).tiny)
    return float(numpy.mean(off[:, block[axis]].std(axis=1) / mean))


def _squares(values):
    return numpy.square(values, dtype=numpy.float64)  # those of float32 end at intensities of 1e-23 and 1e19


def _thick_axis(sampling):
    axis, = (axis for axis, r in enumerate(sampling.rate) if r > 1)
    return axis
