import numpy
import pytest

from util.intensity import intensity_scale, like_input
from util.script import UserError


def head():
    rng = numpy.random.default_rng(0)
    lr = numpy.abs(rng.normal(0, 2, (20, 20, 20)))
    lr[5:15, 5:15, 5:15] += 80
    return lr.astype(numpy.float32)


def test_none_is_one():
    assert intensity_scale(head(), 'none') == 1.0


def test_percentile_follows_the_scanner_gain():
    assert intensity_scale(7 * head(), 'percentile') == pytest.approx(7 * intensity_scale(head(), 'percentile'))


def test_percentile_hardly_moves_for_a_bright_vessel_that_doubles_the_maximum():
    bright = head()
    bright[10, 10, 3:12] = 5 * bright.max()
    assert intensity_scale(bright, 'percentile') == pytest.approx(intensity_scale(head(), 'percentile'), rel=0.01)


def test_percentile_is_that_of_the_sorted_voxels():
    lr = numpy.random.default_rng(1).permutation(101).astype(numpy.float32).reshape(1, 1, 101)
    assert intensity_scale(lr, 'percentile') == 99


def test_a_volume_without_signal_is_refused():
    with pytest.raises(UserError, match='99th percentile of this LR volume is 0'):
        intensity_scale(numpy.zeros((4, 4, 4), numpy.float32), 'percentile')


@pytest.mark.parametrize('dtype', ['uint8', 'int16', 'int32', 'float32', 'float64'])
def test_like_input_has_the_type_and_no_value_outside_the_range(dtype):
    lr = numpy.array([[[3, 100, 201]]], dtype)
    sr = like_input(numpy.array([[[-5.0, 3.4, 3.6, 150.5, 300.0]]], numpy.float32), lr)
    assert sr.dtype == lr.dtype
    expected = [3, 3, 4, 150, 201] if lr.dtype.kind in 'iu' else [3, 3.4, 3.6, 150.5, 201]  # halves go to the even one
    numpy.testing.assert_allclose(sr.ravel(), expected, rtol=1e-6)


def test_like_input_does_not_wrap_around_at_the_end_of_an_integer_type():
    lr = numpy.array([[[0, 2**31 - 1]]], numpy.int32)  # 2**31 - 1 is 2**31 in float32
    assert like_input(lr.astype(numpy.float32), lr).tolist() == lr.tolist()
