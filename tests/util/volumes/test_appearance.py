import numpy
import pytest
from scipy import stats

from util.volumes.appearance import bias_factors, inverted, slice_factors, with_gamma


def test_gamma_keeps_zero_the_level_and_the_sign():
    level = numpy.array([2.0, 50.0], numpy.float32).reshape(2, 1, 1, 1)
    shares = numpy.array([-1, -0.25, 0, 0.25, 1, 4], numpy.float32)
    volume = (level * shares).astype(numpy.float32)
    assert with_gamma(volume, 0.5, level).dtype == numpy.float32
    numpy.testing.assert_allclose(with_gamma(volume, 0.5, level) / level, [[[[-1, -0.5, 0, 0.5, 1, 2]]]] * 2, rtol=1e-6)
    numpy.testing.assert_allclose(with_gamma(volume, 2.0, level) / level,
                                  [[[[-1, -0.0625, 0, 0.0625, 1, 16]]]] * 2, rtol=1e-6)
    numpy.testing.assert_array_equal(with_gamma(volume, 1.0, level), volume)


@pytest.mark.parametrize('amplitude', [0.0, 0.3, 2.0])
def test_a_bias_field_is_smooth_and_within_its_amplitude(amplitude):
    """Its logarithm is of degree 2 along an axis: third differences are 0."""
    rng, reached = numpy.random.default_rng(0), []
    for _ in range(50):
        factors = bias_factors((9, 16, 1), amplitude, rng)
        assert [factor.shape for factor in factors] == [(9,), (16,), (1,)]
        assert all(factor.dtype == numpy.float32 for factor in factors)
        for factor in factors[:2]:
            numpy.testing.assert_allclose(numpy.diff(numpy.log(factor), 3), 0, atol=1e-6)
        log_field = sum(numpy.log(factor).reshape(shape) for factor, shape in
                        zip(factors, [(9, 1, 1), (16, 1), (1,)]))
        assert numpy.abs(log_field).max() <= numpy.log1p(amplitude) + 1e-6
        reached += [log_field.min(), log_field.max()]
    assert max(numpy.abs(reached)) >= 0.8 * numpy.log1p(amplitude)  # that is what it says, and no less
    assert amplitude == 0 or min(reached) < 0 < max(reached)


def test_an_inverted_contrast_has_the_level_where_there_was_none_and_is_itself_again_when_inverted():
    level = numpy.array([2.0, 50.0], numpy.float32).reshape(2, 1, 1, 1)
    volume = (level * numpy.array([-0.5, 0, 0.25, 1, 4], numpy.float32)).astype(numpy.float32)
    assert inverted(volume, level).dtype == numpy.float32
    numpy.testing.assert_allclose(inverted(volume, level) / level, [[[[1.5, 1, 0.75, 0, -3]]]] * 2)
    numpy.testing.assert_array_equal(inverted(inverted(volume, level), level), volume)


def test_slices_differ_in_brightness_by_their_spread_and_not_together():
    factors = slice_factors(20000, 0.05, numpy.random.default_rng(0))
    assert factors.dtype == numpy.float32
    logs = numpy.log(factors)
    assert stats.kstest(logs, stats.norm(0, 0.05).cdf).pvalue > 0.01
    assert abs(numpy.corrcoef(logs[1:], logs[:-1])[0, 1]) < 0.03
