"""Scores and factors beside the package uncertainty-toolbox, of Y. Chung et al.; where it is installed.

It brings scikit-learn and 60 MB along, so requirements-dev.txt does not: python -m pip install uncertainty-toolbox
"""
import warnings

import numpy
import pytest
from scipy.stats import norm

from tests.util.scores.test_uncertainty import case
from util.scores.intervals import PERCENTS, fit, ratio_counts
from util.scores.uncertainty import uncertainty_scores

with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # its own affair
    calibration = pytest.importorskip('uncertainty_toolbox.metrics_calibration',
                                      reason='uncertainty-toolbox is not installed')
    scoring_rule = pytest.importorskip('uncertainty_toolbox.metrics_scoring_rule')
    recalibration = pytest.importorskip('uncertainty_toolbox.recalibration')


def test_the_scores_are_those_of_uncertainty_toolbox():
    hr, sr, deviation, head = case()
    (values, _), (truth, mean, sigma) = uncertainty_scores(hr, sr, deviation, head), (
        volume.ravel().astype(float) for volume in (hr, sr, deviation))
    expected, observed = calibration.get_proportion_lists_vectorized(mean, sigma, truth, num_bins=21)
    assert values['nll'] == pytest.approx(scoring_rule.nll_gaussian(mean, sigma, truth), rel=1e-6)
    assert values['sharpness'] == pytest.approx(calibration.sharpness(sigma), rel=1e-6)
    # it counts 0 and 100 % as well, where nothing can be wrong
    assert values['miscalibration'] == pytest.approx(calibration.mean_absolute_calibration_error(
        mean, sigma, truth, num_bins=21, vectorized=True) * 21 / 19, abs=1e-4)
    for level in (50, 90, 95):
        share = observed[numpy.isclose(expected, level / 100)]
        assert values[f'coverage{level}'] == pytest.approx(share.item(), abs=1e-4)


def test_where_errors_are_normal_all_factors_are_those_of_its_one_scaling():
    rng, shape = numpy.random.default_rng(0), (1, 60, 60, 60)
    sigma = rng.lognormal(sigma=0.5, size=shape).astype(numpy.float32)
    truth = (0.7 * sigma * rng.normal(size=shape)).astype(numpy.float32)
    fitted = fit([ratio_counts(truth, numpy.zeros_like(truth), sigma, numpy.ones(shape[1:], bool))])
    scale = recalibration.optimize_recalibration_ratio(numpy.zeros(20000), sigma.ravel()[:20000].astype(float),
                                                       truth.ravel()[:20000].astype(float), criterion='miscal')
    for percent, q in zip(PERCENTS, fitted.factors):
        assert q / norm.ppf((1 + percent / 100) / 2) == pytest.approx(scale, rel=0.03)
