"""Where the squared error lies: in the head, on its rim, in the air."""
import numpy
from scipy import ndimage

RIM = 4  # HR voxels beyond the head mask: half-filled voxels of the skin, and what interpolation smears out of it
ERROR_REGIONS = ('head', 'rim', 'air')


def error_regions(error, head):
    """What each region adds to the mean squared error of the whole volume.

    A gain over the whole volume can come from anywhere; these parts add up to it, and so tell from where it comes.

    Args:
        error (numpy.ndarray): Reconstruction less truth, (z, y, x).
        head (numpy.ndarray): The head in the true volume, bool, (z, y, x): :func:`util.head_mask.head_mask`.

    Returns:
        dict: ``head``; ``rim``, the voxels whose centre is at most :data:`RIM` voxels outside of the head; ``air``, the
        rest: sum of the squared error there over the number of all voxels of the volume.
    """
    outside = ndimage.distance_transform_edt(~head)
    masks = head, (outside > 0) & (outside <= RIM), outside > RIM
    return {name: float(numpy.sum(error[mask].astype(numpy.float64) ** 2) / error.size)
            for name, mask in zip(ERROR_REGIONS, masks)}
