"""A scan with something in it that a training has not seen: a ball in the white matter, or an inverted contrast."""
import numpy

from util.script import UserError
from util.volumes.head_mask import head_mask
from util.volumes.intensity import PERCENTILE

RADIUS, AROUND = 8.0, 10.0  # mm from the middle of a ball: where it ends, and as far as its effect is measured
_CORE = 4.0                 # mm: where a ring begins
_SMOOTHING = 4.0            # mm, standard deviation
_DEPTH = 14.0               # mm of head around the middle, so that no ball touches what is outside
_WHITE, _AIR = 0.75, 0.1    # of the level: what is brighter is white matter, what is darker stays as it is

# name -> function of a ball's voxels, their distances from its middle in mm, and a generator, all of these (voxels,)
BALLS = {
    'dark': lambda values, distance, rng: 0.3 * values,
    'bright': lambda values, distance, rng: 1.8 * values,
    'ring': lambda values, distance, rng: numpy.where(distance < _CORE, 0.3, 1.8) * values,
    'noise': lambda values, distance, rng: values * (1 + 0.6 * rng.standard_normal(values.shape)),
}


def level(array):
    """About the brightest tissue of a volume (C, z, y, x): its 99th percentile."""
    return float(numpy.percentile(array, PERCENTILE))


def middle_of_white_matter(hr):
    """The voxel in the middle of the thickest white matter, deep in the head.

    Args:
        hr (~util.volumes.volume.Volume): T1-weighted, (1, z, y, x).

    Returns:
        numpy.ndarray: Its indices z, y, x: (3,), int.

    Raises:
        UserError: If there is no head, or nothing of it is as bright and as deep.
    """
    from scipy import ndimage  # here, since it takes a while

    def depth(mask):
        """mm to what is not of a mask, or not of the volume."""
        padded = numpy.pad(mask, 1)
        return ndimage.distance_transform_edt(padded, sampling=hr.spacing[::-1])[(slice(1, -1),) * 3]

    smooth = ndimage.gaussian_filter(hr.array[0].astype(numpy.float32), _SMOOTHING / numpy.array(hr.spacing[::-1]))
    white = (smooth > _WHITE * level(hr.array)) & (depth(head_mask(hr.array)) > _DEPTH)
    if not white.any():
        raise UserError(f'no white matter {_DEPTH:g} mm deep in the head is found; a T1-weighted head is wanted')
    return numpy.array(numpy.unravel_index(depth(white).argmax(), white.shape))


def probes(hr, rng):
    """A scan with each of :data:`BALLS` in its white matter, and with the contrast of its head inverted.

    Args:
        hr (~util.volumes.volume.Volume): T1-weighted, (1, z, y, x).
        rng (numpy.random.Generator): Of the noise.

    Yields:
        (str, numpy.ndarray, numpy.ndarray): The probe's name, the changed volume (1, z, y, x), float32, and where its
        effect is to be measured: bool, (z, y, x).

    Raises:
        UserError: If the volume has several channels; and as :func:`middle_of_white_matter`.
    """
    if len(hr.array) != 1:
        raise UserError(f'{len(hr.array)} channels; a ball is put into volumes of one, a T1-weighted head')
    middle = middle_of_white_matter(hr)
    steps = [spacing * (numpy.arange(n) - at) for spacing, n, at in zip(hr.spacing[::-1], hr.size, middle)]
    distance = numpy.sqrt(sum(step ** 2 for step in numpy.ix_(*steps)))
    inside = distance < RADIUS
    for name, ball in BALLS.items():
        array = hr.array.astype(numpy.float32)
        array[0, inside] = ball(array[0, inside], distance[inside], rng)
        yield name, array, distance < AROUND
    brightest = level(hr.array)
    inverted = numpy.where(hr.array > _AIR * brightest, (1 + _AIR) * brightest - hr.array, 0)
    yield 'inverted', inverted.clip(0).astype(numpy.float32), head_mask(hr.array)
