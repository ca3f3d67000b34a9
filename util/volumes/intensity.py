"""Intensity scaling: what a channel is divided by before the network, and multiplied by after it."""
import numpy

from util.choices import look_up
from util.script import UserError

PERCENTILE = 99  # about the brightest tissue; the maximum is set by a few bright vessels and differs by half and more


def _none(channel):
    return 1.0


def _percentile(channel):
    scale = float(numpy.percentile(channel, PERCENTILE))
    if scale <= 0:
        raise UserError(f'the {PERCENTILE}th percentile of this LR volume is {scale:g}, so it gives no scale; '
                        'use a volume with more signal, or an experiment with intensity_scaling: none')
    return scale


def _deviation(channel):
    inside = channel[channel != 0].astype(numpy.float64)
    scale = float(inside.std()) if inside.size else 0.0
    if not scale > 0:
        raise UserError('a channel of this LR volume has no two different values beside 0, so it gives no scale; use a '
                        'volume with more signal, or an experiment with intensity_scaling: none')
    return scale


# name -> function of one LR channel (z, y, x) that gives its scale
SCALINGS = {'none': _none, 'percentile': _percentile, 'deviation': _deviation}


def intensity_scale(lr, method):
    """The scale of each channel, from the LR alone, since the HR is unknown where the network is used.

    Args:
        lr (numpy.ndarray): LR volume, (C, z, y, x), in the scanner's units.
        method (str): A name of :data:`SCALINGS`. ``'none'``: 1, as the reference experiment. ``'percentile'``: the
            99th percentile of the channel's LR voxels. ``'deviation'``: the standard deviation of its LR voxels that
            are not 0, for channels with signs, such as a tensor's off-diagonal elements. No mean is taken off: what is
            0 stays 0.

    Returns:
        numpy.ndarray: (C, 1, 1, 1), float32: what LR and HR are divided by; the network's output is multiplied by it.

    Raises:
        UserError: If the percentile or the deviation is not above 0, as in a volume that is nearly all zero.
        ValueError: If the method is unknown.
    """
    scale = look_up(SCALINGS, method, 'intensity scaling')
    return numpy.array([scale(channel) for channel in lr], numpy.float32)[:, None, None, None]


def like_input(sr, lr):
    """A reconstructed volume in the range and the type of the LR volume that it was made of.

    Args:
        sr (numpy.ndarray): Reconstructed volume, (C, r_z*z, r_y*y, r_x*x).
        lr (numpy.ndarray): LR volume, (C, z, y, x), of its file's type; values beyond a channel's minimum and maximum
            are clipped.

    Returns:
        numpy.ndarray: ``sr``'s shape, ``lr``'s type; rounded if that is an integer type.
    """
    result, is_integer = numpy.empty(sr.shape, lr.dtype), lr.dtype.kind in 'iu'
    for image, given, channel in zip(sr, result, lr):
        low, high = channel.min(), channel.max()
        if is_integer and float(high) > int(high):  # beyond the end of a 64-bit type it would wrap around
            high = numpy.nextafter(float(high), -numpy.inf)
        for plane, out in zip(image, given):  # plane by plane, since float64 takes twice the memory
            clipped = plane.astype(numpy.float64).clip(low, high)  # float32 does not hold every 32-bit integer
            out[...] = numpy.rint(clipped) if is_integer else clipped
    return result
