"""Interpolation of LR volumes on the HR grid: what super-resolution has to beat.

HR voxel m has LR coordinate (m - offset) / r along an axis of rate r (`util.degradation.centre_offset`). Coordinates
outside the LR volume are clamped to its edge. Every method is separable, so an axis is one product with a small
matrix (HR size x LR size): exact, and far quicker than resampling voxel by voxel.
"""
import functools

import numpy
from scipy import ndimage

METHODS = ('nearest', 'linear', 'bspline')


def upsample(lr, rate, offset, method):
    """Interpolate a LR array on the HR grid.

    Args:
        lr: array (D, H, W), axes z, y, x.
        rate: (rz, ry, rx).
        offset: HR index of the centre of LR voxel 0 (oz, oy, ox).
        method: 'nearest' (a tie goes to the higher LR index, as ITK has it), 'linear', or 'bspline' (interpolating
            cubic B-spline, mirrored at the borders; Unser 1999).

    Returns:
        float32 array (rz * D, ry * H, rx * W).

    Raises:
        ValueError: if the method is unknown.
    """
    if method not in METHODS:
        raise ValueError(f'interpolation {method!r} is unknown; known are {", ".join(METHODS)}')
    along_z, along_y, along_x = (interpolation_matrix(n, r, o, method) for n, r, o in zip(lr.shape, rate, offset))
    hr = numpy.asarray(lr, dtype=numpy.float32)
    # x, y, z in this order: each is a matrix product of contiguous arrays, without a transposed copy
    hr = hr @ along_x.T
    hr = along_y @ hr
    return (along_z @ hr.reshape(len(hr), -1)).reshape(-1, *hr.shape[1:])


@functools.lru_cache(maxsize=64)  # a network that interpolates asks for the same few in every iteration
def interpolation_matrix(n, r, offset, method):
    """Read-only float32 array (r * n, n) that makes an axis's HR values of its LR values; see :func:`upsample`."""
    coordinates = numpy.clip((numpy.arange(r * n) - offset) / r, 0, n - 1)
    unit_images = numpy.eye(n)
    if method == 'nearest':
        matrix = unit_images[numpy.floor(coordinates + 0.5).astype(int)]
    elif method == 'linear':
        matrix = numpy.stack([numpy.interp(coordinates, numpy.arange(n), image) for image in unit_images], axis=1)
    else:
        matrix = numpy.stack([ndimage.map_coordinates(image, coordinates[None], order=3, mode='mirror')
                              for image in unit_images], axis=1)
    matrix = matrix.astype(numpy.float32)
    matrix.flags.writeable = False
    return matrix
