"""Scores of reconstructed volumes against the true HR volume."""
from concurrent.futures import ThreadPoolExecutor
import itertools
import math
import os

import numpy
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from util.script import UserError
from util.volumes.head_mask import head_mask

SSIM_WINDOW = 11  # voxels: Gaussian weights of sigma 1.5, cut at 3.5 sigma
_RADIUS = SSIM_WINDOW // 2
ROBUST_PERCENTILE = 99.5  # the maximum is set by a few bright vessels, and PSNR of two scans cannot be compared by it
REGIONS = {'': 'whole volume', '_head': 'within the head'}  # suffix of a metric -> what a person reads
METRICS = tuple(f'{metric}{region}' for region in REGIONS for metric in ('psnr', 'ssim', 'rmse', 'psnr_robust'))

# SSIM needs a dozen arrays of the size of what it is given: blocks of half a million voxels, a few at a time, stay
# below 200 MiB. A block has no less than two windows along an axis, or it would be mostly halo.
_BLOCK_VOXELS, _SMALLEST_BLOCK, _MOST_THREADS = 2**19, 2 * SSIM_WINDOW, 4


def data_range(hr):
    """The range that PSNR and SSIM are relative to: max - min of the true HR channel, as the reference experiment."""
    return float(hr.max()) - float(hr.min())


def robust_range(hr):
    """The range of ``psnr_robust``: the 99.5th percentile of the true HR channel less its minimum."""
    return float(numpy.percentile(hr, ROBUST_PERCENTILE)) - float(hr.min())


def psnr(hr, sr):
    """Peak signal-to-noise ratio: 10 log10(range² / mean squared error), range max - min of the true channel.

    Args:
        hr (numpy.ndarray): True HR volume, (C, z, y, x).
        sr (numpy.ndarray): Reconstructed volume of the same shape and intensity units.

    Returns:
        float: dB; the mean over the channels.
    """
    return float(numpy.mean([peak_signal_noise_ratio(truth, image, data_range=data_range(truth))
                             for truth, image in zip(hr, sr)]))


def scores(hr, sr, head):
    """Score a volume, as a whole and within the head.

    A volume is gone through block by block, so that memory does not grow with it.

    Args:
        hr (numpy.ndarray): True HR volume, (C, z, y, x).
        sr (numpy.ndarray): Reconstructed volume of the same shape and intensity units.
        head (numpy.ndarray): The head in the true HR volume, bool, (z, y, x): `util.volumes.head_mask`.

    Returns:
        dict: A value for each of :data:`METRICS`. ``psnr`` in dB; ``ssim`` (Wang et al., "Image quality assessment",
        IEEE TIP 2004: Gaussian weights of sigma 1.5, population covariance); ``rmse`` in the volume's units;
        ``psnr_robust`` as ``psnr``, with :func:`robust_range`. Then ``psnr_head``, ``ssim_head`` (the mean of the SSIM
        map), ``rmse_head`` and ``psnr_robust_head``, of the head's voxels alone. All ranges are those of the whole
        channel; that of ``psnr`` and ``ssim`` is max - min. Each score is the mean over the channels.
    """
    channels = [_channel_scores(truth, image, head) for truth, image in zip(hr, sr)]
    return {name: float(numpy.mean([channel[name] for channel in channels])) for name in METRICS}


def _channel_scores(hr, sr, head):
    """The scores of one channel, (z, y, x)."""
    inside = numpy.count_nonzero(head)
    # scikit-image leaves a border of the window's radius out of the volume's SSIM
    counts = numpy.array([hr.size, math.prod(side - 2 * _RADIUS for side in hr.shape), inside, inside])
    with numpy.errstate(divide='ignore', invalid='ignore'):  # no error at all, or no voxel of head
        mse, ssim, mse_head, ssim_head = _sums(hr, sr, head) / counts
        result = {}
        for region, error, similarity in (('', mse, ssim), ('_head', mse_head, ssim_head)):
            result |= {f'psnr{region}': 10 * numpy.log10(data_range(hr)**2 / error), f'ssim{region}': similarity,
                       f'rmse{region}': numpy.sqrt(error),
                       f'psnr_robust{region}': 10 * numpy.log10(robust_range(hr)**2 / error)}
    return result


def _sums(hr, sr, head):
    """Sums over the voxels: squared error, SSIM away from the border; and both in the head. (4,), float64."""
    full_range = data_range(hr)
    inner = tuple(slice(_RADIUS, side - _RADIUS) for side in hr.shape)

    def of_block(block):
        # SSIM of a voxel depends on its window alone: with a halo of its radius a block's is the volume's
        read = tuple(slice(max(part.start - _RADIUS, 0), part.stop + _RADIUS) for part in block)
        keep = tuple(slice(part.start - r.start, part.stop - r.start) for part, r in zip(block, read))
        truth, image = (volume[read].astype(numpy.float32, copy=False) for volume in (hr, sr))
        _, similarity = structural_similarity(truth, image, data_range=full_range, gaussian_weights=True, sigma=1.5,
                                              use_sample_covariance=False, full=True)
        square, similarity, inside = (truth[keep] - image[keep]).astype(numpy.float64)**2, similarity[keep], head[block]
        away = tuple(slice(max(i.start - part.start, 0), max(min(i.stop, part.stop) - part.start, 0))
                     for i, part in zip(inner, block))
        return numpy.array([square.sum(), similarity[away].sum(dtype=numpy.float64), square[inside].sum(),
                            similarity[inside].sum(dtype=numpy.float64)])

    with ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_THREADS)) as pool:
        return sum(pool.map(of_block, _blocks(hr.shape)))


def _blocks(shape):
    """Blocks of whole lines along x that make up a volume, as triples of slices."""
    depth = 2 * _SMALLEST_BLOCK
    height = max(_BLOCK_VOXELS // (depth * shape[2]), _SMALLEST_BLOCK)
    along = []
    for side, wanted in zip(shape, (depth, height, shape[2])):
        parts = max(side // wanted, 1)
        edges = [side * i // parts for i in range(parts + 1)]
        along.append([slice(*both) for both in itertools.pairwise(edges)])
    return list(itertools.product(*along))


def score_images(hr, images):
    """:func:`scores` of several reconstructions of one volume.

    Args:
        hr (numpy.ndarray): True HR volume, (C, z, y, x).
        images (iterable): (name, reconstructed volume of the same shape); each is asked for when it is scored, and
            not kept.

    Returns:
        dict: Scores by name.

    Raises:
        UserError: If the volume is smaller than SSIM's window, or has no head.
    """
    if min(hr.shape[1:]) < SSIM_WINDOW:
        raise UserError(f'an HR volume of {hr.shape[1:]} voxels (z, y, x) cannot be scored: SSIM needs {SSIM_WINDOW} '
                        'or more along each axis')
    head = head_mask(hr)
    return {name: scores(hr, image, head) for name, image in images}
