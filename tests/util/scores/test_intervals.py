"""Factors of intervals: against numpy.quantile, on subjects they were not learned from, and the guarantee by trial."""
import numpy
import pytest
from scipy import optimize, stats

from util.scores.intervals import ENDS, PERCENTS, SCORED, calibrated_coverage, fit, ratio_counts, subjects_needed
from util.script import UserError

LEVELS = numpy.array(PERCENTS) / 100


def subject(seed=0, factor=1.0, shape=(2, 33, 37, 61)):
    """A truth, a prediction, a deviation that is too small by the factor, with heavy tails; a head: half of it."""
    rng = numpy.random.default_rng(seed)
    sigma = 10 * rng.lognormal(sigma=0.7, size=shape)
    hr = rng.normal(1000, 300, shape).astype(numpy.float32)
    sr = hr + (rng.standard_t(4, shape) * sigma * factor).astype(numpy.float32)
    head = rng.random(shape[1:]) < 0.5
    sr[:, ~head] = hr[:, ~head]  # air, of no error: not to be counted
    return hr, sr, sigma.astype(numpy.float32), head


def ratios(hr, sr, deviation, head):
    with numpy.errstate(divide='ignore', invalid='ignore'):  # a deviation of 0
        return (numpy.abs(sr - hr) / deviation)[:, head].ravel()


