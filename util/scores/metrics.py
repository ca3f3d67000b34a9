"""Scores of reconstructed volumes against the true HR volume."""
import math

import numpy

from util.scores.error_sums import SSIM_WINDOW, error_sums
from util.script import UserError

ROBUST_PERCENTILE = 99.5  # the maximum is set by a few bright vessels, and PSNR of two scans cannot be compared by it
REGIONS = {'': 'whole volume', '_head': 'within the head'}  # suffix of a metric -> what a person reads
METRICS = tuple(f'{metric}{region}' for region in REGIONS for metric in ('psnr', 'ssim', 'rmse', 'psnr_robust'))


def data_range(hr):
    """The range that PSNR and SSIM are relative to: max - min of the true HR channel, as the reference experiment."""
    return float(hr.max()) - float(hr.min())


def robust_range(hr):
    """The range of ``psnr_robust``: the 99.5th percentile of the true HR channel less its minimum."""
    # It lies among the brightest voxels; to put these alone in order takes a tenth of the time. Where they begin is
    # judged from a sample, a little too low.
    floor = numpy.percentile(hr.ravel()[::64], ROBUST_PERCENTILE - 1)
    bright = hr[hr >= floor]
    place = (hr.size - 1) * ROBUST_PERCENTILE / 100 - (hr.size - bright.size)  # in the order of the bright ones
    if place < 0 or bright.size < 2:
        bright, place = hr.ravel(), (hr.size - 1) * ROBUST_PERCENTILE / 100
    return float(numpy.percentile(bright, min(100 * place / max(bright.size - 1, 1), 100))) - float(hr.min())


def psnr(hr, sr):
    """Peak signal-to-noise ratio: 10 log10(range² / mean squared error), range max - min of the true channel.

    Args:
        hr (numpy.ndarray): True HR volume, (C, z, y, x).
        sr (numpy.ndarray): Reconstructed volume of the same shape and intensity units.

    Returns:
        float: dB; the mean over the channels.
    """
    errors = [truth.astype(numpy.float32, copy=False) - image for truth, image in zip(hr, sr)]
    return float(numpy.mean([_decibels(data_range(truth), numpy.mean(error * error, dtype=numpy.float64))
                             for truth, error in zip(hr, errors)]))


def _decibels(peak, square):
    with numpy.errstate(divide='ignore', invalid='ignore'):  # no error at all, or no voxel of head
        return 10 * numpy.log10(numpy.float64(peak) ** 2 / square)


def channel_scores(hr, images, head):
    """Score reconstructions of a volume, as a whole and within the head, channel by channel.

    A volume is gone through block by block, so that memory does not grow with it.

    Args:
        hr (numpy.ndarray): True HR volume, (C, z, y, x).
        images (dict): Name -> reconstructed volume of the same shape and intensity units, as
            `util.scores.error_sums` takes them.
        head (numpy.ndarray): The head in the true HR volume, bool, (z, y, x): `util.volumes.head_mask`.

    Returns:
        list of dict: Of each channel, name -> a value for each of :data:`METRICS`. ``psnr`` in dB; ``ssim``
        (`util.scores.error_sums`); ``rmse`` in the volume's units; ``psnr_robust`` as ``psnr``, with
        :func:`robust_range`. Then ``psnr_head``, ``ssim_head`` (the mean of the SSIM map), ``rmse_head`` and
        ``psnr_robust_head``, of the head's voxels alone.
        All ranges are those of the whole channel; that of ``psnr`` and ``ssim`` is max - min.

    Raises:
        UserError: If the volume is smaller than SSIM's window.
    """
    if min(hr.shape[1:]) < SSIM_WINDOW:
        raise UserError(f'an HR volume of {hr.shape[1:]} voxels (z, y, x) cannot be scored: SSIM needs {SSIM_WINDOW} '
                        'or more along each axis')
    inside = numpy.count_nonzero(head)
    counts = numpy.array([head.size, math.prod(side - SSIM_WINDOW + 1 for side in head.shape), inside, inside])
    channels = []
    for channel, truth in enumerate(hr):
        ranges = {'psnr': data_range(truth), 'psnr_robust': robust_range(truth)}
        sums = error_sums(hr, images, channel, head, ranges['psnr'])
        with numpy.errstate(invalid='ignore'):  # no voxel of head
            channels.append({name: _of_means(values / counts, ranges) for name, values in sums.items()})
    return channels


def mean_of_channels(channels):
    """The mean over the channels of what :func:`channel_scores` gives: name -> {metric: value}."""
    return {name: {metric: float(numpy.mean([channel[name][metric] for channel in channels])) for metric in METRICS}
            for name in channels[0]}


def _of_means(means, ranges):
    """The scores of one channel from the means of `error_sums`."""
    return {f'{metric}{region}': value for region, (square, similarity) in zip(REGIONS, (means[:2], means[2:]))
            for metric, value in {'ssim': similarity, 'rmse': numpy.sqrt(square),
                                  **{name: _decibels(peak, square) for name, peak in ranges.items()}}.items()}
