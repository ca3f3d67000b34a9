import numpy
import pytest
from scipy.stats import spearmanr

from tests.util.volumes.test_tensors import random_tensors
from util.scores.tensor_scores import deviation_scores, fa_deviation, regions_of, tensor_scores
from util.volumes.sampling import Sampling
from util.volumes.tensors import fractional_anisotropy, mean_diffusivity


def volumes(seed=0):
    """True tensors, predicted ones and a deviation, (6, 5, 10, 4); the errors are draws of the deviation."""
    rng = numpy.random.default_rng(seed)
    hr = random_tensors()[0].reshape(6, 5, 10, 4)
    deviation = rng.uniform(0.01, 0.1, hr.shape)
    return hr, hr + deviation * rng.normal(size=hr.shape), deviation


def test_the_interior_is_where_all_that_the_network_sees_lies_in_the_brain():
    lr, sampling = numpy.zeros((6, 7, 8, 9)), Sampling((2, 1, 3))
    lr[4, 1:6, 1:7, 0:8] = 0.1
    hr = numpy.zeros(sampling.hr_shape(lr.shape))
    hr[0, 3:12, 1:7, :24] = 1
    regions = regions_of(lr, hr, sampling, halo=1)
    # seen from each HR voxel: the LR voxels around its own, those beyond the volume being no brain
    for (z, y, x), inside in numpy.ndenumerate(regions['interior']):
        around = [(z // 2 + i, y + j, x // 3 + k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)]
        seen = all(min(place) >= 0 and place[0] < 7 and place[1] < 8 and place[2] < 9 and lr[(4, *place)]
                   for place in around)
        assert inside == (seen and hr[0, z, y, x] == 1)
    assert regions['interior'].any() and regions['exterior'].any()
    numpy.testing.assert_array_equal(regions['brain'], hr[0] == 1)
    numpy.testing.assert_array_equal(regions['brain'], regions['interior'] ^ regions['exterior'])


def test_rmse_in_a_region_by_the_definitions_and_in_the_units_of_the_papers():
    hr, sr, _ = volumes()
    where = numpy.random.default_rng(1).random(hr.shape[1:]) < 0.3
    scores = tensor_scores(hr, {'network': sr, 'truth': hr}, {'some': where, 'none': where & ~where})
    error = (sr - hr)[:, where]
    assert scores['network']['elements_some'] == pytest.approx(10 * numpy.sqrt(numpy.mean(error ** 2)))
    assert scores['network']['md_some'] == pytest.approx(
        10 * numpy.sqrt(numpy.mean((error[0] + error[2] + error[5]) ** 2) / 9))
    fa = [fractional_anisotropy(array[:, where]) for array in (sr, hr)]
    assert scores['network']['fa_some'] == pytest.approx(numpy.sqrt(numpy.mean((fa[0] - fa[1]) ** 2)))
    assert all(scores['truth'][f'{quantity}_some'] == 0 for quantity in ('elements', 'md', 'fa'))
    assert numpy.isnan(scores['network']['md_none'])


def test_a_deviation_that_is_right_is_found_right():
    parts = [volumes(seed) for seed in range(50)]
    hr, sr, deviation = (numpy.concatenate(arrays, axis=1) for arrays in zip(*parts))
    everywhere = {'brain': numpy.ones(hr.shape[1:], bool)}
    scores = deviation_scores(hr, sr, deviation, everywhere)
    for quantity in ('md', 'fa'):
        assert scores[f'{quantity}_sharpness_ratio_brain'] == pytest.approx(1, abs=0.03 if quantity == 'md' else 0.05)
        assert scores[f'{quantity}_coverage95_brain'] == pytest.approx(0.95, abs=0.02)
    error = numpy.abs(mean_diffusivity(sr) - mean_diffusivity(hr)).ravel()
    predicted = numpy.sqrt((deviation[[0, 2, 5]] ** 2).sum(axis=0)).ravel() / 3
    assert scores['md_correlation_brain'] == pytest.approx(spearmanr(error, predicted).statistic, abs=1e-3)
    doubled = deviation_scores(hr, sr, 2 * deviation, everywhere)
    assert doubled['md_sharpness_ratio_brain'] == pytest.approx(2 * scores['md_sharpness_ratio_brain'], rel=1e-4)


def test_the_deviation_of_fa_is_that_of_its_linear_part_where_it_is_small():
    mean = random_tensors()[0].reshape(6, 2, 10, 10)
    deviation = numpy.full(mean.shape, 1e-4)
    gradient = [(fractional_anisotropy(mean + step) - fractional_anisotropy(mean - step)) / 2e-5
                for step in 1e-5 * numpy.eye(6)[:, :, None, None, None]]
    expected = 1e-4 * numpy.sqrt(numpy.sum(numpy.square(gradient), axis=0))
    drawn = fa_deviation(mean, deviation, draws=2000)
    numpy.testing.assert_allclose(drawn, expected, rtol=0.1)
    numpy.testing.assert_array_equal(fa_deviation(mean, deviation), fa_deviation(mean, deviation))
    pairs = fa_deviation(mean, deviation, draws=2)  # the variance of two draws is unbiased as well
    assert numpy.mean(pairs ** 2) == pytest.approx(numpy.mean(expected ** 2), rel=0.3)
