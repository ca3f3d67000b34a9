"""Scores of a predicted standard deviation, where the truth is known: does it say how large the errors are?

With the error e = prediction - truth and the predicted standard deviation s of a voxel, for the voxels of a region:

- **nll**: negative log-likelihood of the truth, the mean of log(2 pi) / 2 + log(s) + e^2 / (2 s^2), in nats per voxel.
  In float64, without a floor under s; infinite if one s is 0.
- **coverage50**, **coverage90**, **coverage95**: the share of voxels with |e| <= z s, where a Gaussian has 50, 90 and
  95 % within z. **miscalibration**: mean absolute difference of such shares from 5, 10 ... 95 %; V. Kuleshov et al.,
  "Accurate uncertainties for deep learning using calibrated regression", ICML 2018, with central intervals.
- **sharpness**: root mean s^2, in intensity units. **sharpness_ratio**: that over the RMSE.
- **ence**: over :data:`GROUPS` equally large groups of voxels, from the least s to the largest, the mean of
  |RMSE - root mean s^2| / root mean s^2; D. Levi et al., "Evaluating and calibrating uncertainty prediction in
  regression tasks", Sensors 2022.
- **ause**: area between two curves over the share f of voxels that are taken out, from 0 to 0.95: the RMSE of those
  that are left over the RMSE of all, once the largest s are taken out and once the largest |e|; E. Ilg et al.,
  "Uncertainty estimates and multi-hypotheses networks for optical flow", ECCV 2018 (there from 0 to 1).
  **left80**: the first curve at f = 0.2.
- **correlation**: Spearman's, of |e| and s. By ranks, since a few large errors would decide Pearson's, and since
  taking out the least certain voxels depends on their order alone.
"""
import math
from typing import NamedTuple

import numpy

from util.scores.metrics import REGIONS
from util.scores.uncertainty_sums import LEVELS, region_sums

GROUPS = 20
TAKEN_OUT = numpy.arange(96) / 100
UNCERTAINTY_METRICS = tuple(
    f'{metric}{region}' for region in REGIONS
    for metric in ('nll', 'coverage50', 'coverage90', 'coverage95', 'miscalibration', 'sharpness', 'sharpness_ratio',
                   'ence', 'ause', 'left80', 'correlation'))


class Curves(NamedTuple):
    """What is drawn of a region of one channel, float64."""
    coverage: numpy.ndarray   # (19,): share of voxels within the central intervals of 5, 10 ... 95 %
    predicted: numpy.ndarray  # (GROUPS,): root mean predicted variance of each group, in intensity units
    rmse: numpy.ndarray       # (GROUPS,): root mean squared error of each group
    left: numpy.ndarray       # (96,): RMSE over that of all, with the TAKEN_OUT most uncertain voxels taken out
    ideal: numpy.ndarray      # (96,): with those of the largest errors taken out


def uncertainty_scores(hr, sr, deviation, head):
    """The mean over the channels of :func:`channel_uncertainty`, with its arguments; and the curves of the channels."""
    channels, curves = channel_uncertainty(hr, sr, deviation, head)
    return mean_of_uncertainty(channels), curves


def mean_of_uncertainty(channels):
    """The mean over the channels of the scores that :func:`channel_uncertainty` gives: metric -> value."""
    return {metric: float(numpy.mean([channel[metric] for channel in channels])) for metric in channels[0]}


def channel_uncertainty(hr, sr, deviation, head):
    """Score the predicted standard deviation of a volume, as a whole and within the head, channel by channel.

    A volume is gone through block by block, so that memory does not grow with it.

    Args:
        hr (numpy.ndarray): True HR volume, (C, z, y, x).
        sr (numpy.ndarray): Predicted mean, of the same shape and intensity units.
        deviation (numpy.ndarray): Predicted standard deviation, of the same shape and intensity units; 0 or more.
        head (numpy.ndarray): The head in the true HR volume, bool, (z, y, x): `util.volumes.head_mask`.

    Returns:
        (list of dict, list of Curves): Of each channel a float for each of :data:`UNCERTAINTY_METRICS`, and the curves
        of the head. What is not defined is NaN, such as the correlation of a constant
        deviation.

    Raises:
        ValueError: If the shapes differ, a deviation is negative, or a value is not finite.
    """
    if not hr.shape == sr.shape == deviation.shape == (len(hr), *head.shape):
        raise ValueError(f'truth {hr.shape}, prediction {sr.shape}, deviation {deviation.shape} (C, z, y, x) and head '
                         f'{head.shape} (z, y, x) are not of one shape')
    channels = [[_scores(*region) for region in region_sums(*volumes, head)] for volumes in zip(hr, sr, deviation)]
    values = [{f'{metric}{suffix}': float(value) for (scored, _), suffix in zip(channel, REGIONS)
               for metric, value in scored.items()} for channel in channels]
    return values, [inside for _, (_, inside) in channels]


def _scores(sums, correlation):
    """The scores of a region, and its curves, from its sums."""
    voxels, square, variance = sums.by_deviation.sum(axis=1)
    with numpy.errstate(divide='ignore', invalid='ignore'):  # no voxel, no error at all, or no deviation
        curves = Curves(sums.within / voxels, *_groups(sums.by_deviation), *(
            _left(*order) / numpy.sqrt(square / voxels) for order in (sums.by_deviation[:2], sums.by_error)))
        log, ratio = sums.likelihood / voxels
        difference = curves.left - curves.ideal
        return {'nll': math.inf if numpy.isneginf(log) else math.log(2 * math.pi) / 2 + log + ratio / 2,
                **{f'coverage{level}': curves.coverage[level // 5 - 1] for level in (50, 90, 95)},
                'miscalibration': numpy.abs(curves.coverage - LEVELS).mean(),
                'sharpness': numpy.sqrt(variance / voxels),
                'sharpness_ratio': numpy.sqrt(variance / square),
                'ence': (numpy.abs(curves.rmse - curves.predicted) / curves.predicted).mean(),
                'ause': (difference[1:] + difference[:-1]).sum() / 2 * TAKEN_OUT[1],  # by trapezia
                'left80': curves.left[20],
                'correlation': correlation}, curves


def _first(counts, weights):
    """A function of a number of voxels: the sum of the weights of so many first ones; a bin's weights are equal."""
    filled = counts > 0
    voxels, total = (numpy.concatenate([[0.0], values[filled].cumsum()]) for values in (counts, weights))
    return lambda number: numpy.interp(number, voxels, total)


def _groups(by_deviation):
    """Root mean predicted variance, and RMSE, of groups of as many voxels each, in the order of their deviation."""
    counts, squares, variances = by_deviation
    ends = numpy.arange(GROUPS + 1) / GROUPS * counts.sum()
    # no less than 0, which rounding of the sums can give a group without any error
    return [numpy.sqrt(numpy.diff(_first(counts, weights)(ends)).clip(0) / ends[1]) for weights in (variances, squares)]


def _left(counts, squares):
    """RMSE of the voxels that are left when the last ones are taken out."""
    number = (1 - TAKEN_OUT) * counts.sum()
    return numpy.sqrt(_first(counts, squares)(number) / number)
