"""Scores of a predicted deviation: against their definitions, voxel by voxel, and where the noise is known.

The definitions are written here with sorts and `scipy.stats`. The package uncertainty-toolbox has some of them as well,
and gave the same to twelve digits. But it brings scikit-learn and 60 MB along, and is imported for three seconds, so
that test_uncertainty_toolbox.py compares with it only where it is installed.
"""
import numpy
import pytest
from scipy import stats
from scipy.integrate import trapezoid

from util.scores.metrics import REGIONS
from util.scores.uncertainty import TAKEN_OUT, UNCERTAINTY_METRICS, uncertainty_scores

SHAPE = 1, 33, 37, 61  # several blocks, the last one not full


def case(shape=SHAPE, seed=0, scale=10.0):
    """A truth, a prediction, a deviation that is right in some places, and a head: half of the voxels."""
    rng = numpy.random.default_rng(seed)
    sigma = scale * rng.lognormal(sigma=0.7, size=shape)
    hr = rng.normal(100 * scale, 30 * scale, shape).astype(numpy.float32)
    sr = (hr + rng.normal(size=shape) * sigma).astype(numpy.float32)
    deviation = (sigma * rng.uniform(0.3, 1.2, shape)).astype(numpy.float32)
    head = rng.random(shape[1:]) < 0.5
    deviation[:, head] *= rng.uniform(0.2, 1, numpy.count_nonzero(head))
    return hr, sr, deviation, head


def by_definition(truth, mean, sigma):
    """The scores of some voxels, (n,), by the definitions in the module's docstring."""
    truth, mean, sigma = (values.astype(float) for values in (truth, mean, sigma))
    error, distribution = numpy.abs(mean - truth), stats.norm(mean, sigma)
    rmse = numpy.sqrt(numpy.mean(error ** 2))

    def coverage(level):
        low, high = distribution.interval(level)
        return numpy.mean((low <= truth) & (truth <= high))

    def left(key):
        order = error[numpy.argsort(key)]
        return numpy.array([numpy.sqrt(numpy.mean(order[:round((1 - f) * len(order))] ** 2)) for f in TAKEN_OUT]) / rmse

    groups = [(numpy.sqrt(numpy.mean(error[part] ** 2)), numpy.sqrt(numpy.mean(sigma[part] ** 2)))
              for part in numpy.array_split(numpy.argsort(sigma), 20)]
    sharpness = numpy.sqrt(numpy.mean(sigma ** 2))
    return {'nll': -distribution.logpdf(truth).mean(),
            **{f'coverage{level}': coverage(level / 100) for level in (50, 90, 95)},
            'miscalibration': numpy.mean([abs(coverage(level / 100) - level / 100) for level in range(5, 100, 5)]),
            'sharpness': sharpness, 'sharpness_ratio': sharpness / rmse,
            'ence': numpy.mean([abs(one - other) / other for one, other in groups]),
            'ause': trapezoid(left(sigma) - left(error), TAKEN_OUT), 'left80': left(sigma)[20],
            'correlation': stats.spearmanr(error, sigma).statistic}


def assert_scores(values, expected):
    assert tuple(values) == UNCERTAINTY_METRICS
    for name, value in values.items():
        assert value == pytest.approx(expected[name], rel=1e-3, abs=1e-4), name


