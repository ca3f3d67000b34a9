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
============ ============================================================= ============ ================================

An axis of rate 1 is left as it is. Everything is float32 on output: an LR volume in the scan's integer type would lose
up to a level to rounding.
"""
import zlib

import numpy
import scipy.fft


def degrade(hr, rate, settings, rng=None):
    """Make the LR array of a HR array.

    Args:
        hr: array (D, H, W), axes z, y, x; each size a multiple of that axis's rate.
        rate: (rz, ry, rx).
        settings: object with `name` ('bspline', 'block_mean', 'gaussian', 'kspace'), `fwhm` (for gaussian; full width
            at half maximum in units of the LR spacing, so 1.0 is a profile as wide as the LR voxel) and `noise_sigma`
            (of the Rician noise, in HR's intensity units; 0 adds none).
        rng: numpy.random.Generator of the noise.

    Returns:
        float32 array (D / rz, H / ry, W / rx).

    Raises:
        ValueError: if a size is not a multiple of its rate, the name is unknown, or noise is asked for without an rng.
    """
    hr = numpy.asarray(hr)
    if hr.ndim != 3 or any(n % r for n, r in zip(hr.shape, rate)):
        raise ValueError(f'HR of shape {hr.shape} (z, y, x) does not divide by the rate {tuple(rate)}')
    lr = hr.astype(numpy.float32, copy=False)
    for axis, r in enumerate(rate):
        if r != 1:
            lr = _along_axis(settings)(lr, axis, r, settings)
    lr = numpy.ascontiguousarray(lr, dtype=numpy.float32)
    return add_rician_noise(lr, settings.noise_sigma, rng) if settings.noise_sigma > 0 else lr


def centre_offset(name, rate):
    """HR index of the centre of LR voxel 0 along each axis: LR voxel i is centred on HR index r*i + offset.

    Args:
        name: the degradation's name.
        rate: (rz, ry, rx).

    Returns:
        (oz, oy, ox) in HR voxels: 0 for `bspline` and `kspace`, (r - 1) / 2 for `block_mean` and `gaussian`.
    """
    return tuple((r - 1) / 2 if _DEGRADATIONS[name][1] == 'block' else 0.0 for r in rate)


def add_rician_noise(image, sigma, rng):
    """Magnitude of a signal with Gaussian noise of `sigma` in its real and imaginary parts (Gudbjartsson & Patz 1995).

    Args:
        image: float32 array, the signal.
        sigma: standard deviation in each of the two parts, in the image's intensity units.
        rng: numpy.random.Generator.

    Returns:
        float32 array sqrt((image + n1)^2 + n2^2); never negative, whatever ringing `kspace` left.
    """
    if rng is None:
        raise ValueError(f'Rician noise of sigma {sigma} needs a random generator')
    real, imaginary = (rng.normal(0.0, sigma, image.shape) for _ in range(2))
    return numpy.hypot(image + real, imaginary).astype(numpy.float32)


def noise_rng(seed, case):
    """The generator of one case's noise: the same for a case whatever other cases there are and in which order.

    Args:
        seed: the config's seed.
        case: the case's name.
    """
    return numpy.random.default_rng([seed, zlib.crc32(case.encode())])


def _bspline(x, axis, r, settings):
    # The reference resamples with a cubic B-spline at r times the spacing from the same origin, without smoothing. An
    # interpolating spline returns the voxels themselves at its knots, and no other point is asked for: this is exact.
    return x[(slice(None),) * axis + (slice(None, None, r),)]


def _block_mean(x, axis, r, settings):
    shape = x.shape[:axis] + (x.shape[axis] // r, r) + x.shape[axis + 1:]
    return x.reshape(shape).mean(axis=axis + 1)


def _gaussian(x, axis, r, settings):
    # The weights are taken at the true distances, half voxels where r is even; at the border what lies outside is
    # left out and the rest sums to 1, so that a constant stays constant.
    n = x.shape[axis]
    centres = r * numpy.arange(n // r) + (r - 1) / 2
    distance = numpy.arange(n) - centres[:, None]
    weights = numpy.exp(-4 * numpy.log(2) * (distance / (settings.fwhm * r)) ** 2)
    weights /= weights.sum(axis=1, keepdims=True)
    return numpy.moveaxis(numpy.tensordot(weights.astype(numpy.float32), x, (1, axis)), 0, axis)


def _kspace(x, axis, r, settings):
    # irfft cuts the spectrum to the frequencies -m/2 ... m/2 and takes the real part of the one at m/2 (m even), as if
    # -m/2 and m/2 were measured with half the weight each: the image is real and a constant keeps its value. The
    # result is signed, not a magnitude: ringing below zero stays, and the operation linear. Its own wrap-around makes
    # opposite borders of the volume ring into each other, as they do in a scan.
    m = x.shape[axis] // r
    return scipy.fft.irfft(scipy.fft.rfft(x, axis=axis), n=m, axis=axis) / r


# name -> (function, where an LR voxel's centre lies: on its block's 'first' voxel, or amid the 'block')
_DEGRADATIONS = {
    'bspline': (_bspline, 'first'),
    'block_mean': (_block_mean, 'block'),
    'gaussian': (_gaussian, 'block'),
    'kspace': (_kspace, 'first'),
}
NAMES = tuple(_DEGRADATIONS)


def _along_axis(settings):
    if settings.name not in _DEGRADATIONS:
        raise ValueError(f'degradation {settings.name!r} is unknown; known are {", ".join(_DEGRADATIONS)}')
    return _DEGRADATIONS[settings.name][0]
