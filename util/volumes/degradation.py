r"""From HR to LR: the ways an image of lower resolution is made, each with its formula, source and geometry.

Along each axis, with rate r, HR voxels x[j] and LR voxels y[i]; the axes are treated one after the other:

============ ============================================================= ============ ================================
name         formula                                                       centre at j  source
============ ============================================================= ============ ================================
bspline      y[i] = x[r i]                                                 r i          the reference experiment
block_mean   y[i] = (x[r i] + ... + x[r i + r - 1]) / r                    r i+(r-1)/2  Tanno et al. 2017
gaussian     y[i] = sum_j w(j - c_i) x[j] / sum_j w(j - c_i),              c_i =        slice or point-spread profile of
             w(d) = exp(-4 ln 2 d^2 / (fwhm r)^2)                          r i+(r-1)/2  that full width at half maximum
kspace       the lowest n/r of the n frequencies of the DFT of x           r i          what a scanner measures at lower
                                                                                        resolution (Gibbs ringing too)
zero_filled  of those the lowest share ``kept``; the others are 0          r i          a scanner that interpolates to
                                                                                        finer voxels
============ ============================================================= ============ ================================

An axis of rate 1 is left as it is. Everything is float32 on output: an LR volume in the scan's integer type would lose
up to a level to rounding.
"""
import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy

from util.choices import look_up, settings_of
from util.volumes.sampling import Sampling


def degrade(hr, rate, name, noise_sigma=0.0, rng=None, **settings):
    """Make the LR array of an HR array.

    Args:
        hr (numpy.ndarray): (..., z, y, x), such as (C, z, y, x); each size a multiple of that axis's rate.
        rate ((int, int, int)): HR voxels per LR voxel, (z, y, x).
        name (str): A name of :data:`DEGRADATIONS`.
        noise_sigma (float): Sigma of the Rician noise, in HR's intensity units; 0 adds none.
        rng (numpy.random.Generator): The noise's.
        settings: What belongs to the name alone. ``gaussian``: ``fwhm``, the full width at half maximum in units of
            the LR spacing, so that 1.0 is a profile as wide as the LR voxel. ``zero_filled``: ``kept``, above 0, at
            most 1.

    Returns:
        numpy.ndarray: (..., z / r_z, y / r_y, x / r_x), float32.

    Raises:
        ValueError: If a size is not a multiple of its rate, the name is unknown, or noise is asked for without an rng.
        TypeError: If a setting belongs to another name.
    """
    along_axis = look_up(DEGRADATIONS, name, 'degradation').along_axis
    foreign = settings.keys() - settings_of(along_axis).keys()
    if foreign:
        raise TypeError(f'{", ".join(sorted(foreign))}: no setting of {name}')
    hr = numpy.asarray(hr)
    if hr.ndim < 3 or any(n % r for n, r in zip(hr.shape[-3:], rate)):
        raise ValueError(f'HR of shape {hr.shape} (..., z, y, x) does not divide by the rate {tuple(rate)}')
    # Where voxels are only picked, most of an integer volume need never be float32.
    lr = hr if along_axis is _bspline else hr.astype(numpy.float32, copy=False)
    for axis, r in enumerate(rate, hr.ndim - 3):
        if r != 1:
            lr = along_axis(lr, axis, r, **settings)
    lr = numpy.ascontiguousarray(lr, dtype=numpy.float32)
    return add_rician_noise(lr, noise_sigma, rng) if noise_sigma > 0 else lr


def sampling_of(name, rate):
    """Where a degradation puts LR voxels among HR voxels.

    Args:
        name (str): A name of :data:`DEGRADATIONS`.
        rate ((int, int, int)): HR voxels per LR voxel, (z, y, x).

    Returns:
        ~util.volumes.sampling.Sampling: (r - 1) / 2 for ``block_mean`` and ``gaussian``, 0 for the others.

    Raises:
        ValueError: If the name is unknown.
    """
    centre = look_up(DEGRADATIONS, name, 'degradation').centre
    return Sampling(rate, tuple((r - 1) / 2 if centre == 'block' else 0.0 for r in rate))


