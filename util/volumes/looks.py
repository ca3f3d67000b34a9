"""What a scan looks like, in a few numbers: its contrast, its sharpness and its noise, whatever its size and units.

A network is right on scans like those it was trained on. These numbers tell when one is not: another scanner, another
contrast, another degradation.
"""
import math

import numpy

QUANTILES = 5, 25, 50, 75, 95
FEATURES = {  # name -> what a person reads
    **{f'q{q}': f'contrast ({q}th percentile of the head)' for q in QUANTILES},
    **{f'{kind}_{axis}': f'{words} along {axis}' for kind, words in (('step', 'roughness'), ('curve', 'sharpness'))
       for axis in 'zyx'},
    'skew': 'contrast (skewness of the head)',
    'rim': 'contrast (the rim of the head)',
    'air': 'signal outside of the head',
}
FALSE_ALARMS = 0.01     # of scans like the training's, if their numbers are Gaussian
LEAST_TOLERANCE = 0.02  # training scans may be nearly the same; the numbers are about 1
LEAST_SCANS = 3
_BRIGHT = 0.15  # of the 99th percentile: the head, roughly. `head_mask` is better, but takes as long as a network


def looks_of(lr):
    """The numbers of an LR volume, on its own grid.

    Within the head, of each channel: percentiles over the root mean square; likewise the mean of the voxels at its rim;
    the skewness; the root mean square of the steps from voxel to voxel along an axis, over the standard deviation; that
    of the second differences over that of the steps, which is large where an image is noisy or aliased and small where
    it is smooth. Outside of it: root mean square over that of the head.

    Args:
        lr (numpy.ndarray): LR volume, (C, z, y, x), as the network would be given it or in any other units.

    Returns:
        dict: name of :data:`FEATURES` -> list of a float for each channel. What cannot be had, such as a step along an
        axis of one voxel, is 0.
    """
    lr = lr.astype(numpy.float32, copy=False)
    # Each channel may be in units of its own.
    image = sum((channel / (_rms(channel) or 1)) ** 2 for channel in lr) ** 0.5
    head = image > _BRIGHT * numpy.percentile(image, 99)
    channels = [_looks_of_channel(channel, head) for channel in lr]
    return {name: [channel[name] for channel in channels] for name in FEATURES}


def _looks_of_channel(channel, head):
    inside = channel[head].astype(numpy.float64)
    size, spread = _rms(inside), inside.std() if inside.size else 0.0
    rim = numpy.zeros_like(head)
    looks = dict(zip((f'q{q}' for q in QUANTILES),
                     numpy.percentile(inside, QUANTILES) / size if size else (0.0,) * len(QUANTILES)))
    for axis, name in enumerate('zyx'):
        steps, near = numpy.diff(channel, axis=axis), _pairs(head, axis)
        step = _rms(steps[near])
        looks[f'step_{name}'] = step / spread if spread else 0.0
        looks[f'curve_{name}'] = _rms(numpy.diff(steps, axis=axis)[_pairs(near, axis)]) / step if step else 0.0
        rim |= _at_an_end(head, axis)
    looks['skew'] = _skewness(inside)
    looks['rim'] = channel[rim].mean(dtype=numpy.float64) / size if size and rim.any() else 0.0
    looks['air'] = _rms(channel[~head]) / size if size else 0.0
    return {name: float(value) for name, value in looks.items()}


def _rms(values):
    return math.sqrt(numpy.mean(numpy.square(values, dtype=numpy.float64))) if values.size else 0.0


def _skewness(values):
    """Its sign says whether what is rare is bright or dark: an inverted contrast changes it."""
    if values.size:
        values = values - values.mean(dtype=numpy.float64)
    spread = _rms(values)
    return numpy.mean(values ** 3) / spread ** 3 if spread else 0.0


def _at_an_end(mask, axis):
    """Where a voxel of a mask has a neighbour along an axis that is not in it."""
    ends = numpy.zeros_like(mask)
    inner, steps = numpy.moveaxis(ends, axis, 0), numpy.diff(numpy.moveaxis(mask, axis, 0), axis=0)
    inner[1:] |= steps
    inner[:-1] |= steps
    return ends & mask


def _pairs(mask, axis):
    """Where two neighbours along an axis are both in a mask."""
    mask = numpy.moveaxis(mask, axis, 0)
    return numpy.moveaxis(mask[1:] & mask[:-1], 0, axis)


def expected_looks(volumes):
    """What a further scan of the same kind looks like: the prediction interval of each number.

    For n scans of mean m and standard deviation s, a further one of a Gaussian lies within m +- t s sqrt(1 + 1/n), with
    Student's t of n - 1 degrees of freedom. The level is such that all numbers together give :data:`FALSE_ALARMS`
    (Bonferroni).

    Args:
        volumes (list of numpy.ndarray): LR volumes, (C, z, y, x).

    Returns:
        dict or None: name -> list of [middle, tolerance] for each channel; None of fewer than :data:`LEAST_SCANS`.
    """
    if len(volumes) < LEAST_SCANS:
        return None
    from scipy.special import stdtrit  # here, since only a training asks for it

    scans = [looks_of(lr) for lr in volumes]
    n, count = len(scans), len(FEATURES) * len(volumes[0])
    reach = stdtrit(n - 1, 1 - FALSE_ALARMS / 2 / count) * math.sqrt(1 + 1 / n)
    expected = {}
    for name in FEATURES:
        values = numpy.array([scan[name] for scan in scans])
        tolerance = numpy.maximum(reach * values.std(axis=0, ddof=1), LEAST_TOLERANCE)
        expected[name] = numpy.stack([values.mean(axis=0), tolerance], axis=1).tolist()
    return expected


def unlike(lr, expected):
    """How much a scan differs from those of a training.

    Args:
        lr (numpy.ndarray): LR volume, (C, z, y, x).
        expected (dict): What :func:`expected_looks` gave.

    Returns:
        (float, str): The largest difference over its tolerance: above 1, the scan is unlike the training's. And what
        differs most, for a person.
    """
    looks = looks_of(lr)
    score, name, channel = max((abs(value - middle) / tolerance, name, channel) for name in FEATURES
                               for channel, (value, (middle, tolerance)) in enumerate(zip(looks[name], expected[name])))
    middle, tolerance = expected[name][channel]
    where = f' of channel {channel + 1}' if len(lr) > 1 else ''
    return score, (f'{FEATURES[name]}{where} {looks[name][channel]:.2f}, in training {middle:.2f} +- {tolerance:.2f}')
