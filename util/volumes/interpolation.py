"""Interpolation of LR volumes on the HR grid: what super-resolution has to beat.

HR voxel m has LR coordinate (m - offset) / rate along an axis (`util.volumes.sampling`). Coordinates outside of the LR
volume are clamped to its edge. Every method is separable, so an axis is one product with a small matrix (HR size x LR
size): exact, and far quicker than resampling voxel by voxel.
"""
import functools
import operator

import numpy

from util.choices import look_up


def _nearest(coordinates, n):
    return numpy.eye(n)[numpy.floor(coordinates + 0.5).astype(int)]


def _linear(coordinates, n):
    return numpy.stack([numpy.interp(coordinates, numpy.arange(n), image) for image in numpy.eye(n)], axis=1)


def _bspline(coordinates, n):
    # A spline's coefficients are those with which it has the knots' values at the knots. SciPy has the same weights,
    # but takes longer to import than a scan takes through a network.
    at_knots, values = (_spline_values(places, n) for places in (numpy.arange(n), coordinates))
    return numpy.linalg.solve(at_knots.T, values.T).T


def _spline_values(coordinates, n):
    """Of the cubic B-splines at n knots, 0 to n - 1, and their mirror images: the values at coordinates, (m, n)."""
    distances = abs(coordinates[:, None] - numpy.arange(-1, n + 1))
    values = (numpy.maximum(2 - distances, 0) ** 3 - 4 * numpy.maximum(1 - distances, 0) ** 3) / 6
    mirrored = values[:, 1:-1].copy()
    mirrored[:, min(1, n - 1)] += values[:, 0]
    mirrored[:, max(n - 2, 0)] += values[:, -1]
    return mirrored


# name -> function of (LR coordinates (m,), LR size n) that gives the weights (m, n)
METHODS = {'nearest': _nearest, 'linear': _linear, 'bspline': _bspline}


class Upsampled:
    """An LR array interpolated on the HR grid, computed where it is asked for.

    Planes and blocks of the HR array cost what they hold, and no HR array lies in memory: indexed by (channel, z, y, x)
    as a NumPy array of ``shape``, with whole numbers and slices, it gives float32 arrays.

    Args:
        lr (numpy.ndarray): (C, z, y, x).
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.
        method (str): A name of :data:`METHODS`. ``'nearest'``: a tie goes to the higher LR index, as ITK has it.
            ``'linear'``. ``'bspline'``: interpolating cubic B-spline, mirrored at the borders (M. Unser, "Splines: a
            perfect fit for signal and image processing", IEEE Signal Processing Magazine 1999).

    Raises:
        ValueError: If the method is unknown.

    Example:
        >>> import numpy
        >>> from util.volumes.sampling import Sampling
        >>> ramp = numpy.arange(3.0).reshape(1, 1, 1, 3)
        >>> Upsampled(ramp, Sampling((2, 2, 2)), 'linear')[0, 1, 0].tolist()
        [0.0, 0.5, 1.0, 1.5, 2.0, 2.0]
    """

    def __init__(self, lr, sampling, method):
        self._matrices = [interpolation_matrix(n, r, o, method)
                          for n, r, o in zip(lr.shape[-3:], sampling.rate, sampling.offset)]
        self._lr = numpy.asarray(lr, dtype=numpy.float32)
        self.shape = sampling.hr_shape(lr.shape)

    def __getitem__(self, where):
        where = [part if isinstance(part, slice) else operator.index(part)
                 for part in (where if isinstance(where, tuple) else (where,))]
        where += [slice(None)] * (4 - len(where))
        # A number is taken for a list of one, whose axis goes in the end.
        channel, *places = (part if isinstance(part, slice) else [part] for part in where)
        along_z, along_y, along_x = (matrix[place] for matrix, place in zip(self._matrices, places, strict=True))
        # One product an axis: BLAS may wait for its threads at each, and slice by slice there would be hundreds.
        part = numpy.tensordot(along_y, numpy.tensordot(along_z, self._lr[channel], (1, 1)), (1, 2))  # y, z, C, LR x
        part = numpy.ascontiguousarray(part.transpose(2, 1, 0, 3))
        hr = (part.reshape(-1, part.shape[3]) @ along_x.T).reshape(*part.shape[:3], len(along_x))
        return hr[tuple(slice(None) if isinstance(part, slice) else 0 for part in where)]


def upsample(lr, sampling, method):
    """Interpolate an LR array on the HR grid.

    Args:
        lr (numpy.ndarray): (..., z, y, x), such as (C, z, y, x).
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.
        method (str): As of :class:`Upsampled`.

    Returns:
        numpy.ndarray: (..., r_z*z, r_y*y, r_x*x), float32.

    Raises:
        ValueError: If the method is unknown.
    """
    channels = lr.reshape(-1, *lr.shape[-3:])
    return Upsampled(channels, sampling, method)[:].reshape(sampling.hr_shape(lr.shape))


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
    matrix = look_up(METHODS, method, 'interpolation')(coordinates, n).astype(numpy.float32, order='C')
    matrix.flags.writeable = False
    return matrix
