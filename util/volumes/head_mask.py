"""Where the head is in a volume: most of a scan is air, which is easy to reconstruct and dominates its scores."""
import numpy
from scipy import ndimage
from skimage.filters import threshold_li

from util.script import UserError


def head_mask(volume):
    """The head: the largest connected part above Li's threshold, with its holes filled.

    Threshold: minimum cross entropy, C. H. Li and P. K. S. Tam, "An iterative algorithm for minimum cross entropy
    thresholding", Pattern Recognition Letters 1998. Otsu's lies about twice as high in T1-weighted scans, where grey
    and white matter make two classes of their own, and leaves out the scalp.
    What is dark inside (ventricles, skull) is filled as far as brighter tissue encloses it, in the volume or in one of
    its planes; the sinuses, which open outwards in every plane, stay air.

    Args:
        volume (numpy.ndarray): LR or HR volume, (C, z, y, x), in any intensity units. Of several channels the root of
            the sum of squares is taken, so that negative values count as well.

    Returns:
        numpy.ndarray: bool, (z, y, x).

    Raises:
        UserError: If every voxel has the same intensity, or one is not finite.
    """
    image = volume[0] if len(volume) == 1 else numpy.sqrt(numpy.sum(volume.astype(numpy.float64) ** 2, axis=0))
    low, high = float(image.min()), float(image.max())
    if not low < high or not numpy.isfinite(high - low):
        raise UserError(f'no head can be found in a volume with intensities from {low:g} to {high:g}; '
                        'a volume with tissue brighter than air is wanted')
    bright = image > threshold_li(image)
    labels, _ = ndimage.label(bright)
    sizes = numpy.bincount(labels.ravel())
    sizes[0] = 0  # the air
    mask = ndimage.binary_fill_holes(labels == sizes.argmax())
    planes = numpy.zeros_like(mask)
    for axis in range(3):
        for plane, filled in zip(numpy.moveaxis(mask, axis, 0), numpy.moveaxis(planes, axis, 0)):
            filled |= ndimage.binary_fill_holes(plane)
    return planes