def test_the_factors_of_one_subject_are_the_quantiles_of_error_over_deviation():
    fitted, values = fit([ratio_counts(*subject())]), ratios(*subject())
    numpy.testing.assert_allclose(fitted.factors, numpy.quantile(values, LEVELS), rtol=1e-3)
    numpy.testing.assert_array_equal(fitted.coverage[0], [numpy.mean(values <= q) for q in fitted.factors])
    assert (fitted.coverage[0] >= LEVELS).all() and (fitted.coverage[0] < LEVELS + 1e-3).all()
    assert (fitted.factors[SCORED[2] // 5 - 1] > 1.1 * stats.norm.ppf(0.975)
            and fitted.factors[0] < 1.2 * stats.norm.ppf(0.525))  # so that no one factor would do for both


def test_the_mean_is_of_subjects_and_not_of_voxels():
    parts = [subject(1, 0.5), subject(2, 2, (2, 9, 9, 9)), subject(3, 1, (2, 20, 9, 9))]
    fitted, values = fit([ratio_counts(*part) for part in parts]), [ratios(*part) for part in parts]

    def mean_coverage(q):
        return numpy.mean([numpy.mean(its <= q) for its in values])

    for level, q, coverage in zip(LEVELS, fitted.factors, fitted.coverage.T):
        assert q == pytest.approx(optimize.bisect(lambda q, level=level: mean_coverage(q) - level, 0, 100), rel=1e-3)
        numpy.testing.assert_array_equal(coverage, [numpy.mean(its <= q) for its in values])
    pooled = numpy.quantile(numpy.concatenate(values), 0.5)
    assert abs(fitted.factors[9] / pooled - 1) > 0.1  # that would be the answer of voxels


def test_intervals_hold_their_share_of_subjects_that_the_factors_have_not_seen():
    fitted = fit([ratio_counts(*subject(seed)) for seed in range(3)])
    for seed in (10, 11):
        values = ratios(*subject(seed))
        numpy.testing.assert_allclose([numpy.mean(values <= q) for q in fitted.factors], LEVELS, atol=0.006)


def test_calibrated_coverage_is_that_of_each_region():
    hr, sr, deviation, head = subject()
    factors = dict(zip(PERCENTS, fit([ratio_counts(hr, sr, deviation, head)]).factors))
    values = calibrated_coverage(hr, sr, deviation, head, factors)
    assert list(values) == [f'calibrated{level}{suffix}' for suffix in ('', '_head') for level in SCORED]
    for level in SCORED:
        within = numpy.abs(sr - hr) <= numpy.float32(factors[level]) * deviation
        assert values[f'calibrated{level}'] == pytest.approx(within.mean(), abs=1e-5)
        assert values[f'calibrated{level}_head'] == pytest.approx(within[:, head].mean(), abs=1e-5)
        assert values[f'calibrated{level}_head'] == pytest.approx(level / 100, abs=1e-3)


def normal_counts(factor, voxels=10 ** 7):
    """What `ratio_counts` gives of as many errors of a normal law, of a deviation that is too small by the factor."""
    return numpy.diff(numpy.rint(voxels * (2 * stats.norm.cdf(ENDS / factor) - 1)), prepend=0).astype(numpy.int64)


@pytest.fixture(scope='module')
def people():
    """Forty subjects whose deviations are wrong each by a factor of its own, and those factors."""
    factors = numpy.random.default_rng(0).lognormal(sigma=0.25, size=40)
    return factors, [normal_counts(factor) for factor in factors]


def held_by_others(people, size, percent, cohorts):
    """Mean coverage of people that a cohort is not of, by its guaranteed factor and by the mean's; and their errors."""
    factors, counts = people
    rng, level, held = numpy.random.default_rng(size), PERCENTS.index(percent), []
    for _ in range(cohorts):
        order = rng.permutation(len(factors))
        fitted = fit([counts[number] for number in order[:size]])
        others = factors[order[size:], None]  # whose coverage the normal law tells
        held.append((2 * stats.norm.cdf([fitted.guaranteed[level], fitted.factors[level]] / others) - 1).mean(axis=0))
    return numpy.mean(held, axis=0), numpy.std(held, axis=0) / numpy.sqrt(cohorts)


@pytest.mark.parametrize('size, percent', [(1, 50), (4, 80), (9, 90), (19, 95), (24, 95)])
def test_on_average_the_guaranteed_factor_holds_for_a_new_subject(people, size, percent):
    (guaranteed, plain), _ = held_by_others(people, size, percent, 30)
    assert guaranteed >= percent / 100 and guaranteed > plain


@pytest.mark.parametrize('size, cohorts', [(1, 150), (3, 100)])
def test_on_average_the_factor_of_the_mean_holds_a_little_less_than_95_percent_of_a_new_subject(people, size, cohorts):
    """Where subjects are few: coverage rises less where intervals are too wide than it falls where too narrow."""
    (_, plain), (_, error) = held_by_others(people, size, 95, cohorts)
    assert 0.92 < plain < 0.95 - 2 * error
    if size == 1:
        factors = people[0]
        pairs = 2 * stats.norm.cdf(stats.norm.ppf(0.975) * factors[:, None] / factors) - 1
        expected = pairs[~numpy.eye(len(factors), dtype=bool)].mean()  # of any two people, by the normal law alone
        assert plain == pytest.approx(expected, abs=3 * error)


@pytest.mark.parametrize('size', [1, 2, 8, 9, 18, 19, 20])
def test_a_guarantee_takes_as_many_subjects_as_conformal_risk_control_says(size):
    """n mean(loss) / (n + 1) + 1 / (n + 1) <= 1 - p, of the losses at the guaranteed factor and not below it."""
    values = [ratios(*subject(seed, 1, (1, 9, 9, 9))) for seed in range(size)]
    fitted = fit([ratio_counts(*subject(seed, 1, (1, 9, 9, 9))) for seed in range(size)])

    def bound(q):
        return (sum(numpy.mean(its > q) for its in values) + 1) / (size + 1)

    for percent, q in zip(PERCENTS, fitted.guaranteed):
        possible = (100 - percent) * (size + 1) >= 100
        assert possible == (size >= subjects_needed(percent)) == numpy.isfinite(q)
        if possible:
            assert bound(q) <= 1 - percent / 100 + 1e-12
            assert bound(q * (1 - 1e-3)) > 1 - percent / 100 - 2e-3  # next to the least one that does
            assert q > fitted.factors[PERCENTS.index(percent)]
    assert size < 19 or size > 19 or fitted.guaranteed[-1] >= max(its.max() for its in values)  # all that there is


def test_counts_of_two_cases_of_a_subject_add_up():
    one, other = (subject(seed, 1, (1, 9, 9, 9)) for seed in (0, 1))
    fitted = fit([ratio_counts(*one) + ratio_counts(*other)])
    values = numpy.concatenate([ratios(*one), ratios(*other)])
    numpy.testing.assert_array_equal(fitted.coverage[0], [numpy.mean(values <= q) for q in fitted.factors])


def test_deviations_of_zero_cover_no_error_and_too_many_are_refused():
    hr, sr, deviation, head = subject()
    deviation[:, 0] = 0
    fitted, values = fit([ratio_counts(hr, sr, deviation, head)]), ratios(hr, sr, deviation, head)
    numpy.testing.assert_array_equal(fitted.coverage[0], [numpy.mean(values <= q) for q in fitted.factors])
    assert numpy.isinf(fitted.guaranteed[9])
    deviation[:, :3] = 1e-30
    with pytest.raises(UserError, match='% of the head have errors above 65536 times the predicted deviation'):
        fit([ratio_counts(hr, sr, deviation, head)])
    with numpy.errstate(invalid='raise'):
        counts = ratio_counts(hr, hr, numpy.zeros_like(hr), head)  # no error: within
    assert counts[0] == 2 * head.sum()


@pytest.mark.parametrize('value', [-1, numpy.nan, numpy.inf])
def test_what_is_no_deviation_is_refused(value):
    hr, sr, deviation, head = subject()
    deviation[1, 5, 5, 5] = value
    with pytest.raises(ValueError, match='deviation that is negative or not finite'):
        ratio_counts(hr, sr, deviation, head)
