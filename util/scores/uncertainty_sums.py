"""Sums over the voxels of a region that the scores of a predicted deviation are made of, in two passes over its blocks.

Several scores ask for the voxels in the order of their predicted deviation, or of their error. No voxel is sorted for
that: voxels are counted in bins, 1024 for each octave, and what is in one bin counts as equal. So a deviation is known
to a thousandth, ties need no rule of their own, a sort's time is saved, and nothing of the volume's size is made.
"""
import math
from statistics import NormalDist
from typing import NamedTuple

import numpy

LEVELS = numpy.arange(1, 20) / 20  # of the central intervals: 5 to 95 %
_REACH = [NormalDist().inv_cdf((1 + level) / 2) for level in LEVELS]  # their ends, in standard deviations
_BLOCK = 1 << 15  # voxels that are gone through at a time; they stay in a core's cache
# A float32 that is not negative is ordered like its bits: 8 of the exponent, 23 of the mantissa. 10 of these are kept.
_DROPPED = 13
_BINS = 1 << 31 - _DROPPED


class Sums(NamedTuple):
    """Sums over the voxels of a region, float64; those of two regions add up to those of both."""
    likelihood: numpy.ndarray    # (2,): log(deviation); (error / deviation)^2
    within: numpy.ndarray        # (levels,): voxels whose error lies within the central interval of each of LEVELS
    by_deviation: numpy.ndarray  # (3, bins), by the predicted deviation: voxels; squared error; predicted variance
    by_error: numpy.ndarray      # (2, bins), by the absolute error: voxels; squared error


def region_sums(truth, mean, deviation, head):
    """The sums of one channel, and the rank correlation of absolute error and deviation.

    Args:
        truth, mean (numpy.ndarray): True and predicted channel, (z, y, x), in the same intensity units.
        deviation (numpy.ndarray): Predicted standard deviation, (z, y, x), in the same units.
        head (numpy.ndarray): Voxels that count as the head, bool, (z, y, x).

    Returns:
        list of (Sums, float): Of the whole volume and of the head. The correlation is Spearman's, with the mean rank
        for equal values (those of one bin); NaN where one of the two is the same everywhere.

    Raises:
        ValueError: If a deviation is negative, or one or an error is not finite.
    """
    parts = Sums(numpy.zeros((2, 2)), numpy.zeros((len(LEVELS), 2)), numpy.zeros((3, 2, _BINS)),
                 numpy.zeros((2, 2, _BINS)))  # along the second axis: what is not the head, and what is
    for block in voxel_blocks(truth, mean, deviation, head):
        _add(parts, *block)
    regions = [Sums(*(sums.sum(axis=1) for sums in parts)), Sums(*(sums[:, 1] for sums in parts))]
    return list(zip(regions, _correlations(regions, voxel_blocks(truth, mean, deviation, head))))


def voxel_blocks(truth, mean, deviation, head):
    """Voxels of a volume, block by block, so that nothing of its size is made.

    Args:
        truth, mean, deviation, head (numpy.ndarray): As of :func:`region_sums`; or more axes, the same for all.

    Yields:
        The head, bool; absolute error and deviation, float32; and the bins of [deviation, error], int: each (voxels,).

    Raises:
        ValueError: As of :func:`region_sums`.
    """
    truth, mean, deviation, head = (array.reshape(-1) for array in (truth, mean, deviation, head))
    for start in range(0, head.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        error = numpy.abs(truth[part].astype(numpy.float32) - mean[part].astype(numpy.float32))
        sigma = deviation[part].astype(numpy.float32)
        if not (sigma.min() >= 0 and numpy.isfinite([sigma.max(), error.max()]).all()):  # a NaN is either
            raise ValueError('a predicted deviation that is negative or not finite, or an error that is not finite')
        sigma = numpy.abs(sigma)  # -0.0 has other bits than 0.0
        yield head[part], error, sigma, [(values.view(numpy.uint32) >> _DROPPED).astype(numpy.intp)
                                         for values in (sigma, error)]


def _add(parts, inside, error, sigma, bins):
    error, sigma = error.astype(numpy.float64), sigma.astype(numpy.float64)
    with numpy.errstate(divide='ignore', invalid='ignore'):  # a deviation of 0
        ratio = numpy.fmax(error / sigma, 0)  # 0 / 0 is 0: where there is no error, it lies within
        terms = numpy.log(sigma), ratio * ratio
    for chosen in (0, 1):
        which = inside if chosen else ~inside
        parts.likelihood[:, chosen] += [numpy.sum(term, where=which) for term in terms]
        parts.within[:, chosen] += [numpy.count_nonzero((ratio <= reach) & which) for reach in _REACH]
    error *= error
    sigma *= sigma
    for totals, its, weights in zip((parts.by_deviation, parts.by_error), bins, ((1.0, error, sigma), (1.0, error))):
        places = its + _BINS * inside
        for total, values in zip(totals, weights):
            numpy.add.at(total.reshape(-1), places, values)


def _correlations(regions, blocks):
    """Spearman's correlation of the whole volume and of the head."""
    counts = [(sums.by_deviation[0], sums.by_error[0]) for sums in regions]
    # the mean rank of each bin's voxels, less that of all voxels
    ranks = [[by.cumsum() - by / 2 - by.sum() / 2 for by in both] for both in counts]
    products = numpy.zeros(2)
    for inside, _, _, bins in blocks:
        for region, chosen in enumerate((True, inside)):
            one, other = (table.take(its) for table, its in zip(ranks[region], bins))
            one *= other
            products[region] += numpy.sum(one, where=chosen)  # BLAS would wake its threads for each block
    with numpy.errstate(invalid='ignore'):  # no voxel, or all in one bin
        norms = [math.prod(numpy.sqrt(numpy.sum(by * rank ** 2)) for by, rank in zip(*both))
                 for both in zip(counts, ranks)]
        return [float(product / norm) for product, norm in zip(products, norms)]
