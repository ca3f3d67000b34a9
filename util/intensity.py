"""Intensity scaling: the one number that a volume is divided by before the network, and multiplied by after it."""
import numpy

from util.script import UserError

PERCENTILE = 99  # about the brightest tissue; the maximum is set by a few bright vessels and differs by half and more


def intensity_scale(lr, method):
    """The scale of a volume, from its LR alone, since the HR is unknown where the network is used.

    Args:
        lr (numpy.ndarray): LR volume, (z, y, x), in the scanner's units.
        method (str): ``'none'``: 1, as the reference experiment. ``'percentile'``: the 99th percentile of the LR's
            voxels.

    Returns:
        float: What LR and HR are divided by; the network's output is multiplied by it.

    Raises:
        UserError: If the percentile is not above 0, as in a volume that is nearly all zero.
    """
    if method == 'none':
        return 1.0
    scale = float(numpy.percentile(lr, PERCENTILE))
    if scale <= 0:
        raise UserError(f'the {PERCENTILE}th percentile of this LR volume is {scale:g}, so it gives no scale; '
                        'use a volume with more signal, or intensity_scaling: none')
    return scale


def like_input(sr, lr):
    """A reconstructed volume in the range and the type of the LR volume it was made of.

    Args:
        sr (numpy.ndarray): Reconstructed volume.
        lr (numpy.ndarray): LR volume, of its file's type; what lies outside its minimum and maximum is clipped.

    Returns:
        numpy.ndarray: ``sr``'s shape, ``lr``'s type; rounded if that is an integer type.
    """
    clipped = sr.astype(numpy.float64).clip(lr.min(), lr.max())  # float32 does not hold every 32-bit integer
    return (numpy.rint(clipped) if lr.dtype.kind in 'iu' else clipped).astype(lr.dtype)
