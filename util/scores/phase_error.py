"""Does a reconstruction carry a pattern of the shuffle's period (a checkerboard)? The error by phase and by frequency.

A shuffler fills the r_z*r_y*r_x HR voxels of an LR voxel from as many channels. If these disagree systematically, the
same pattern repeats in every block: A. Odena et al., "Deconvolution and checkerboard artifacts", Distill 2016. Then the
mean error differs from phase to phase, and the error's spectrum has peaks at multiples of 1/r cycles per voxel.

That the *squared* error differs from phase to phase is no such sign by itself: with LR centres on the first voxel of
their block, that voxel is known and those further away are guessed, by interpolation as by a network.
"""
import numpy


def phase_errors(error, rate, mask=None):
    """Mean error and mean squared error of each of the shuffle's phases.

    Args:
        error (numpy.ndarray): Reconstruction less truth, (C, r_z*z, r_y*y, r_x*x).
        rate ((int, int, int)): (r_z, r_y, r_x).
        mask (numpy.ndarray): The voxels that count, bool, (r_z*z, r_y*y, r_x*x), such as the head; default: all.

    Returns:
        (numpy.ndarray, numpy.ndarray): mean and mean square, each (r_z, r_y, r_x), float64: entry (p, q, s) is of the
        HR voxels (r_z*i + p, r_y*j + q, r_x*k + s) of all channels.
    """
    mean, square = numpy.empty(rate), numpy.empty(rate)
    for phase in numpy.ndindex(*rate):
        voxels = tuple(slice(p, None, r) for p, r in zip(phase, rate))
        values = error[(..., *voxels)]
        values = (values if mask is None else values[..., mask[voxels]]).astype(numpy.float64)
        mean[phase], square[phase] = values.mean(), numpy.mean(values ** 2)
    return mean, square


def pattern_share(mean, square):
    """The share of the squared error that is one fixed pattern repeated in every block: 0 none, 1 nothing else.

    It is the variance of the phases' mean errors over the mean of their squared errors.

    Args:
        mean, square (numpy.ndarray): As of :func:`phase_errors`.

    Returns:
        float: 0 where there is no error at all.
    """
    return float(mean.var() / square.mean()) if square.any() else 0.0


def error_spectra(error):
    """Power of the error by frequency along z, y and x, mean over all lines along each axis and all channels.

    Args:
        error (numpy.ndarray): Reconstruction less truth, (C, z, y, x).

    Returns:
        list: For each axis two arrays of (n // 2 + 1,): frequencies from 0 to 0.5 in cycles per voxel, and power.
    """
    spectra = []
    for axis in range(1, 4):
        # along the last axis of a copy, slab by slab, which stays in the cache
        lines = numpy.moveaxis(error, axis, -1)
        power = sum((numpy.abs(numpy.fft.rfft(numpy.ascontiguousarray(slab))) ** 2).sum(axis=0, dtype=float)
                    for channel in lines for slab in channel)
        n = error.shape[axis]
        spectra.append((numpy.fft.rfftfreq(n), power / (error.size / n) / n))
    return spectra


def grid_peak(spectra, rate, width=4):
    """How far the error's spectrum stands out at multiples of 1/r cycles per voxel.

    Args:
        spectra (list): As of :func:`error_spectra`.
        rate ((int, int, int)): (r_z, r_y, r_x).
        width (int): Frequencies on either side whose median the peak is compared with.

    Returns:
        float: The largest, over the axes with r > 1 and the multiples of 1/r up to 1/2, of the power there over the
        median of the power around it. About 1 without a checkerboard.
    """
    peaks = []
    for (frequencies, power), r in zip(spectra, rate):
        for multiple in range(1, r // 2 + 1):
            at = int(numpy.abs(frequencies - multiple / r).argmin())  # there is one: the volume is a number of blocks
            around = numpy.concatenate([power[max(at - width, 1):at], power[at + 1:at + 1 + width]])
            peaks.append(power[at] / numpy.median(around))
    return float(max(peaks))
