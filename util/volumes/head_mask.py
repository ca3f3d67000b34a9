"""Where the head is in a volume: most of a scan is air, which is easy to reconstruct and dominates its scores."""
import numpy

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
    from scipy import ndimage  # here, since they take a while and a scan without a truth does without
    from skimage.filters import threshold_li

    image = volume[0] if len(volume) == 1 else numpy.sqrt(numpy.sum(volume.astype(numpy.float64) ** 2, axis=0))
    low, high = float(image.min()), float(image.max())
    if not low < high or not numpy.isfinite(high - low):
        raise _no_head(low, high)
    with numpy.errstate(over='ignore', invalid='ignore'):  # values so large that the threshold is infinite
        bright = image > threshold_li(image)
    if not bright.any():
        raise _no_head(low, high)
    labels, _ = ndimage.label(bright)
    mask = labels == numpy.bincount(labels[bright]).argmax()
    # What lies outside of the mask's box is no hole, and what touches its faces is connected with that.
    box = tuple(_extent(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3))
    filled = mask[box]
    filled = filled | _holes(filled, (0, 1, 2))
    mask[box] = filled | _holes(filled, (1, 2)) | _holes(filled, (0, 2)) | _holes(filled, (0, 1))
    return mask


def _no_head(low, high):
    return UserError(f'no head can be found in a volume with intensities from {low:g} to {high:g}; a volume with '
                     'tissue brighter than air is wanted')


def _extent(line):
    """From the first to the last True of a line, as a slice."""
    inside = numpy.flatnonzero(line)
    return slice(inside[0], inside[-1] + 1)


def _holes(mask, axes):
    """What a mask encloses in the volume (all three axes) or in each of its planes (the plane's two axes).

    Hole by hole, by labelling: `ndimage.binary_fill_holes` grows the outside voxel by voxel, ten times as slowly.
    """
    from scipy import ndimage

    neighbours = ndimage.generate_binary_structure(3, 1)
    for axis in {0, 1, 2} - set(axes):  # nothing is connected from plane to plane
        neighbours[tuple(slice(None, None, 2) if a == axis else slice(None) for a in range(3))] = False
    labels, count = ndimage.label(~mask, neighbours)
    is_hole = numpy.ones(count + 1, bool)
    is_hole[0] = False  # the mask itself
    for axis in axes:
        for face in (0, -1):
            is_hole[labels.take(face, axis)] = False
    return is_hole.take(labels)
