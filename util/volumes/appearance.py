"""What one head looks like in another scan: another contrast, another coil, slices of another brightness."""
import functools
import math

import numpy

# Powers of 0 take NumPy ten times as long as others, and so do those that round to it: these up to an exponent of 3.
_NEARLY_0 = numpy.float32(1e-12)


def with_gamma(volume, gamma, level):
    """Another contrast: level * (x / level)^gamma, which leaves 0 and the level where they are.

    Values below 0 keep their sign, so that the curve goes on through 0.

    Args:
        volume (numpy.ndarray or cupy.ndarray): (C, z, y, x), float32.
        gamma (float): Exponent, above 0.
        level (numpy.ndarray or cupy.ndarray): (C, 1, 1, 1), float32, above 0, where the volume is.

    Returns:
        numpy.ndarray or cupy.ndarray: The volume's shape, float32.
    """
    image = abs(volume)
    image /= level
    numpy.maximum(image, _NEARLY_0, out=image)
    image **= gamma
    image *= level
    image *= numpy.sign(volume)
    return image


def inverted(volume, level):
    """A contrast turned over: level - x. Fluid becomes brighter than tissue, as in T2w; so does air.

    Args:
        volume (numpy.ndarray or cupy.ndarray): (C, z, y, x), float32.
        level (numpy.ndarray or cupy.ndarray): (C, 1, 1, 1), float32, where the volume is.

    Returns:
        numpy.ndarray or cupy.ndarray: The volume's shape, float32.
    """
    return level - volume


def slice_factors(n, spread, rng):
    """How bright each slice of a scan is beside the others: interleaved ones differ by some percent.

    Args:
        n (int): Slices.
        spread (float): Standard deviation of the factors' logarithms.
        rng (numpy.random.Generator): Draws them, each by itself.

    Returns:
        numpy.ndarray: (n,), float32.
    """
    return numpy.exp(spread * rng.standard_normal(n, numpy.float32))


def bias_factors(shape, amplitude, rng):
    """A smooth field to multiply a volume by, such as a receiving coil's.

    The logarithm of the field is a sum of Legendre polynomials of degree 1 and 2 along each axis (M. Styner et al.,
    "Parametric estimate of intensity inhomogeneities applied to MRI", IEEE Trans Med Imaging 19:153, 2000), without the
    products of axes: so the field is a product of three factors, each of one axis.

    Args:
        shape ((int, int, int)): Of the volume, (z, y, x).
        amplitude (float): The field lies between 1 / (1 + amplitude) and 1 + amplitude.
        rng (numpy.random.Generator): Of the six coefficients.

    Returns:
        list of numpy.ndarray: (z,), (y,) and (x,), float32.
    """
    coefficients = rng.uniform(-1, 1, (3, 2))
    coefficients *= math.log1p(amplitude) / numpy.abs(coefficients).sum()  # no polynomial exceeds 1
    return [numpy.exp(of_axis @ _legendre(n)).astype(numpy.float32) for n, of_axis in zip(shape, coefficients)]


@functools.lru_cache(maxsize=64)  # each patch asks for those of its volume
def _legendre(n):
    t = numpy.linspace(-1, 1, n)
    return numpy.stack([t, 1.5 * t ** 2 - 0.5])
