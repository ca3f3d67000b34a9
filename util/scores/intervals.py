"""How far errors reach, in predicted standard deviations: what makes intervals m +- q s hold the voxels they ought to.

The ratio r = |e| / s of the error e and the predicted deviation s of each head voxel is counted in bins, 1024 for each
octave, one histogram for each subject. A factor q is the upper end of a bin, so that the share of voxels within
m +- q s is exactly what was counted; it is less than a thousandth above the least one that does.

Subjects are the unit, and not voxels: voxels of one head hang together, and people are drawn. For a level p

- the **factor** is the least q at which the mean over the subjects of the share within is p;
- the **guaranteed** factor is the least q at which that mean is (n + 1) p / n, of n subjects. Then a new subject drawn
  as they were has a share of p within, in expectation over both draws: A. N. Angelopoulos et al., "Conformal risk
  control", ICLR 2024, theorem 1, with the share outside as the loss, which is 1 at most. It takes n >= p / (1 - p), as
  no more than everything can lie within. For shares of an image see A. N. Angelopoulos et al., "Image-to-image
  regression with distribution-free uncertainty quantification and applications in imaging", ICML 2022.
"""
from typing import NamedTuple

import numpy

from util.scores.metrics import REGIONS
from util.scores.uncertainty_sums import voxel_blocks
from util.script import UserError

PERCENTS = tuple(range(5, 100, 5))  # the levels, as of `util.scores.uncertainty_sums.LEVELS`
SCORED = 50, 90, 95
# The bits of a float32 that is not negative: 8 of the exponent, then 23 of which 10 are kept.
_DROPPED = 13
_FIRST, _LAST = (exponent + 127 << 10 for exponent in (-16, 16))  # what lies below or above is in the end bins
_BINS = _LAST - _FIRST + 1
ENDS = numpy.append((numpy.arange(_FIRST + 1, _LAST + 1, dtype=numpy.uint32) << _DROPPED).view(numpy.float32),
                    numpy.float32(numpy.inf)).astype(numpy.float64)  # (bins,): the upper end of each bin


class Fit(NamedTuple):
    """What intervals need, each for the levels of :data:`PERCENTS`, float64."""
    factors: numpy.ndarray     # (levels,): q of mean coverage p
    guaranteed: numpy.ndarray  # (levels,): q of the guarantee; NaN where subjects are too few, infinite where no q does
    coverage: numpy.ndarray    # (subjects, levels): each subject's share of voxels within its `factors`


def ratio_counts(truth, mean, deviation, head):
    """How many head voxels have their |e| / s in each bin.

    Args:
        truth, mean (numpy.ndarray): True and predicted volume, (C, z, y, x), in the same intensity units.
        deviation (numpy.ndarray): Predicted standard deviation, of the same shape and units.
        head (numpy.ndarray): Voxels that count as the head, bool, (z, y, x).

    Returns:
        numpy.ndarray: int64, (bins,): voxels of all channels. Those of several volumes may be added.

    Raises:
        ValueError: If a deviation is negative, or one or an error is not finite.
    """
    counts = numpy.zeros(_BINS, numpy.int64)
    for channel in zip(truth, mean, deviation):
        for inside, error, sigma, _ in voxel_blocks(*channel, head):
            bins = (_ratio(error, sigma)[inside].view(numpy.uint32) >> _DROPPED).astype(numpy.int64) - _FIRST
            counts += numpy.bincount(bins.clip(0, _BINS - 1), minlength=_BINS)
    return counts


def fit(counts):
    """The factors of some subjects.

    Args:
        counts (list of numpy.ndarray): Of each subject, what :func:`ratio_counts` gives, (bins,).

    Returns:
        Fit: The factors and how they do on these subjects.

    Raises:
        UserError: If no factor does, as too many deviations are 0 or next to it.
    """
    mean = sum(map(_within, counts)) / len(counts)
    levels = numpy.array(PERCENTS)
    first = numpy.searchsorted(mean, levels / 100)
    factors = ENDS[first]
    if not numpy.isfinite(factors[-1]):
        raise UserError(f'{1 - mean[-2]:.1%} of the head have errors above {ENDS[-2]:.0f} times the predicted '
                        'deviation; no interval is of use there: train the network with a loss that teaches it its '
                        'deviation')
    # of integers, so that 19 subjects are enough for 95 %, and need all their voxels
    needed = (len(counts) + 1) * levels / (100 * len(counts))
    guaranteed = numpy.where(needed <= 1, ENDS[numpy.searchsorted(mean, needed).clip(max=_BINS - 1)], numpy.nan)
    return Fit(factors, guaranteed, numpy.array([_within(its)[first] for its in counts]))


def subjects_needed(percent):
    """How many subjects the guarantee of a level takes: p / (1 - p), rounded up."""
    return -(-percent // (100 - percent))


def calibrated_coverage(truth, mean, deviation, head, factors):
    """The shares of voxels that lie within calibrated intervals, as scores of the whole volume and of the head.

    Args:
        truth, mean, deviation, head (numpy.ndarray): As of :func:`ratio_counts`.
        factors (dict): Level in percent -> q.

    Returns:
        dict: ``calibrated95`` and the like for each of :data:`SCORED`, then the same with ``_head`` -> float.

    Raises:
        ValueError: As of :func:`ratio_counts`.
    """
    within, voxels = numpy.zeros((2, len(SCORED))), numpy.zeros((2, 1))
    for channel in zip(truth, mean, deviation):
        for inside, error, sigma, _ in voxel_blocks(*channel, head):
            ratio = _ratio(error, sigma)
            for region, its in enumerate((ratio, ratio[inside])):
                voxels[region] += its.size
                within[region] += [numpy.count_nonzero(its <= factors[level]) for level in SCORED]
    with numpy.errstate(invalid='ignore'):  # a head without a voxel
        shares = within / voxels
    return {f'calibrated{level}{suffix}': float(share) for suffix, its in zip(REGIONS, shares)
            for level, share in zip(SCORED, its)}


def _ratio(error, sigma):
    with numpy.errstate(divide='ignore', invalid='ignore', over='ignore'):
        return numpy.fmax(error / sigma, 0)  # 0 / 0 is 0: where there is no error, it lies within


def _within(counts):
    """The share of a subject's voxels up to the end of each bin, (bins,)."""
    return counts.cumsum() / counts.sum()