def test_scores_are_those_of_their_definitions_in_both_regions():
    hr, sr, deviation, head = case()
    values, _ = uncertainty_scores(hr, sr, deviation, head)
    expected = {f'{metric}{suffix}': value for suffix, mask in zip(REGIONS, (numpy.ones_like(head), head))
                for metric, value in by_definition(hr[0][mask], sr[0][mask], deviation[0][mask]).items()}
    assert_scores(values, expected)
    for metric in UNCERTAINTY_METRICS[:len(UNCERTAINTY_METRICS) // 2]:  # this case tells the regions apart
        assert abs(values[metric] - values[f'{metric}_head']) > 0.002


def test_a_score_is_the_mean_of_those_of_the_channels_and_curves_are_each_channel_s():
    one, other = case(), case(seed=1, scale=1000.0)
    head = one[3]
    both = [numpy.concatenate(volumes) for volumes in zip(one[:3], other[:3])]
    alone = [uncertainty_scores(*volumes[:3], head) for volumes in (one, other)]
    values, curves = uncertainty_scores(*both, head)
    assert_scores(values, {name: (alone[0][0][name] + alone[1][0][name]) / 2 for name in values})
    assert len(curves) == 2
    for mine, (_, (its,)) in zip(curves, alone):
        for values, expected in zip(mine, its):
            numpy.testing.assert_array_equal(values, expected)


@pytest.fixture(scope='module')
def known():
    """Noise of a known deviation: truth, prediction, deviation, head."""
    rng = numpy.random.default_rng(2)
    sigma = rng.lognormal(2, 0.6, (1, 70, 80, 80)).astype(numpy.float32)
    hr = rng.uniform(0, 500, sigma.shape).astype(numpy.float32)
    return hr, hr + sigma * rng.normal(size=sigma.shape), sigma, numpy.ones(sigma.shape[1:], bool)


def test_where_the_deviation_is_right_scores_are_the_closed_forms_and_curves_the_diagonals(known):
    _, _, sigma, _ = known
    values, (curves,) = uncertainty_scores(*known)
    for level in (50, 90, 95):
        assert values[f'coverage{level}'] == pytest.approx(level / 100, abs=0.003)
    assert values['nll'] == pytest.approx(numpy.log(2 * numpy.pi) / 2 + numpy.log(sigma).mean() + 0.5, abs=0.005)
    assert values['sharpness'] == pytest.approx(numpy.exp(2 + 0.36), rel=0.01)  # of a lognormal law
    assert values['sharpness_ratio'] == pytest.approx(1, abs=0.01)
    assert values['miscalibration'] < 0.002 and values['ence'] < 0.01
    numpy.testing.assert_allclose(curves.coverage, numpy.arange(5, 100, 5) / 100, atol=0.003)
    numpy.testing.assert_allclose(curves.rmse, curves.predicted, rtol=0.03)
    assert (numpy.diff(curves.predicted) > 0).all() and (numpy.diff(curves.left) < 0).all()
    assert curves.left[0] == pytest.approx(1) == curves.ideal[0] and (curves.ideal[1:] < curves.left[1:]).all()


@pytest.mark.parametrize('factor', [0.5, 2])
def test_a_deviation_that_is_wrong_by_a_factor_covers_what_the_normal_law_says(known, factor):
    hr, sr, sigma, head = known
    values, _ = uncertainty_scores(hr, sr, numpy.float32(factor) * sigma, head)
    for level in (50, 90, 95):
        reach = factor * stats.norm.ppf((1 + level / 100) / 2)
        assert values[f'coverage{level}'] == pytest.approx(2 * stats.norm.cdf(reach) - 1, abs=0.003)
    right, _ = uncertainty_scores(*known)
    assert values['nll'] - right['nll'] == pytest.approx(numpy.log(factor) + (factor ** -2 - 1) / 2, abs=0.01)
    assert values['sharpness_ratio'] == pytest.approx(factor, rel=0.01)
    assert values['ence'] == pytest.approx(abs(1 / factor - 1), abs=0.01)
    for order in ('ause', 'left80', 'correlation'):  # which the factor leaves as it was
        assert values[order] == pytest.approx(right[order], rel=1e-6)


def test_other_units_change_what_has_units_alone():
    """Intensities in hundredths: the likelihood by log(100) for each voxel, sharpness by 100, the rest not at all."""
    hr, sr, deviation, head = case()
    values, _ = uncertainty_scores(hr, sr, deviation, head)
    hundred, _ = uncertainty_scores(*(numpy.float32(100) * volume for volume in (hr, sr, deviation)), head)
    expected = {name: value + numpy.log(100) * name.startswith('nll') for name, value in values.items()}
    expected.update({name: 100 * values[name] for name in ('sharpness', 'sharpness_head')})
    assert_scores(hundred, expected)


def test_the_errors_themselves_are_the_ideal_deviation_to_sort_by():
    hr, sr, _, head = case()
    values, (curves,) = uncertainty_scores(hr, sr, numpy.abs(sr - hr), head)
    assert values['ause'] == pytest.approx(0, abs=1e-6) and values['correlation'] == pytest.approx(1)
    assert values['left80'] < 0.5
    numpy.testing.assert_allclose(curves.left, curves.ideal)
    worst, _ = uncertainty_scores(hr, sr, 1 / (1 + numpy.abs(sr - hr)), head)
    assert worst['correlation'] == pytest.approx(-1, abs=1e-4) and worst['left80'] > 1.1


def test_a_constant_deviation_tells_nothing_of_the_order_however_voxels_lie():
    """Ties must not be broken by what the errors are, nor by where they are."""
    hr, sr, _, head = case()
    order = numpy.argsort(numpy.abs(sr - hr).ravel())
    for places in (order, order[::-1]):
        hr, sr = (volume.ravel()[places].reshape(SHAPE) for volume in (hr, sr))
        values, (curves,) = uncertainty_scores(hr, sr, numpy.full_like(hr, 3), head)
        numpy.testing.assert_allclose(curves.left, 1)
        assert numpy.isnan(values['correlation'])
        assert values['ause_head'] == pytest.approx(trapezoid(1 - curves.ideal, TAKEN_OUT)) and values['ause'] > 0.3


@pytest.mark.parametrize('tiny', [1e-6, 1e-30, numpy.float32(1e-45)])
def test_a_tiny_deviation_has_no_floor_under_it(tiny):
    """Its square is 0 in float32, and its ratio to the error infinite."""
    hr, sr, deviation, head = case()
    deviation[0, 5, 5, 5], hr[0, 5, 5, 5], sr[0, 5, 5, 5] = tiny, 100, 107
    head[5, 5, 5] = True
    values, _ = uncertainty_scores(hr, sr, deviation, head)
    expected = -stats.norm(sr.astype(float), deviation.astype(float)).logpdf(hr.astype(float)).mean()
    assert values['nll'] == pytest.approx(expected, rel=1e-6) and numpy.isfinite(values['nll_head'])


def test_a_deviation_of_zero_is_infinitely_unlikely_and_covers_no_error_alone():
    hr, sr, deviation, head = case()
    hr[0, :, 0], sr[0, :, 0], deviation[0, :, 0], head[:, 0] = 10, 10, 0, False
    sr[0, 0, 0] += 1
    values, _ = uncertainty_scores(hr, sr, deviation, head)
    assert values['nll'] == numpy.inf and numpy.isfinite(values['nll_head'])
    error, sigma = numpy.abs(sr - hr), deviation.astype(float)
    assert values['coverage50'] == pytest.approx(numpy.mean(error <= stats.norm.ppf(0.75) * sigma), rel=1e-6)
    negative_zero, _ = uncertainty_scores(hr, sr, numpy.where(deviation == 0, -deviation, deviation), head)
    assert negative_zero == pytest.approx(values, nan_ok=True)


def test_a_prediction_without_any_error_and_a_head_without_a_voxel_have_scores_where_these_are_defined():
    hr, _, deviation, head = case()
    values, _ = uncertainty_scores(hr, hr, deviation, numpy.zeros_like(head))
    assert values['coverage50'] == 1 and values['sharpness_ratio'] == numpy.inf and numpy.isnan(values['ause'])
    assert all(numpy.isnan(values[name]) for name in values if name.endswith('_head'))


def test_what_is_no_deviation_is_refused():
    hr, sr, deviation, head = case()
    for value in (-1e-6, numpy.nan, numpy.inf):
        wrong = deviation.copy()
        wrong[0, 20, 3, 4] = value
        with pytest.raises(ValueError, match='deviation that is negative or not finite'):
            uncertainty_scores(hr, sr, wrong, head)
    wrong = sr.copy()
    wrong[0, 20, 3, 4] = numpy.nan
    with pytest.raises(ValueError, match='error that is not finite'):
        uncertainty_scores(hr, wrong, deviation, head)
    with pytest.raises(ValueError, match='not of one shape'):
        uncertainty_scores(hr, sr.reshape(1, 37, 33, 61), deviation, head)
