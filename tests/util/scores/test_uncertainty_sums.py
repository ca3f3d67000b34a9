import numpy
import pytest
from scipy import stats

from util.scores.uncertainty_sums import region_sums


def channel(seed=0):
    rng = numpy.random.default_rng(seed)
    deviation = rng.lognormal(sigma=2, size=(40, 41, 42)).astype(numpy.float32)
    truth = rng.normal(300, 100, deviation.shape).astype(numpy.float32)
    return truth, truth + deviation * rng.normal(size=deviation.shape), deviation, rng.random(deviation.shape) < 0.3


def test_sums_are_those_of_the_voxels_of_each_region():
    truth, mean, deviation, head = channel()
    error = numpy.abs(truth - mean.astype(numpy.float32)).astype(float)
    for (sums, _), mask in zip(region_sums(*channel()), (numpy.ones_like(head), head)):
        its_error, sigma = error[mask], deviation[mask].astype(float)
        numpy.testing.assert_allclose(sums.likelihood, [numpy.log(sigma).sum(), ((its_error / sigma) ** 2).sum()])
        numpy.testing.assert_allclose(sums.by_deviation.sum(axis=1),
                                      [mask.sum(), (its_error ** 2).sum(), (sigma ** 2).sum()])
        numpy.testing.assert_allclose(sums.by_error.sum(axis=1), [mask.sum(), (its_error ** 2).sum()])
        assert sums.within[9] == numpy.count_nonzero(its_error <= stats.norm.ppf(0.75) * sigma)


def test_bins_keep_the_order_and_are_a_thousandth_wide():
    (sums, _), _ = region_sums(*channel())
    voxels, _, variances = sums.by_deviation[:, sums.by_deviation[0] > 0]
    mean = numpy.sqrt(variances / voxels)
    assert (numpy.diff(mean) > 0).all() and len(mean) > 5000
    largest = numpy.sort(channel()[2].ravel())[voxels.cumsum().astype(int) - 1]
    numpy.testing.assert_allclose(mean, largest, rtol=1 / 1024)


def test_the_correlation_is_scipy_s():
    truth, mean, deviation, head = channel()
    for (_, correlation), mask in zip(region_sums(*channel()), (numpy.ones_like(head), head)):
        expected = stats.spearmanr(numpy.abs(truth - mean)[mask], deviation[mask]).statistic
        assert correlation == pytest.approx(expected, abs=1e-5) and 0.5 < correlation < 0.95


def test_equal_values_have_their_mean_rank():
    """Of two deviations and three errors in a few voxels most ranks are shared."""
    error = numpy.array([1, 2, 2, 1, 4, 4, 2, 1], numpy.float32).reshape(2, 2, 2)
    deviation = numpy.array([1, 1, 1, 3, 3, 3, 3, 1], numpy.float32).reshape(2, 2, 2)
    (_, correlation), _ = region_sums(error, numpy.zeros_like(error), deviation, error > 1)
    assert correlation == pytest.approx(stats.spearmanr(error.ravel(), deviation.ravel()).statistic)


def test_integers_do_not_wrap_around_and_views_are_taken_as_they_lie():
    truth, mean, deviation, head = channel()
    truth, mean = truth.astype(numpy.int16), mean.clip(-1e4, 1e4).astype(numpy.int16)
    truth[0, 0, 0], mean[0, 0, 0] = 32767, -32768
    expected = region_sums(truth.astype(numpy.float32), mean.astype(numpy.float32), deviation, head)
    flipped = [volume[::-1].transpose(2, 0, 1) for volume in (truth, mean, deviation, head)]
    for volumes in ((truth, mean, deviation, head), flipped):
        for (sums, correlation), (others, other) in zip(region_sums(*volumes), expected):
            assert correlation == pytest.approx(other)
            for one, another in zip(sums, others):
                numpy.testing.assert_allclose(one, another, rtol=1e-10)
