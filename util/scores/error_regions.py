"""Where the squared error lies: in the head, on its rim, in the air."""
import numpy
from scipy import ndimage

RIM = 4  # HR voxels beyond the head mask: half-filled voxels of the skin, and what interpolation smears out of it
ERROR_REGIONS = ('head', 'rim', 'air')


def error_regions(head):
    """The regions that the error of a volume is split into; every voxel is in one of them.

    Args:
        head (numpy.ndarray): The head in the true volume, bool, (z, y, x): `util.volumes.head_mask`.

    Returns:
        dict: masks, bool, (z, y, x): ``head``; ``rim``, the voxels whose centre is at most :data:`RIM` voxels outside
        of the head; ``air``, the rest.
    """
    outside = ndimage.distance_transform_edt(~head)
    return dict(zip(ERROR_REGIONS, (head, (outside > 0) & (outside <= RIM), outside > RIM)))


def region_errors(error, regions):
    """What each region adds to the mean squared error of the whole volume.

    A gain over the whole volume can come from anywhere; these parts add up to it, and so tell from where it comes.

    Args:
        error (numpy.ndarray): Reconstruction less truth, (C, z, y, x).
        regions (dict): As of :func:`error_regions`.

    Returns:
        dict: name of the region -> sum of the squared error there over the number of all voxels of the volume.
    """
    return {name: float(numpy.sum(error[:, mask].astype(numpy.float64) ** 2) / error.size)
            for name, mask in regions.items()}
