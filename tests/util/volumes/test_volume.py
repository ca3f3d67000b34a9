import re

import numpy
import pytest

from tests.util.volumes.files import make_geometry, make_volume
from util.script import UserError
from util.volumes.volume import Volume, check_finite, checksum


@pytest.mark.parametrize('shape', [(5, 6, 7), (1, 1, 5, 6, 7)])
def test_a_volume_has_four_axes_the_channels_first(shape):
    with pytest.raises(ValueError, match=re.escape(f'(C, z, y, x); got an array of shape {shape}')):
        Volume(numpy.zeros(shape), *make_geometry(make_volume()))
    assert make_volume(channels=2).size == (5, 6, 7)


def test_a_checksum_is_of_shapes_and_voxels_whatever_their_order_in_memory():
    array = numpy.arange(2 * 3 * 4, dtype=numpy.float32).reshape(2, 3, 4)
    own = checksum(array, array)
    assert own == checksum(numpy.asfortranarray(array), array.astype('>f4'))
    other = array.copy()
    other[1, 1, 1] += 1
    assert len({own, checksum(array), checksum(array, other), checksum(other, array),
                checksum(array.reshape(3, 2, 4), array)}) == 5


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('value', [numpy.nan, numpy.inf, -numpy.inf])
def test_what_is_not_finite_is_counted(dtype, value):
    array = numpy.zeros((2, 3, 4), dtype)
    check_finite('a', array)
    array[1, 2, 3] = array[0, 0, 1] = value
    with pytest.raises(UserError, match='^a: 2 of 24 values are not finite'):
        check_finite('a', array)


def test_finite_is_what_float32_holds_and_integers_are_finite():
    largest = numpy.float64(numpy.finfo(numpy.float32).max)
    check_finite('a', numpy.array([largest, -largest]))
    with pytest.raises(UserError, match='1 of 2 values are not finite'):
        check_finite('a', numpy.array([largest, -2 * largest]))
    check_finite('a', numpy.array([2 ** 64 - 1], numpy.uint64))
