import numpy
import pytest

from tests.util.reports.page import decode
from util.reports.embedded import encode

SHAPE = 35, 5, 6  # more slices than are taken at a time


@pytest.fixture
def rng():
    return numpy.random.default_rng(0)


def test_kept_voxels_come_back_to_half_a_step_and_others_as_nothing(rng):
    array, inside = rng.normal(0, 40, SHAPE).astype(numpy.float32), rng.random(SHAPE) < 0.7
    back = decode(encode(array, inside, 0.75), inside)
    assert numpy.abs(back - array)[inside].max() <= 0.375 * (1 + 1e-5) and not back[~inside].any()


def test_whole_numbers_come_back_as_they_are_however_bright_one_is(rng):
    array = rng.integers(-5, 200, SHAPE).astype(numpy.float32)
    array[3, 2, 1], array[20, 0, 0] = 90_000, -70_000
    everywhere = numpy.ones(SHAPE, bool)
    numpy.testing.assert_array_equal(decode(encode(array, everywhere, 1), everywhere), array)


def test_a_step_that_would_need_too_large_numbers_is_made_larger(rng):
    array, everywhere = rng.random((3, 4, 5)).astype(numpy.float32), numpy.ones((3, 4, 5), bool)
    array[1, 1, 1] = -3e37
    text = encode(array, everywhere, 0.01)
    assert text['step'] == pytest.approx(3e37 / 2**24)
    assert numpy.abs(decode(text, everywhere) - array).max() <= text['step'] / 2


def test_smooth_volumes_take_far_fewer_bytes_than_voxels():
    z, y, x = numpy.indices((32, 32, 32))
    array, everywhere = 100 * numpy.sin(z / 9 + y / 7) * numpy.cos(x / 8), numpy.ones(z.shape, bool)
    assert sum(len(text) for text in list(encode(array, everywhere, 1).values())[1:]) < 0.45 * array.size
