import numpy
import pytest

from util.head_mask import head_mask
from util.script import UserError


def ball(shape, centre, radius):
    z, y, x = numpy.ogrid[tuple(map(slice, shape))]
    return (z - centre[0])**2 + (y - centre[1])**2 + (x - centre[2])**2 <= radius**2


@pytest.mark.parametrize('scale', [1, 1000])
def test_it_is_the_bright_ball_with_its_dark_inside_and_without_the_bright_speck_in_the_air(scale):
    shape = (30, 32, 34)
    head, ventricle = ball(shape, (15, 16, 17), 10), ball(shape, (15, 16, 17), 4)
    rng = numpy.random.default_rng(0)
    volume = numpy.abs(rng.normal(0, 0.03, shape)) + head - 0.9 * ventricle + ball(shape, (3, 3, 3), 2)
    numpy.testing.assert_array_equal(head_mask((scale * volume).astype(numpy.float32)), head)


def test_a_dark_tunnel_to_the_air_is_filled_where_a_plane_encloses_it():
    """A canal along z is open in 3D, and enclosed in every axial plane."""
    shape = (20, 30, 30)
    head = ball(shape, (9, 15, 15), 9)
    volume = head.astype(numpy.float32)
    volume[:, 14:17, 14:17] = 0
    mask = head_mask(volume)
    numpy.testing.assert_array_equal(mask[5:15], head[5:15])


@pytest.mark.parametrize('value', [0, numpy.nan])
def test_a_volume_without_contrast_is_refused(value):
    with pytest.raises(UserError, match='no head can be found'):
        head_mask(numpy.full((4, 4, 4), value, numpy.float32))
