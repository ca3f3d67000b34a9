"""Where LR and HR volumes lie in space, and the one place for the order of the axes in it.

`util.volumes.sampling.Sampling` says where LR voxels lie among HR voxels; here that becomes millimetres. Arrays, rates
and offsets are in the order z, y, x; spacing, origin and direction in SimpleITK's: x, y, z.
"""
from typing import NamedTuple

import numpy

from util.script import UserError
from util.volumes.volume import Volume


class Geometry(NamedTuple):
    """Spacing, origin and direction as in Volume, so that `Volume(array, *geometry)` is the volume that lies there."""
    spacing: tuple
    origin: tuple
    direction: tuple


def lr_volume_geometry(hr, sampling):
    """Geometry of the LR volume: spacing r * s, and origin at the centre of LR voxel 0, that is at HR index `offset`.

    Args:
        hr (~util.volumes.volume.Volume or Geometry): The HR's.
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.

    Returns:
        Geometry: The LR's.
    """
    spacing = numpy.asarray(hr.spacing, dtype=float)
    return _moved(hr, spacing * sampling.rate[::-1], spacing * sampling.offset[::-1])


def hr_volume_geometry(lr, sampling):
    """Geometry of the HR volume that belongs to an LR volume: the inverse of :func:`lr_volume_geometry`.

    Args:
        lr (~util.volumes.volume.Volume or Geometry): The LR's.
        sampling (~util.volumes.sampling.Sampling): Where LR voxels lie among HR voxels.

    Returns:
        Geometry: The HR's.
    """
    spacing = numpy.asarray(lr.spacing, dtype=float) / sampling.rate[::-1]
    return _moved(lr, spacing, -spacing * sampling.offset[::-1])


def _moved(volume, spacing, step):
    # step, in mm along the volume's own axes, becomes a physical vector through the direction's columns
    origin = numpy.asarray(volume.origin, dtype=float) + numpy.reshape(volume.direction, (3, 3)) @ step
    return Geometry(tuple(spacing.tolist()), tuple(origin.tolist()), tuple(volume.direction))


def crop_to_multiple(volume, rate):
    """Crop a volume at the far end of each axis to a multiple of the rate; its origin stays.

    Args:
        volume (~util.volumes.volume.Volume): Of any size.
        rate ((int, int, int)): HR voxels per LR voxel, (z, y, x).

    Returns:
        ~util.volumes.volume.Volume: Its array is a view.

    Raises:
        UserError: If an axis has fewer voxels than its rate.
    """
    size = tuple(n // r * r for n, r in zip(volume.size, rate))
    if 0 in size:
        raise UserError(f'its size {volume.size} (z, y, x) is smaller than the rate {tuple(rate)} on an axis')
    array = volume.array[(slice(None), *(slice(n) for n in size))]
    return Volume(array, volume.spacing, volume.origin, volume.direction)


def check_pair(lr, hr, sampling, names):
    """Refuse an LR and an HR volume that do not lie over each other as the sampling says.

    Args:
        lr (~util.volumes.volume.Volume): The LR volume.
        hr (~util.volumes.volume.Volume): The HR volume.
        sampling (~util.volumes.sampling.Sampling): Where LR voxels ought to lie among HR voxels.
        names ((str, str)): The two files, for the message.

    Raises:
        UserError: If HR's size is not rate * LR's, the numbers of channels differ, or LR voxels lie elsewhere by more
            than 1 % of an HR voxel.
    """
    if hr.array.shape != sampling.hr_shape(lr.array.shape):
        raise UserError(f'{names[0]} and {names[1]}: sizes {lr.array.shape} and {hr.array.shape} (channels, z, y, x) '
                        f'do not fit upsampling_rate {sampling.rate}; make them anew with util/miscs/make_lr_img.py')
    wanted, tolerance = lr_volume_geometry(hr, sampling), 0.01 * min(hr.spacing)
    corner = numpy.multiply(lr.size[::-1], 1.0)  # the far corner tells a wrong spacing or direction as well

    def ends(geometry):
        far = numpy.reshape(geometry.direction, (3, 3)) @ (corner * geometry.spacing)
        return numpy.concatenate([geometry.origin, numpy.add(geometry.origin, far)])

    difference = numpy.abs(ends(lr) - ends(wanted)).max()
    if difference > tolerance:
        raise UserError(f'{names[0]} lies {difference:.3g} mm away from where upsampling_rate {sampling.rate} and the '
                        f'degradation put it over {names[1]}; make them anew with util/miscs/make_lr_img.py')