def add_rician_noise(image, sigma, rng):
    """Magnitude of a signal with Gaussian noise in its real and imaginary parts.

    Source: H. Gudbjartsson and S. Patz, "The Rician distribution of noisy MRI data", Magn Reson Med 34:910, 1995.

    Args:
        image (numpy.ndarray): The signal, any shape, float32.
        sigma (float): Standard deviation in each of the two parts, in the image's intensity units.
        rng (numpy.random.Generator): The noise's.

    Returns:
        numpy.ndarray: sqrt((image + n1)^2 + n2^2), float32; never negative, whatever ringing ``kspace`` left.

    Raises:
        ValueError: If there is no generator.
    """
    if rng is None:
        raise ValueError(f'Rician noise of sigma {sigma} needs a random generator')
    real, imaginary = (rng.normal(0.0, sigma, image.shape) for _ in range(2))
    return numpy.hypot(image + real, imaginary).astype(numpy.float32)


def noise_rng(seed, case):
    """The generator of one case's noise: the same for a case whatever other cases there are and in which order.

    Args:
        seed (int): The config's seed.
        case (str): The case's name.

    Returns:
        numpy.random.Generator: A new one.
    """
    return numpy.random.default_rng([seed, zlib.crc32(case.encode())])


def _bspline(x, axis, r):
    # The reference resamples with a cubic B-spline at r times the spacing from the same origin, without smoothing. An
    # interpolating spline returns the voxels themselves at its knots, and no other point is asked for: this is exact.
    return x[(slice(None),) * axis + (slice(None, None, r),)]


def _block_mean(x, axis, r):
    shape = x.shape[:axis] + (x.shape[axis] // r, r) + x.shape[axis + 1:]
    return x.reshape(shape).mean(axis=axis + 1)


def _gaussian(x, axis, r, *, fwhm=1.0):
    # The weights are taken at the true distances, half voxels where r is even; at the border what lies outside is
    # left out and the rest sums to 1, so that a constant stays constant.
    n = x.shape[axis]
    centres = r * numpy.arange(n // r) + (r - 1) / 2
    distance = numpy.arange(n) - centres[:, None]
    exponents = 4 * numpy.log(2) * (distance / (fwhm * r)) ** 2
    # of a narrow profile all would round to 0; a factor of all weights is divided out
    weights = numpy.exp(exponents.min(axis=1, keepdims=True) - exponents)
    weights /= weights.sum(axis=1, keepdims=True)
    return numpy.moveaxis(numpy.tensordot(weights.astype(numpy.float32), x, (1, axis)), 0, axis)


def _kspace(x, axis, r):
    # irfft cuts the spectrum to the frequencies -m/2 ... m/2 and takes the real part of the one at m/2 (m even), as if
    # -m/2 and m/2 were measured with half the weight each: the image is real and a constant keeps its value. The
    # result is signed, not a magnitude: ringing below zero stays, and the operation linear. Its own wrap-around makes
    # opposite borders of the volume ring into each other, as they do in a scan.
    import scipy.fft  # here, since it takes a while and the other ways do without

    m = x.shape[axis] // r
    return scipy.fft.irfft(scipy.fft.rfft(x, axis=axis), n=m, axis=axis) / r


def _zero_filled(x, axis, r, *, kept=0.5):
    import scipy.fft

    m = x.shape[axis] // r
    spectrum = scipy.fft.rfft(_kspace(x, axis, r), axis=axis)
    spectrum[(slice(None),) * axis + (slice(int(kept * m / 2) + 1, None),)] = 0
    return scipy.fft.irfft(spectrum, n=m, axis=axis)


class Degradation(NamedTuple):
    """One way to make LR from HR."""
    along_axis: Callable  # (x, axis, r, *, settings with defaults) -> the array with 1/r of the voxels along the axis
    centre: str           # where an LR voxel's centre lies: on the 'first' voxel of its block, or amid the 'block'


DEGRADATIONS = {
    'bspline': Degradation(_bspline, 'first'),
    'block_mean': Degradation(_block_mean, 'block'),
    'gaussian': Degradation(_gaussian, 'block'),
    'kspace': Degradation(_kspace, 'first'),
    'zero_filled': Degradation(_zero_filled, 'first'),
}
