"""Interpolation of LR volumes on the HR grid: what super-resolution has to beat.

HR voxel m has LR coordinate (m - offset) / rate along an axis (`util.volumes.sampling`). Coordinates outside of the LR
volume are clamped to its edge. Every method is separable, so an axis is one product with a small matrix (HR size x LR
size): exact, and far quicker than resampling voxel by voxel.
"""
import functools

import numpy
from scipy import ndimage

from util.choices import look_up


def _nearest(coordinates, n):
    return numpy.eye(n)[numpy.floor(coordinates + 0.5).astype(int)]


def _linear(coordinates, n):
    return numpy.stack([numpy.interp(coordinates, numpy.arange(n), image) for image in numpy.eye(n)], axis=1)


def _bspline(coordinates, n):
    return numpy.stack([ndimage.map_coordinates(image, coordinates[None], order=3, mode='mirror')
                        for image in numpy.eye(n)], axis=1)


# name -> function of (LR coordinates (m,), LR size n) that gives the weights (m, n)
METHODS = {'nearest': _nearest, 'linear': _linear, 'bspline': _bspline}


def upsample(lr, sampling, method):
    """Interpolate an LR array on the HR grid.

    Args:
        lr (numpy.ndarray): (..., z, y, x), such as (C, z, y, x).
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.
        method (str): A name of :data:`METHODS`. ``'nearest'``: a tie goes to the higher LR index, as ITK has it.
            ``'linear'``. ``'bspline'``: interpolating cubic B-spline, mirrored at the borders (M. Unser, "Splines: a
            perfect fit for signal and image processing", IEEE Signal Processing Magazine 1999).

    Returns:
        numpy.ndarray: (..., r_z*z, r_y*y, r_x*x), float32.

    Raises:
        ValueError: If the method is unknown.
    """
    along_z, along_y, along_x = (interpolation_matrix(n, r, o, method)
                                 for n, r, o in zip(lr.shape[-3:], sampling.rate, sampling.offset))
    hr = numpy.asarray(lr, dtype=numpy.float32)
    # x, y, z in this order: each is a matrix product of contiguous arrays, without a transposed copy
    hr = hr @ along_x.T
    hr = along_y @ hr
    return (along_z @ hr.reshape(*hr.shape[:-2], -1)).reshape(sampling.hr_shape(lr.shape))


@functools.lru_cache(maxsize=64)  # a network that interpolates asks for the same few in every iteration
def interpolation_matrix(n, r, offset, method):
    """What one axis is multiplied by.

    Args:
        n (int): LR voxels along the axis.
        r (int): HR voxels per LR voxel.
        offset (float): HR index of the centre of LR voxel 0.
        method (str): A name of :data:`METHODS`.

    Returns:
        numpy.ndarray: (r * n, n), float32, read-only: HR values from LR values.

    Raises:
        ValueError: If the method is unknown.
    """
    coordinates = numpy.clip((numpy.arange(r * n) - offset) / r, 0, n - 1)
    matrix = look_up(METHODS, method, 'interpolation')(coordinates, n).astype(numpy.float32)
    matrix.flags.writeable = False
    return matrix
