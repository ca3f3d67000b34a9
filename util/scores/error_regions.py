"""Where the squared error lies: in the head, on its rim, in the air."""
import numpy

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
    near = _square_distance(head, RIM) <= RIM ** 2
    return dict(zip(ERROR_REGIONS, (head, near & ~head, ~near)))


def _square_distance(mask, most):
    """Squared distance to a mask in voxels, uint8, (z, y, x), right where it is at most ``most`` squared, else larger.

    Axis by axis, the least of the neighbours' distances and one's own steps to them (P. Felzenszwalb and
    D. Huttenlocher, "Distance transforms of sampled functions", Theory of Computing 2012). A transform without the
    bound, as SciPy's, takes twenty times as long.
    """
    square = numpy.where(mask, 0, most ** 2 + 1).astype(numpy.uint8)
    for axis in range(3):
        before, square = numpy.moveaxis(square, axis, 0), square.copy()
        after = numpy.moveaxis(square, axis, 0)
        for step in range(1, most + 1):
            numpy.minimum(after[step:], before[:-step] + numpy.uint8(step ** 2), out=after[step:])
            numpy.minimum(after[:-step], before[step:] + numpy.uint8(step ** 2), out=after[:-step])
    return square


def region_errors(error, regions):
    """What each region adds to the mean squared error of the whole volume.

    A gain over the whole volume can come from anywhere; these parts add up to it, and so tell from where it comes.

    Args:
        error (numpy.ndarray): Reconstruction less truth, (C, z, y, x).
        regions (dict): As of :func:`error_regions`.

    Returns:
        dict: name of the region -> sum of the squared error there over the number of all voxels of all channels.
    """
    sums = numpy.zeros(len(regions))
    for z in range(error.shape[1]):  # plane by plane, which stays in the cache
        square = (error[:, z].astype(numpy.float64) ** 2).sum(axis=0).ravel()
        sums += numpy.array([mask[z].ravel() for mask in regions.values()], numpy.float64) @ square
    return {name: float(total / error.size) for name, total in zip(regions, sums)}
