"""Where LR and HR voxels lie: the one place for the LR-HR voxel geometry and for the order of the axes in it.

With rate r and offset o of an axis, LR voxel i has its centre at HR index r*i + o. Offsets belong to the degradation
(`util.degradation.centre_offset`). Arrays, rates and offsets are in the order z, y, x; spacing, origin and direction
in SimpleITK's: x, y, z.
"""
from typing import NamedTuple

import numpy

from util.script import UserError
from util.volume import Volume


class Geometry(NamedTuple):
    """Spacing, origin and direction as in Volume, so that `Volume(array, *geometry)` is the volume that lies there."""
    spacing: tuple
    origin: tuple
    direction: tuple


def lr_volume_geometry(hr, rate, offset):
    """Geometry of the LR volume: spacing r * s, and origin at the centre of LR voxel 0, i.e. at HR index `offset`.

    Args:
        hr: Volume (or Geometry) of the HR.
        rate: HR voxels a LR voxel (rz, ry, rx).
        offset: HR index of the centre of LR voxel 0 (oz, oy, ox), in HR voxels.

    Returns:
        Geometry.
    """
    spacing = numpy.asarray(hr.spacing, dtype=float)
    return _moved(hr, spacing * rate[::-1], spacing * offset[::-1])


def hr_volume_geometry(lr, rate, offset):
    """Geometry of the HR volume that belongs to a LR volume: the inverse of :func:`lr_volume_geometry`.

    Args:
        lr: Volume (or Geometry) of the LR.
        rate: HR voxels a LR voxel (rz, ry, rx).
        offset: HR index of the centre of LR voxel 0 (oz, oy, ox), in HR voxels.

    Returns:
        Geometry.
    """
    spacing = numpy.asarray(lr.spacing, dtype=float) / rate[::-1]
    return _moved(lr, spacing, -spacing * offset[::-1])


def _moved(volume, spacing, step):
    # step, in mm along the volume's own axes, becomes a physical vector through the direction's columns
    origin = numpy.asarray(volume.origin, dtype=float) + numpy.reshape(volume.direction, (3, 3)) @ step
    return Geometry(tuple(spacing.tolist()), tuple(origin.tolist()), tuple(volume.direction))


def crop_to_multiple(volume, rate):
    """Crop a volume at the far end of each axis to a multiple of the rate; its origin stays.

    Args:
        volume: Volume of any size.
        rate: (rz, ry, rx).

    Returns:
        Volume whose array is a view.

    Raises:
        ValueError: if an axis has fewer voxels than its rate.
    """
    size = tuple(n // r * r for n, r in zip(volume.array.shape, rate))
    if 0 in size:
        raise ValueError(f'size {volume.array.shape} (z, y, x) is smaller than the rate {tuple(rate)} on an axis')
    array = volume.array[tuple(slice(n) for n in size)]
    return Volume(array, volume.spacing, volume.origin, volume.direction)


def check_pair(lr, hr, rate, offset, names):
    """Refuse a LR and a HR volume that do not lie over each other as rate and offset say.

    Args:
        lr: Volume.
        hr: Volume.
        rate: (rz, ry, rx).
        offset: (oz, oy, ox), in HR voxels.
        names: the two files, for the message.

    Raises:
        UserError: if HR's size is not rate * LR's, or LR voxels lie elsewhere by more than 1 % of a HR voxel.
    """
    size = tuple(n * r for n, r in zip(lr.array.shape, rate))
    if hr.array.shape != size:
        raise UserError(f'{names[0]} and {names[1]}: sizes {lr.array.shape} and {hr.array.shape} (z, y, x) do not fit '
                        f'upsampling_rate {tuple(rate)}; make them anew with util/miscs/make_lr_img.py')
    wanted, tolerance = lr_volume_geometry(hr, rate, offset), 0.01 * min(hr.spacing)
    corner = numpy.multiply(lr.array.shape[::-1], 1.0)  # the far corner tells a wrong spacing or direction as well

    def ends(geometry):
        far = numpy.reshape(geometry.direction, (3, 3)) @ (corner * geometry.spacing)
        return numpy.concatenate([geometry.origin, numpy.add(geometry.origin, far)])

    difference = numpy.abs(ends(lr) - ends(wanted)).max()
    if difference > tolerance:
        raise UserError(f'{names[0]} lies {difference:.3g} mm away from where upsampling_rate {tuple(rate)} and the '
                        f'degradation put it over {names[1]}; make them anew with util/miscs/make_lr_img.py')
